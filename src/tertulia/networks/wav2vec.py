"""A small wav2vec 2.0: filters, convolutions, a transformer, and what its contrastive pre-training needs.

Source: A. Baevski, H. Zhou, A. Mohamed and M. Auli, "wav2vec 2.0: A framework for self-supervised learning of
speech representations" (NeurIPS 2020); equation numbers are those of that paper. Layer normalisation stands
before each part of the transformer (R. Xiong et al., "On layer normalization in the transformer
architecture", ICML 2020), so that it trains without a long warm-up.

The first convolution begins as a filter bank and gives log energies, after N. Zeghidour, O. Teboul, F. de
Chaumont Quitry and M. Tagliasacchi, "LEAF: A learnable frontend for audio classification" (ICLR 2021).
With convolutions on the waveform that are drawn by lot, latents hang on the phase of every frame, which
little around a mask tells; pre-training stayed at chance under small budgets (docs/results/siamese.md).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tertulia.networks.sincnet import hertz, mel

__all__ = ["Filters", "Quantizer", "Wav2Vec"]

_RATE = 16_000  # Hz
_WIDTH, _STRIDE = 400, 160  # samples of a filter, and between two frames of it: 25 and 10 ms
_LOWEST = 30.0  # Hz
_SHORTEST = 0.0125  # seconds of a filter: as long as frames are far apart, and a little
_TINY = 1e-5  # energy of a band in sound of power 1 below which its logarithm says nothing
_SCALE = 4.0  # of log energies: they begin near one
_KERNELS, _STRIDES = (3, 1), (2, 1)  # frames
_POSITIONS, _GROUPS = 63, 8  # frames a position looks at; groups of channels


class Filters(nn.Module):
    """Log energies of bands, a frame every 10 ms; every sample of the filters is learnt.

    They begin as pairs of windowed cosines and sines (Gabor filters of LEAF, section 3.1, with Hann windows),
    equally wide on the mel scale.

    Args:
        bands: how many.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        edges = hertz(torch.linspace(mel(_LOWEST), mel(_RATE / 2), bands + 2, dtype=torch.float64))
        middle, width = edges[1:-1, None], (edges[2:] - edges[:-2])[:, None]  # Hz, (bands, 1)
        times = (torch.arange(_WIDTH)[None] - (_WIDTH - 1) / 2) / _RATE
        # The main lobe of a Hann window is 4 / seconds wide.
        seconds = (4 / width).clamp(_SHORTEST, _WIDTH / _RATE)
        window = torch.where(times.abs() < seconds / 2, 1 + torch.cos(2 * math.pi * times / seconds), 0.0)
        window = window / window.sum(dim=1, keepdim=True)
        phase = 2 * math.pi * middle * times  # (bands, samples)
        pairs = torch.cat([window * phase.cos(), window * phase.sin()])
        self.kernels = nn.Parameter(pairs.float()[:, None])  # (2 · bands, 1, samples)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, samples) to log energies (batch, bands, time)."""
        # Energies span more than bfloat16 can tell apart.
        with torch.autocast(waveforms.device.type, enabled=False):
            filtered = F.conv1d(waveforms.float()[:, None], self.kernels, stride=_STRIDE)
            cosine, sine = filtered.chunk(2, dim=1)
            return torch.log(cosine.square() + sine.square() + _TINY)


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
        # Written out: on CPUs the gradient of torch's fused attention takes longer than all the rest.
        weights = (q @ k.transpose(2, 3) * (dim // self.heads) ** -0.5).softmax(dim=3)
        heard = weights.to(v.dtype) @ v  # (batch, heads, time, dim / heads)
        x = x + self.merge(heard.transpose(1, 2).reshape(batch, time, dim))
        y: Tensor = x + self.feed(self.norm_feed(x))
        return y


class Wav2Vec(nn.Module):
    """Waveforms in, representations every 20 ms out.

    Args:
        bands: of the filters.
        wide: channels of the convolutions.
        dim: of the transformer.
        layers: of the transformer.
        heads: of its attention.
        hidden: of its feed-forward networks.
    """

    step = 0.02

    def __init__(self, bands: int, wide: int, dim: int, layers: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.channels, self.wide = dim, wide
        self.filters = Filters(bands)
        widths = (bands, *(wide for _ in _KERNELS))
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
        energies = self.filters(waveforms / (power + 1e-7).sqrt())  # (batch, bands, time)
        # The mean over time is that of the channel and the microphone.
        latents: Tensor = self.encoder((energies - energies.mean(dim=2, keepdim=True)) / _SCALE)
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
