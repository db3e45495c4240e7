"""Voices all along a recording: what CAM++ hears in and around every frame of 0.08 s, whoever speaks there.

A network that tells speakers apart learns it from few people in little time when it starts from one that
knows voices already. T. Park et al. ("Sortformer", 2024, arXiv 2409.06656) start theirs from a pretrained
encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.campplus import CAMPPlus
from tertulia.embedding.voices import unit
from tertulia.features import sliding_mean
from tertulia.inference import Network

__all__ = ["VoiceTrack"]

Array = NDArray[np.float32]

_POOLED = 4  # frames of CAM++ in one of ours


@dataclass(frozen=True)
class VoiceTrack:
    """Embeddings of what lies around each frame, after the mean of CAM++'s own frames in it.

    Args:
        reach: frames of 0.08 s on either side that an embedding is pooled over.
        threads: 0 takes one a core.
        device: cpu or cuda.
    """

    reach: int = 8
    threads: int = 0
    device: str = "cpu"

    within, around = 512, 192
    dim = within + around

    @cached_property
    def embedder(self) -> CAMPPlus:
        """CAM++ with sliding context."""
        return CAMPPlus(threads=self.threads, device=self.device)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return self.embedder.networks

    def __call__(self, samples: Array) -> Array:
        """Map samples (n,) at 16 kHz to (⌈features / 8⌉, 512 + 192), features being those of `fbank`."""
        fine = self.embedder.frames_of(samples)  # (features / 2, 512)
        count = -(-len(fine) // _POOLED)
        if not count:
            return np.empty((0, self.dim), np.float32)
        fine = np.pad(fine, ((0, count * _POOLED - len(fine)), (0, 0)), mode="edge")
        cells = fine.reshape(count, _POOLED, -1)  # (frames, 4, 512)
        mean, square = cells.mean(axis=1), (cells**2).mean(axis=1)
        width = 2 * self.reach + 1
        around = sliding_mean(mean, width)
        variance = np.maximum(sliding_mean(square, width) - around**2, 0)
        pooled = np.concatenate([around, np.sqrt(variance)], axis=1)  # (frames, 1024)
        vectors = unit(self.embedder.projection(statistics=pooled))
        return np.concatenate([mean, vectors], axis=1, dtype=np.float32)
