"""One embedding for each local speaker of a window: frames computed once, pooled under each one's mask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows
from tertulia.embedding.pooling import statistics
from tertulia.embedding.voices import Voices
from tertulia.segmentation.activity import Activity

__all__ = ["PerWindow"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class PerWindow(ABC):
    """A network on every window by itself, as pyannote.audio 3 embeds; its kinds add the network.

    Args:
        exclude_overlap: embed a speaker from the frames it has alone, when there are enough of them.
        least: seconds of the mask below which overlap is not excluded, or there is no embedding.
    """

    exclude_overlap: bool = True
    least: float = 0.05

    margin = 0.0
    dim: ClassVar[int]
    _frame: ClassVar[float]  # seconds between frames of the network

    def __call__(self, windows: Windows, activity: Activity) -> Voices:
        """Embed every local speaker of a batch of windows."""
        speakers = activity.scores.shape[2]
        shape = (len(windows), speakers, 1)
        vectors = np.full((*shape, self.dim), np.nan, np.float32)
        step = activity.grid.step
        solo = activity.solo.sum(axis=1)[..., None] * np.float32(step)
        present = activity.active.sum(axis=1, dtype=np.float32)[..., None] * np.float32(step)
        alone = (activity.solo > 0).astype(np.float32)
        for window, samples in enumerate(windows.stack()):
            if not present[window].any():
                continue
            frames = self._frames_of(samples)
            at = np.arange(len(frames)) * activity.scores.shape[1] // len(frames)
            for speaker in range(speakers):
                mask = activity.active[window, at, speaker].astype(np.float32)
                if self.exclude_overlap and alone[window, :, speaker].sum() * step > self.least:
                    mask = alone[window, at, speaker]
                if mask.sum() * self._frame >= self.least:
                    vectors[window, speaker, 0] = self._embed(frames, mask[None])[0]
        size = windows.size / windows.sample_rate
        return Voices(vectors, solo, solo, present, windows.hop / windows.sample_rate, size)

    @abstractmethod
    def _frames_of(self, samples: Array) -> Array:
        """Compute the frames of a window, (samples,) → (frames, channels)."""

    def _embed(self, frames: Array, masks: Array) -> Array:
        """Pool frames (frames, channels) under masks (masks, frames) into embeddings (masks, dim).

        By plain statistics; networks with a pooling of their own put it here and need no `_project`.
        """
        return self._project(statistics(frames, masks))

    def _project(self, pooled: Array) -> Array:
        """Turn statistics (masks, 2 · channels) into embeddings (masks, dim)."""
        raise NotImplementedError
