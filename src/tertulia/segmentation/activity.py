"""`Activity`: who is active when inside each window, as a segmentation model tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows
from tertulia.frames import Grid

__all__ = ["Activity", "Segmenter"]

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """Activity of the local speakers of each window. Local speaker 0 of two windows may be two people.

    Attributes:
        scores: (windows, frames, local speakers), probability in [0, 1] that the speaker is active.
        active: the same as decisions, bool.
        solo: weight in [0, 1] with which a frame shows that speaker alone; zero where anybody else is active.
        count: (windows, frames), expected number of people active at once.
        grid: of the frames within a window.
        hop: seconds between the beginnings of two windows.
    """

    scores: Array
    active: NDArray[np.bool_]
    solo: Array
    count: Array
    grid: Grid
    hop: float

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Put consecutive batches together."""
        return cls(
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.active for part in parts]),
            np.concatenate([part.solo for part in parts]),
            np.concatenate([part.count for part in parts]),
            parts[0].grid,
            parts[0].hop,
        )

    def __len__(self) -> int:
        return len(self.scores)


class Segmenter(Protocol):
    """Tells who is active when inside windows.

    Attributes:
        sample_rate: of the windows it takes, in Hz.
        window: their length in seconds.
        hop: seconds between two windows of a long recording.
    """

    @property
    def sample_rate(self) -> int: ...  # noqa: D102
    @property
    def window(self) -> float: ...  # noqa: D102
    @property
    def hop(self) -> float: ...  # noqa: D102

    def __call__(self, windows: Windows) -> Activity:
        """Segment a batch of windows."""
        ...
