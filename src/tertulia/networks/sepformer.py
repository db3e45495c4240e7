"""SepFormer: masks for the voices of a mixture, from attention within and between chunks of frames.

Source: C. Subakan et al., "Attention is all you need in speech separation" (ICASSP 2021), sections 2.1–2.3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SepFormer"]


class _Layer(nn.Module):
    """A transformer layer that normalises first."""

    def __init__(self, width: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.feedforward = nn.Sequential(
            nn.Linear(width, feedforward), nn.ReLU(), nn.Linear(feedforward, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, width) to the same shape."""
        batch, length, width = x.shape
        split = self.attend(self.before(x)).reshape(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)  # (batch, heads, length, width / heads)
        weights = torch.softmax(query @ key.transpose(2, 3) / math.sqrt(width // self.heads), dim=3)
        x = x + self.join((weights @ value).transpose(1, 2).reshape(batch, length, width))
        added: Tensor = x + self.feedforward(self.between(x))
        return added


class _Transformer(nn.Module):
    """Layers with sines of the position added to what they get."""

    def __init__(self, width: int, heads: int, feedforward: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(width, heads, feedforward) for _ in range(layers))
        self.normalize = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, width) to the same shape."""
        width = x.shape[2]
        turns = torch.exp(torch.arange(0, width, 2, device=x.device) * (-math.log(10_000.0) / width))
        angles = torch.arange(x.shape[1], device=x.device)[:, None] * turns  # (length, width / 2)
        x = x + torch.cat([angles.sin(), angles.cos()], dim=1)
        for layer in self.layers:
            x = layer(x)
        normal: Tensor = self.normalize(x)
        return normal


class _DualPath(nn.Module):
    """Attention within chunks, then between them (eq. 4 and 5)."""

    def __init__(self, width: int, heads: int, feedforward: int, layers: int) -> None:
        super().__init__()
        self.within = _Transformer(width, heads, feedforward, layers)
        self.between = _Transformer(width, heads, feedforward, layers)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, chunks, frames, width) to the same shape."""
        batch, chunks, frames, width = x.shape
        within = self.within(x.reshape(batch * chunks, frames, width)).reshape(batch, chunks, frames, width)
        x = x + self.norms[0](within)
        between = self.between(x.transpose(1, 2).reshape(batch * frames, chunks, width))
        between = between.reshape(batch, frames, chunks, width).transpose(1, 2)
        joined: Tensor = x + self.norms[1](between)
        return joined


class SepFormer(nn.Module):
    """Waveforms of mixtures in, waveforms of voices out.

    Args:
        voices: how many come out.
        filters: of the encoder, and width of all that follows.
        kernel: samples in a filter; the stride is half of it.
        chunk: frames in a chunk, even; half of them are shared with the next.
        blocks: dual-path blocks.
        layers: transformer layers within chunks, and as many between them, in a block.
        heads: of the attention.
        feedforward: width inside a transformer layer.
    """

    def __init__(
        self,
        voices: int = 2,
        filters: int = 64,
        kernel: int = 16,
        chunk: int = 100,
        blocks: int = 2,
        layers: int = 2,
        heads: int = 4,
        feedforward: int = 256,
    ) -> None:
        super().__init__()
        self.voices, self.filters, self.kernel, self.chunk = voices, filters, kernel, chunk
        self.encoder = nn.Conv1d(1, filters, kernel, stride=kernel // 2, bias=False)
        self.enter = nn.Sequential(nn.LayerNorm(filters), nn.Linear(filters, filters))
        self.blocks = nn.Sequential(*(_DualPath(filters, heads, feedforward, layers) for _ in range(blocks)))
        self.part = nn.Sequential(nn.PReLU(), nn.Linear(filters, filters * voices))
        self.gate, self.value = nn.Linear(filters, filters), nn.Linear(filters, filters)
        self.leave = nn.Linear(filters, filters)
        self.decoder = nn.ConvTranspose1d(filters, 1, kernel, stride=kernel // 2, bias=False)

    def forward(self, mixtures: Tensor) -> Tensor:
        """Separate mixtures (batch, samples) into (batch, voices, samples)."""
        batch, samples = mixtures.shape
        stride, half = self.kernel // 2, self.chunk // 2
        # Whole half chunks of frames, with silence enough at the end for all of them.
        missing = (-(samples - stride)) % (stride * half) + stride * half
        frames = F.relu(self.encoder(F.pad(mixtures, (0, missing))[:, None]))  # (batch, filters, frames)
        x = self.enter(frames.transpose(1, 2))  # (batch, frames, filters)
        halves = F.pad(x, (0, 0, half, half)).reshape(batch, -1, half, self.filters)
        chunks = torch.cat([halves[:, :-1], halves[:, 1:]], dim=2)  # (batch, chunks, chunk, filters)
        parted = self.part(self.blocks(chunks))
        parted = parted.reshape(batch, -1, self.chunk, self.voices, self.filters).permute(0, 3, 1, 2, 4)
        joined = parted[:, :, :-1, half:] + parted[:, :, 1:, :half]  # (batch, voices, halves, half, filters)
        joined = joined.reshape(batch, self.voices, -1, self.filters)
        masks = F.relu(self.leave(torch.tanh(self.value(joined)) * torch.sigmoid(self.gate(joined))))
        masked = frames[:, None] * masks.transpose(2, 3)  # (batch, voices, filters, frames)
        sound = self.decoder(masked.reshape(batch * self.voices, self.filters, -1))
        heard: Tensor = sound.reshape(batch, self.voices, -1)[:, :, :samples]
        return heard
