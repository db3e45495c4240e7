"""Powerset segmentation: one class for each set of people that may speak together.

Source: A. Plaquet and H. Bredin, "Powerset multi-class cross entropy loss for neural speaker diarization"
(Interspeech 2023); the bundled network is pyannote segmentation-3.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows
from tertulia.frames import Grid
from tertulia.inference import Network, weights
from tertulia.segmentation.activity import Activity

__all__ = ["PowersetSegmenter", "powerset"]

Array = NDArray[np.float32]

# What the convolutions of the network look at: 991 samples, every 270 samples.
_GRID = Grid.of_receptive_field(step=270 / 16_000, width=991 / 16_000)
_BATCH = 4  # windows at once; more is not faster and takes 13 MB each


def powerset(speakers: int, together: int) -> NDArray[np.bool_]:
    """Membership table (classes, speakers): nobody, each alone, each pair …; smaller sets first.

    >>> powerset(3, 2).astype(int).tolist()
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]]
    """
    sets = [members for size in range(together + 1) for members in combinations(range(speakers), size)]
    return np.array([[speaker in members for speaker in range(speakers)] for members in sets])


@dataclass(frozen=True)
class PowersetSegmenter:
    """Three local speakers in ten seconds, at most two at once.

    Args:
        weights: bundled weights or the path of an ONNX file of the same shape.
        hop: seconds between two windows.
        soft: keep probabilities, so that windows which see the same moment are averaged before anything is
            decided; otherwise each window decides for itself, as pyannote.audio does.
        threads: 0 takes one a core.
        device: cpu or cuda.
    """

    weights: str = "segmentation-3.0"
    hop: float = 5.0
    soft: bool = True
    threads: int = 0
    device: str = "cpu"

    sample_rate = 16_000
    window = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.window:
            raise ValueError(f"hop lies in (0, {self.window:g}] seconds; got {self.hop}")
        weights(self.weights)

    @cached_property
    def network(self) -> Network:
        """The network; waveforms (windows, 1, samples) → log-probabilities (windows, frames, classes)."""
        return Network(self.weights, self.threads, self.device)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return {self.weights: self.network}

    def __call__(self, windows: Windows) -> Activity:
        """Segment a batch of windows."""
        samples = windows.stack()
        parts = [
            self.network(waveforms=np.ascontiguousarray(samples[i : i + _BATCH, None]))
            for i in range(0, len(samples), _BATCH)
        ]
        return self._activity(np.concatenate(parts), windows.hop / windows.sample_rate)

    def _activity(self, log_probabilities: Array, hop: float) -> Activity:
        members = powerset(3, 2)
        size = members.sum(axis=1)
        decided = log_probabilities.argmax(axis=-1)  # (windows, frames)
        active = members[decided]
        if self.soft:
            probabilities = np.exp(log_probabilities)
            scores = probabilities @ members.astype(np.float32)
            count = probabilities @ size.astype(np.float32)
        else:
            probabilities = np.eye(len(members), dtype=np.float32)[decided]
            scores, count = active.astype(np.float32), size[decided].astype(np.float32)
        alone = np.flatnonzero(size == 1)
        solo = probabilities[..., alone] * (decided[..., None] == alone)
        return Activity(scores, active, solo, count, _GRID, hop)
