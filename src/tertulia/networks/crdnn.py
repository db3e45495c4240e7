"""CRDNN: convolutions, a recurrent network and a dense one, as in SpeechBrain's voice activity detection.

Source: T. N. Sainath et al., "Convolutional, long short-term memory, fully connected deep neural networks"
(ICASSP 2015), with gated recurrent units.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["CRDNN"]

_POOLED = 4  # how many times fewer bands leave the convolutions
_TOGETHER = 2  # feature frames in a step of the recurrent network


class CRDNN(nn.Module):
    """Log-mel energies in, a class for every frame out.

    Args:
        bands: of the log-mel energies, a multiple of four.
        classes: that are told apart.
        channels: of the convolutions.
        hidden: units of the recurrent network in each direction.
        layers: of it.
        dense: units of the dense layer.
    """

    def __init__(
        self,
        bands: int = 40,
        classes: int = 2,
        channels: int = 16,
        hidden: int = 64,
        layers: int = 2,
        dense: int = 64,
    ) -> None:
        super().__init__()
        self.normalize = nn.BatchNorm1d(bands)
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(),
            nn.MaxPool2d((_TOGETHER, 2)),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(),
            nn.MaxPool2d((1, _POOLED // 2)),
        )
        self.recurrent = nn.GRU(
            channels * bands // _POOLED, hidden, layers, batch_first=True, bidirectional=True
        )
        self.dense = nn.Sequential(nn.Linear(2 * hidden, dense), nn.LeakyReLU(), nn.Linear(dense, classes))

    def forward(self, features: Tensor) -> Tensor:
        """Map log-mel energies (batch, frames, bands), frames even, to logits (batch, frames, classes)."""
        x = self.normalize(features.transpose(1, 2)).transpose(1, 2)
        x = self.convolutions(x[:, None])  # (batch, channels, frames / 2, bands / 4)
        x = x.transpose(1, 2).flatten(2)  # (batch, frames / 2, channels · bands / 4)
        x, _ = self.recurrent(x)
        logits: Tensor = self.dense(x)
        return torch.repeat_interleave(logits, _TOGETHER, dim=1)
