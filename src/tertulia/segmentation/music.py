"""Segmentation that takes no music for a speaker."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows
from tertulia.frames import Grid
from tertulia.segmentation.activity import Activity, Segmenter
from tertulia.segmentation.scenes import CLASSES, GRID, SceneSegmenter

__all__ = ["MusicIgnored"]

Array = NDArray[np.float32]

_SMOOTH = 51  # frames of 10 ms over which probabilities are averaged


@dataclass(frozen=True)
class MusicIgnored:
    """Another segmentation model, silenced where music plays and nobody speaks over it.

    Args:
        segmenter: the model.
        scenes: tells where that is.
        certain: probability of music without speech from which nobody is heard.
    """

    segmenter: Segmenter
    scenes: SceneSegmenter = field(default_factory=SceneSegmenter)
    certain: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.certain <= 1:
            raise ValueError(f"certain is a probability in (0, 1]; got {self.certain}")
        if self.segmenter.sample_rate != self.scenes.sample_rate:
            raise ValueError(
                f"music is told at {self.scenes.sample_rate} Hz; this segmentation is at "
                f"{self.segmenter.sample_rate} Hz"
            )

    @property
    def sample_rate(self) -> int:
        """Of the windows it takes, in Hz."""
        return self.segmenter.sample_rate

    @property
    def window(self) -> float:
        """Their length in seconds."""
        return self.segmenter.window

    @property
    def hop(self) -> float:
        """Seconds between two windows of a long recording."""
        return self.segmenter.hop

    @property
    def networks(self) -> dict[str, Any]:
        """Networks by name, for provenance."""
        return {**getattr(self.segmenter, "networks", {}), **self.scenes.networks}

    def __call__(self, windows: Windows) -> Activity:
        """Segment a batch of windows."""
        heard = self.segmenter(windows)
        music = self.scenes.probabilities(windows)[..., CLASSES.index("music")]  # (windows, frames of 10 ms)
        alone = _at(_smoothed(music), heard.grid, heard.count.shape[1]) >= self.certain  # (windows, frames)
        quiet = alone[..., None]
        return replace(
            heard,
            scores=np.where(quiet, np.float32(0), heard.scores),
            active=heard.active & ~quiet,
            solo=np.where(quiet, np.float32(0), heard.solo),
            count=np.where(alone, np.float32(0), heard.count),
        )


def _smoothed(values: Array) -> Array:
    """Mean over the frames around each, fewer at the ends; (windows, frames) → the same."""
    width = min(_SMOOTH, values.shape[1])
    kernel = np.ones(width)
    count = np.convolve(np.ones(values.shape[1]), kernel, mode="same")
    return np.stack([np.convolve(row, kernel, mode="same") / count for row in values]).astype(np.float32)


def _at(values: Array, grid: Grid, count: int) -> Array:
    """Look values up at the first `count` cells of another grid; (windows, frames) → (windows, count)."""
    index = np.clip(GRID.indices(grid.middles(count)), 0, values.shape[1] - 1)
    return values[:, index]
