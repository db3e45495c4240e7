"""`Grid`, the one place where seconds become indices, and `Frames`, scores on a grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tertulia.timeline import Segment, Timeline

__all__ = ["Frames", "Grid"]

# Times such as 0.7 / 0.1 come out a hair under a whole number; a millionth of a frame is no frame.
_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Grid:
    """A regular division of time into cells: cell `i` is `[edge(i), edge(i + 1))`.

    Args:
        step: length of a cell in seconds.
        start: edge of cell 0. Networks whose first frame *looks at* `[0, width)` have their first cell
            centred there, see `of_receptive_field`.
    """

    step: float
    start: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.step) and self.step > 0 and math.isfinite(self.start)):
            raise ValueError(
                f"a grid needs a finite step > 0 and a finite start; got {self.step} and {self.start}"
            )

    @classmethod
    def of_receptive_field(cls, step: float, width: float, start: float = 0.0) -> Grid:
        """Centre cells on receptive fields: field `i` spans `start + i·step` to `start + i·step + width`."""
        return cls(step, start + width / 2 - step / 2)

    def edge(self, index: int) -> float:
        """Time at which cell `index` begins."""
        return self.start + index * self.step

    def edges(self, count: int) -> NDArray[np.float64]:
        """The `count + 1` edges of the first `count` cells."""
        return np.asarray(self.start + np.arange(count + 1) * self.step, dtype=np.float64)

    def middles(self, count: int) -> NDArray[np.float64]:
        """The middles of the first `count` cells."""
        return np.asarray(self.start + (np.arange(count) + 0.5) * self.step, dtype=np.float64)

    def index(self, time: float) -> int:
        """Cell that holds `time`; negative before the grid begins."""
        return math.floor((time - self.start) / self.step + _EPSILON)

    def indices(self, times: ArrayLike) -> NDArray[np.intp]:
        """Cells that hold the times, shape (n,)."""
        return np.floor((np.asarray(times) - self.start) / self.step + _EPSILON).astype(np.intp)

    def nearest_edge(self, time: float) -> int:
        """Index of the edge nearest to `time`."""
        return math.floor((time - self.start) / self.step + 0.5 + _EPSILON)

    def count(self, seconds: float) -> int:
        """Cells nearest in length to `seconds`."""
        return math.floor(seconds / self.step + 0.5 + _EPSILON)

    def within(self, start: float, end: float, count: int, least: int = 0) -> slice:
        """Return the cells between the edges nearest to two times, of the first `count`.

        They are `least` or more, if there are so many.
        """
        last = min(max(self.nearest_edge(end), least), count)
        first = max(min(self.nearest_edge(start), last - least), 0)
        return slice(first, max(last, min(first + least, count)))

    def mask(self, timeline: Timeline, count: int) -> NDArray[np.bool_]:
        """Tell for the first `count` cells whether their middle lies in the timeline, shape (count,)."""
        return timeline.covers(self.middles(count))

    def timeline(self, mask: ArrayLike) -> Timeline:
        """Runs of true cells, mask of shape (cells,), as a timeline; what lies before zero is cut off."""
        active = np.asarray(mask, dtype=bool)
        if active.ndim != 1:
            raise ValueError(f"a mask needs shape (cells,); got {active.shape}")
        steps = np.diff(np.r_[False, active, False].astype(np.int8))
        begins, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
        bounds = self.start + np.stack([begins, ends], axis=1) * self.step
        bounds = np.maximum(bounds, 0.0)
        return Timeline.from_bounds(bounds[bounds[:, 0] < bounds[:, 1]])


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Scores on a grid: `scores` has shape (frames, columns), usually one column a speaker, in [0, 1]."""

    scores: NDArray[np.float32]
    grid: Grid

    def __post_init__(self) -> None:
        if self.scores.ndim != 2:
            raise ValueError(f"frames need scores of shape (frames, columns); got {self.scores.shape}")

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def extent(self) -> Segment | None:
        """Time spanned by all frames; None when there is none after zero."""
        start, end = max(self.grid.start, 0.0), self.grid.edge(len(self))
        return Segment(start, end) if start < end else None

    def crop(self, within: Segment) -> Frames:
        """Keep the frames from the one that holds `within.start` to the edge nearest to `within.end`."""
        first = max(self.grid.index(within.start), 0)
        last = min(max(self.grid.nearest_edge(within.end), first), len(self))
        return Frames(self.scores[first:last], Grid(self.grid.step, self.grid.edge(first)))
