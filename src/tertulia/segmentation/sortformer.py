"""A `Sortformer` on every window: its speakers inside windows, which others find again across them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows
from tertulia.frames import Grid
from tertulia.inference import Network
from tertulia.segmentation.activity import Activity

if TYPE_CHECKING:
    from tertulia.endtoend.sortformer import Sortformer

__all__ = ["SortformerSegmenter"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class SortformerSegmenter:
    """A `Sortformer` on every window: speakers inside windows, for others to find again across them.

    Args:
        weights: see `Sortformer`.
        window: seconds the network sees at once.
        hop: seconds between two windows.
        onset: probability from which somebody is active.
        threads: 0 takes one a core.
        device: cpu or cuda.
    """

    weights: str = "sortformer-tiny"
    window: float = 20.0
    hop: float = 10.0
    onset: float = 0.5
    threads: int = 0
    device: str = "cpu"

    sample_rate = 16_000

    def __post_init__(self) -> None:
        if not (0 < self.hop <= self.window and 0 < self.onset < 1):
            raise ValueError(f"hop lies in (0, window], onset in (0, 1); got {self.hop} and {self.onset}")
        _ = self.network

    @cached_property
    def network(self) -> Sortformer:
        """What hears."""
        from tertulia.endtoend.sortformer import Sortformer

        return Sortformer(self.weights, self.threads, self.device)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return self.network.networks

    def __call__(self, windows: Windows) -> Activity:
        """Segment a batch of windows."""
        found = [self._of_window(windows, i) for i in range(len(windows))]
        scores = np.stack(found)  # (windows, frames, local speakers)
        active = scores >= self.onset
        alone = active & (active.sum(axis=2, keepdims=True) == 1)
        solo = np.where(alone, scores, np.float32(0)).astype(np.float32)
        count = active.sum(axis=2).astype(np.float32)
        return Activity(
            scores, active, solo, count, Grid(self.network.step), windows.hop / windows.sample_rate
        )

    def _of_window(self, windows: Windows, index: int) -> Array:
        """Scores of one window (frames, local speakers); beyond the end of the recording nobody is active."""
        begin = windows.lead + index * windows.hop
        end = min(begin + windows.size, windows.sound)
        scores = np.zeros((-(-windows.size // self.network.hop), self.network.speakers), np.float32)
        if end > begin:  # the last window may begin after the sound has ended
            found = self.network(windows.samples[begin:end])[: len(scores)]
            scores[: len(found)] = found
        return scores
