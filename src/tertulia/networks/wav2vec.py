"""A small wav2vec 2.0: convolutions, a transformer, and what its contrastive pre-training needs.

Source: A. Baevski, H. Zhou, A. Mohamed and M. Auli, "wav2vec 2.0: A framework for self-supervised learning of
speech representations" (NeurIPS 2020); equation numbers are those of that paper. Layer normalisation stands
before each part of the transformer (R. Xiong et al., "On layer normalization in the transformer
architecture", ICML 2020), so that it trains without a long warm-up.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Quantizer", "Wav2Vec"]

_KERNELS, _STRIDES = (10, 8, 4, 4, 4), (5, 4, 2, 2, 4)  # samples or frames; 320 samples in all
_POSITIONS, _GROUPS = 63, 8  # frames a position looks at; groups of channels


class _Layer(nn.Module):
    """Convolution without padding, normalised over channels in every frame, GELU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.convolve = nn.Conv1d(inputs, outputs, kernel, stride, bias=False)
        self.normalize = nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.normalize(self.convolve(x).transpose(1, 2))
        return F.gelu(y).transpose(1, 2)


class _Block(nn.Module):
    """Attention and a feed-forward network, each added to its input."""

    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_feed = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.project, self.merge = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.feed = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, time, dim) to the same."""
        batch, time, dim = x.shape
        q, k, v = self.project(self.norm_attention(x)).chunk(3, dim=2)  # (batch, time, dim) each
        q, k, v = (y.view(batch, time, self.heads, -1).transpose(1, 2) for y in (q, k, v))
        heard = F.scaled_dot_product_attention(q, k, v)  # (batch, heads, time, dim / heads)
        x = x + self.merge(heard.transpose(1, 2).reshape(batch, time, dim))
        y: Tensor = x + self.feed(self.norm_feed(x))
        return y


class Wav2Vec(nn.Module):
    """Waveforms in, representations every 20 ms out.

    Args:
        narrow: channels of the first convolution.
        wide: channels of the others.
        dim: of the transformer.
        layers: of the transformer.
        heads: of its attention.
        hidden: of its feed-forward networks.
    """

    step = 0.02

    def __init__(self, narrow: int, wide: int, dim: int, layers: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.channels, self.wide = dim, wide
        widths = (1, narrow, *(wide for _ in _KERNELS[1:]))
        self.encoder = nn.Sequential(
            *(
                _Layer(widths[i], widths[i + 1], kernel, stride)
                for i, (kernel, stride) in enumerate(zip(_KERNELS, _STRIDES, strict=True))
            )
        )
        self.project = nn.Linear(wide, dim)
        self.masked = nn.Parameter(torch.empty(dim).uniform_())
        self.positions = nn.Conv1d(dim, dim, _POSITIONS, padding=_POSITIONS // 2, groups=_GROUPS)
        self.blocks = nn.ModuleList([_Block(dim, heads, hidden) for _ in range(layers)])
        self.normalize = nn.LayerNorm(dim)

    def latent(self, waveforms: Tensor) -> Tensor:
        """Encode waveforms (batch, samples) of any level → latents z (batch, time, wide)."""
        power = waveforms.square().mean(dim=1, keepdim=True)
        latents: Tensor = self.encoder((waveforms / (power + 1e-7).sqrt())[:, None])
        return latents.transpose(1, 2)

    def layers(self, latents: Tensor, masked: Tensor | None = None) -> list[Tensor]:
        """Return the input of the transformer and what comes out of each block, (batch, time, dim) each.

        Args:
            latents: (batch, time, wide).
            masked: (batch, time), true where the transformer must not see them.
        """
        x: Tensor = self.project(latents)
        if masked is not None:
            x = torch.where(masked[:, :, None], self.masked, x)
        x = x + F.gelu(self.positions(x.transpose(1, 2)).transpose(1, 2))
        outputs = [x]
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return outputs

    def states(self, waveforms: Tensor) -> list[Tensor]:
        """Return what `layers` says of waveforms (batch, samples), nothing masked."""
        return self.layers(self.latent(waveforms))

    def forward(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, samples) to contexts c (batch, time, dim)."""
        y: Tensor = self.normalize(self.layers(self.latent(waveforms))[-1])
        return y


class Quantizer(nn.Module):
    """Latents as one of a few vectors in each of several groups, put together (section 2).

    Args:
        inputs: dimensions of the latents.
        groups: G.
        entries: V of each group.
        dim: of what comes out.
    """

    def __init__(self, inputs: int, groups: int, entries: int, dim: int) -> None:
        super().__init__()
        self.groups, self.entries = groups, entries
        self.logits = nn.Linear(inputs, groups * entries)
        self.vectors = nn.Parameter(torch.empty(groups, entries, dim // groups).uniform_(-1, 1))
        self.project = nn.Linear(dim // groups * groups, dim)

    def forward(self, latents: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
        """Quantise latents (n, inputs) → vectors (n, dim), their entries (n, groups), perplexity in [0, 1].

        In training entries are drawn (Gumbel softmax, eq. 1) and gradients go straight through.
        """
        logits = self.logits(latents).view(-1, self.groups, self.entries).float()  # (n, G, V)
        if self.training:
            chosen = F.gumbel_softmax(logits, temperature, hard=True, dim=2)
        else:
            chosen = F.one_hot(logits.argmax(dim=2), self.entries).to(logits.dtype)
        vectors = torch.einsum("ngv,gvd->ngd", chosen, self.vectors)
        use = logits.softmax(dim=2).mean(dim=0)  # (G, V): p̄ of eq. 4
        perplexity = torch.exp(-(use * (use + 1e-7).log()).sum(dim=1)).sum() / (self.groups * self.entries)
        quantized: Tensor = self.project(vectors.flatten(1))
        return quantized, chosen.argmax(dim=2), perplexity
