"""What systems that compare stretches of speech share: silence, boundaries, segments, clusters.

The speech of a recording is put together without its pauses. Boundaries are where two windows side by side
differ most, and where a pause was long; what lies between is a segment, and segments are clustered by the
same distance. Read `Compared.__call__` first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tertulia.chains.recording import Found, Stage
from tertulia.clustering.distances import cluster_by_distance
from tertulia.embedding.siamese import summed
from tertulia.featurefiles import Features
from tertulia.frames import Grid
from tertulia.segmentation.changes import Curve
from tertulia.speakers import Speakers

__all__ = ["Compared", "Heard", "heard_cells"]

Array = NDArray[np.float64]
Labels = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Heard:
    """The speech of a recording in cells, pauses left out.

    Attributes:
        where: number of each cell in the recording, (cells,).
        total: sums of what a stretch is compared by, over the first 0, 1, 2 … cells, (cells + 1, columns).
        step: seconds in a cell.
    """

    where: NDArray[np.intp]
    total: Array
    step: float

    def __len__(self) -> int:
        return len(self.where)

    def sums(self, first: NDArray[np.intp], last: NDArray[np.intp]) -> Array:
        """Sums over the cells from `first` on to before `last`, (stretches,) each → (stretches, columns)."""
        return self.total[last] - self.total[first]


@dataclass(frozen=True)
class Compared(ABC):
    """Segments of one speaker each, and which of them are one person.

    Args:
        width: seconds of each of the two windows that look for boundaries.
        change: distance of them above which a maximum is a boundary.
        apart: seconds between two boundaries at least.
        pause: seconds of silence after which a segment ends in any case.
        threshold: mean distance up to which segments are one person's.
        least: seconds of a segment that makes clusters; shorter ones join.
        smallest: share of all speech that somebody has.
    """

    width: float = 1.5
    change: float = 0.5
    apart: float = 1.0
    pause: float = 0.4
    threshold: float = 0.5
    least: float = 1.0
    smallest: float = 0.02

    def __post_init__(self) -> None:
        lengths = (self.width, self.apart, self.pause)
        if not (min(lengths) > 0 and self.least >= 0 and 0 <= self.smallest < 1):
            raise ValueError(
                "width, apart and pause are above zero, least goes from zero, smallest is a share in [0, 1)"
            )

    def __call__(self, features: Features, speakers: Speakers, stage: Stage) -> Found:
        """Find the speakers; see `Chain`."""
        heard = self.heard(features)
        stage(0.4)
        bounds = self.segments(heard)  # (segments, 2), cells
        table = self.table(heard, bounds)  # (segments, segments)
        stage(0.7)
        seconds = np.asarray((bounds[:, 1] - bounds[:, 0]) * heard.step)  # (segments,)
        labels = cluster_by_distance(
            table,
            seconds,
            self.threshold,
            speakers,
            least=self.least,
            smallest=self.smallest * seconds.sum(),
        )
        cells = np.repeat(labels, bounds[:, 1] - bounds[:, 0])  # (cells,)
        stage(0.9)
        everywhere = np.full(heard.where.max(initial=-1) + 1, -1, dtype=np.intp)
        everywhere[heard.where] = self.refined(heard, cells)
        turns = [Grid(heard.step).timeline(everywhere == k) for k in range(labels.max(initial=-1) + 1)]
        stage(1.0)
        return Found(turns)

    def changes(self, heard: Heard) -> NDArray[np.intp]:
        """Cells before which the speaker changes, (changes,)."""
        span = max(1, round(self.width / heard.step))
        at = np.arange(span, len(heard) - span + 1)
        if not len(at):
            return np.empty(0, dtype=np.intp)
        values = self.distances(heard.sums(at - span, at), heard.sums(at, at + span))
        found = Curve(np.asarray(at * heard.step), values).maxima(self.change, self.apart)
        return np.rint(found / heard.step).astype(np.intp)

    def segments(self, heard: Heard) -> NDArray[np.intp]:
        """First cell of each segment and the one after its last, (segments, 2)."""
        silent = np.flatnonzero(np.diff(heard.where) > self.pause / heard.step) + 1
        edges = np.unique(np.concatenate([[0, len(heard)], silent, self.changes(heard)]).astype(np.intp))
        return np.stack([edges[:-1], edges[1:]], axis=1)

    # ── how stretches are compared ───────────────────────────────────────────────────────────────────

    @abstractmethod
    def heard(self, features: Features) -> Heard:
        """Find speech, and sum over cells what it is compared by."""

    @abstractmethod
    def distances(self, one: Array, other: Array) -> Array:
        """Distances of stretches row by row, sums (stretches, columns) each → (stretches,)."""

    @abstractmethod
    def table(self, heard: Heard, bounds: NDArray[np.intp]) -> Array:
        """Distances of every two segments, bounds (segments, 2) in cells → (segments, segments)."""

    def refined(self, heard: Heard, labels: Labels) -> Labels:  # noqa: ARG002 — for those that know better
        """Speaker of each cell once all are known, (cells,) → (cells,)."""
        return labels


def heard_cells(values: NDArray[np.floating], speech: NDArray[np.bool_], per_cell: int, step: float) -> Heard:
    """Sum frames (frames, columns) over cells of so many; keep the cells that are mostly speech (frames,)."""
    edges = np.arange(0, len(values) + per_cell, per_cell).clip(max=len(values))
    shares = np.diff(summed(speech[:, None].astype(float))[edges][:, 0])
    kept = np.flatnonzero(shares * 2 > np.diff(edges))
    cells = np.diff(summed(values)[edges], axis=0)[kept]
    return Heard(kept, summed(cells), step * per_cell)
