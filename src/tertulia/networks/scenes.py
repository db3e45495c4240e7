"""A network that names what is heard every 10 ms: convolutions over time and pitch, then over time alone.

Source: A. Waibel et al., "Phoneme recognition using time-delay neural networks" (IEEE Trans. ASSP 37(3),
1989), in its residual form with dilations that double.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SceneNet"]

_TOGETHER = 2  # feature frames in a step of the network
_LEVEL = 301  # frames over which the level is taken that features are relative to
_RANGE = (-12.0, 5.0)  # of features relative to it, as natural logarithms of power
_MIDDLE, _SPREAD = -3.0, 3.0  # of such features


class _Block(nn.Module):
    """Look at three frames that are `dilation` apart, and add what they say."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Map (batch, channels, frames) to the same shape."""
        added: Tensor = frames + self.layers(frames)
        return added


class SceneNet(nn.Module):
    """Log-mel energies in, a class for every frame out.

    Only silence depends on how loud a recording is. So features are taken relative to the level of the three
    seconds around, and that level and the frame's own go beside them.

    Args:
        bands: of the log-mel energies, a multiple of eight.
        classes: that are told apart.
        channels: width of the layers over time.
        dilations: steps of 20 ms between what a block looks at; their sum is how far the network sees.
        maps: channels of the layers over time and pitch, each of which halves the bands.
        dropout: share of channels that are left out in training.
    """

    def __init__(
        self,
        bands: int = 64,
        classes: int = 5,
        channels: int = 96,
        dilations: Sequence[int] = (1, 2, 4, 8, 16, 32, 64),
        maps: Sequence[int] = (16, 24, 32),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.classes = classes
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(zip((1, *maps), maps, strict=False)):
            size, stride = ((4, 5), (_TOGETHER, 2)) if number == 0 else ((3, 3), (1, 2))
            padding = (1, size[1] // 2)
            layers += [
                nn.Conv2d(before, after, size, stride=stride, padding=padding, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.picture = nn.Sequential(*layers)
        self.enter = nn.Sequential(
            nn.Conv1d(maps[-1] * (bands >> len(maps)) + 2 * _TOGETHER, channels, 1, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(*(_Block(channels, dilation, dropout) for dilation in dilations))
        self.leave = nn.Conv1d(channels, _TOGETHER * classes, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map log-mel energies (batch, frames, bands), frames even, to logits (batch, frames, classes)."""
        batch, count, _ = features.shape
        power = features.exp().mean(dim=2)  # (batch, frames)
        around = F.avg_pool1d(power[:, None], _LEVEL, 1, _LEVEL // 2, count_include_pad=False)[:, 0]
        around = around.clamp_min(1e-9).log()
        relative = ((features - around[..., None]).clamp(*_RANGE) - _MIDDLE) / _SPREAD
        levels = torch.stack([power.clamp_min(1e-9).log(), around], dim=2) / 10  # (batch, frames, 2)
        pairs = levels.reshape(batch, count // _TOGETHER, 2 * _TOGETHER).transpose(1, 2)
        picture = self.picture(relative[:, None])  # (batch, maps, frames / 2, bands / 8)
        picture = picture.transpose(2, 3).flatten(1, 2)  # (batch, maps · bands / 8, frames / 2)
        hidden = self.blocks(self.enter(torch.cat([picture, pairs], dim=1)))  # (batch, channels, frames / 2)
        found = self.leave(hidden).transpose(1, 2)  # (batch, frames / 2, 2 · classes)
        logits: Tensor = found.reshape(batch, count, self.classes)
        return logits
