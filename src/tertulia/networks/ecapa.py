"""ECAPA-TDNN: dilated Res2Net blocks with squeeze and excitation, and attentive statistics pooling.

Source: B. Desplanques, J. Thienpondt and K. Demuynck, "ECAPA-TDNN: Emphasized channel attention, propagation
and aggregation in TDNN based speaker verification" (Interspeech 2020). Equation numbers are those of that
paper; its widths are larger, these give the 1.33 M parameters of the system that is rebuilt here.

The pooling takes a weight for every frame, so that one window can be pooled for each of its speakers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tertulia.networks.frontend import Cepstra

__all__ = ["ECAPA"]

_TINY = 1e-6


class _Unit(nn.Module):
    """Convolution over time, ReLU, batch normalisation."""

    def __init__(self, inputs: int, outputs: int, width: int = 1, dilation: int = 1) -> None:
        super().__init__()
        padding = dilation * (width // 2)
        self.convolve = nn.Conv1d(inputs, outputs, width, padding=padding, dilation=dilation)
        self.normalize = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.normalize(F.relu(self.convolve(x)))
        return y


class _Res2Net(nn.Module):
    """Groups of channels, each convolved together with what came out of the group before it."""

    def __init__(self, channels: int, scale: int, dilation: int) -> None:
        super().__init__()
        width = channels // scale
        self.scale = scale
        self.units = nn.ModuleList([_Unit(width, width, 3, dilation) for _ in range(scale - 1)])

    def forward(self, x: Tensor) -> Tensor:
        first, *rest = x.chunk(self.scale, dim=1)
        outputs = [first]
        for group, unit in zip(rest, self.units, strict=True):
            outputs.append(unit(group if len(outputs) == 1 else group + outputs[-1]))
        return torch.cat(outputs, dim=1)


class _SqueezeExcitation(nn.Module):
    """Scale channels by what the whole utterance says about them (eq. 5 to 7)."""

    def __init__(self, channels: int, bottleneck: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv1d(channels, bottleneck, 1)
        self.excite = nn.Conv1d(bottleneck, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=2, keepdim=True)  # (batch, channels, 1)
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(mean))))


class _Block(nn.Module):
    """SE-Res2Block: the input is carried around it."""

    def __init__(self, channels: int, scale: int, bottleneck: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Unit(channels, channels),
            _Res2Net(channels, scale, dilation),
            _Unit(channels, channels),
            _SqueezeExcitation(channels, bottleneck),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.layers(x)
        return y


class _AttentiveStatistics(nn.Module):
    """Weighted mean and deviation, the weights by frame and channel from the frame and the utterance."""

    def __init__(self, channels: int, bottleneck: int) -> None:
        super().__init__()
        self.hidden = nn.Conv1d(3 * channels, bottleneck, 1)
        self.normalize = nn.BatchNorm1d(bottleneck)
        self.scores = nn.Conv1d(bottleneck, channels, 1)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """Pool (batch, channels, frames) under weights (batch, frames) → (batch, 2 · channels)."""
        share = (weights / weights.sum(dim=1, keepdim=True).clamp_min(_TINY))[:, None]  # (batch, 1, frames)
        context = _moments(x, share)  # (batch, 2 · channels)
        # The layer sees [x, context] in every frame; the context is the same in all: its part is added once.
        weight, channels = self.hidden.weight, x.shape[1]
        of_context = F.conv1d(context[:, :, None], weight[:, channels:])  # (batch, bottleneck, 1)
        hidden = F.conv1d(x, weight[:, :channels], self.hidden.bias) + of_context
        # With a ReLU before the normalisation, as some have it, all units can die, and then what stirs one
        # of them is scaled up without bound.
        scores = self.scores(torch.tanh(self.normalize(hidden)))  # eq. 1
        attention = torch.softmax(scores + torch.log(share.clamp_min(1e-12)), dim=2)  # eq. 2
        return _moments(x, attention)


def _moments(x: Tensor, share: Tensor) -> Tensor:
    """Means and deviations of (batch, channels, frames) under shares that sum to one (eq. 3 and 4)."""
    mean = (x * share).sum(dim=2)
    deviation = ((x - mean[:, :, None]).square() * share).sum(dim=2).clamp_min(_TINY).sqrt()
    return torch.cat([mean, deviation], dim=1)


class ECAPA(nn.Module):
    """Speaker embeddings from Kaldi log-mel features (10 ms) whose mean over time was removed.

    Args:
        dim: of the embeddings.
        bands: mel bands.
        cepstra: MFCC made of them.
        channels: of the blocks, a multiple of `scale`.
        blocks: with dilations 2, 3, 4 …
        scale: groups of a Res2Net layer.
        bottleneck: of squeeze and excitation.
        wide: channels of the frames that are pooled.
        attention: bottleneck of the pooling.
    """

    def __init__(
        self,
        dim: int = 192,
        bands: int = 80,
        cepstra: int = 80,
        channels: int = 256,
        blocks: int = 3,
        scale: int = 8,
        bottleneck: int = 80,
        wide: int = 448,
        attention: int = 64,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.cepstra = Cepstra(bands, cepstra)
        self.first = _Unit(cepstra, channels, 5)
        self.blocks = nn.ModuleList(
            [_Block(channels, scale, bottleneck, dilation) for dilation in range(2, 2 + blocks)]
        )
        self.aggregate = nn.Conv1d(blocks * channels, wide, 1)
        self.pool = _AttentiveStatistics(wide, attention)
        self.normalize = nn.BatchNorm1d(2 * wide)
        self.project = nn.Linear(2 * wide, dim)
        self.output = nn.BatchNorm1d(dim)

    def frames(self, features: Tensor) -> Tensor:
        """Map features (batch, time, bands) to frames (batch, time, wide)."""
        x: Tensor = self.first(self.cepstra(features).transpose(1, 2))  # (batch, channels, time)
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        y: Tensor = F.relu(self.aggregate(torch.cat(outputs, dim=1)))
        return y.transpose(1, 2)

    def embed(self, frames: Tensor, weights: Tensor) -> Tensor:
        """Pool frames (batch, time, wide) under weights (batch, time) ≥ 0 → embeddings (batch, dim)."""
        pooled = self.pool(frames.transpose(1, 2), weights)
        embeddings: Tensor = self.output(self.project(self.normalize(pooled)))
        return embeddings

    def forward(self, features: Tensor) -> Tensor:
        """Embed features (batch, time, bands) → (batch, dim)."""
        frames = self.frames(features)
        return self.embed(frames, frames.new_ones(frames.shape[:2]))
