"""A time-delay network that names what is heard every 10 ms.

Source: A. Waibel et al., "Phoneme recognition using time-delay neural networks" (IEEE Trans. ASSP 37(3),
1989), in its residual form with dilations that double.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["SceneNet"]

_TOGETHER = 2  # feature frames in a step of the network


class _Block(nn.Module):
    """Look at three frames that are `dilation` apart, and add what they say."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Map (batch, channels, frames) to the same shape."""
        added: Tensor = frames + self.layers(frames)
        return added


class SceneNet(nn.Module):
    """Log-mel energies in, a class for every frame out.

    Args:
        bands: of the log-mel energies.
        classes: that are told apart.
        channels: width of every layer.
        dilations: steps of 20 ms between what a block looks at; their sum is how far the network sees.
    """

    def __init__(
        self,
        bands: int = 40,
        classes: int = 5,
        channels: int = 96,
        dilations: Sequence[int] = (1, 2, 4, 8, 16, 32, 64),
    ) -> None:
        super().__init__()
        self.classes = classes
        self.enter = nn.Sequential(
            nn.BatchNorm1d(bands),
            nn.Conv1d(bands, channels, 6, stride=_TOGETHER, padding=2, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(*(_Block(channels, dilation) for dilation in dilations))
        self.leave = nn.Conv1d(channels, _TOGETHER * classes, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map log-mel energies (batch, frames, bands), frames even, to logits (batch, frames, classes)."""
        hidden = self.blocks(self.enter(features.transpose(1, 2)))  # (batch, channels, frames / 2)
        pairs = self.leave(hidden).transpose(1, 2)  # (batch, frames / 2, 2 · classes)
        batch, steps, _ = pairs.shape
        logits: Tensor = pairs.reshape(batch, steps * _TOGETHER, self.classes)
        return logits
