"""The scored time of a recording, cut wherever anything changes: what all duration metrics look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tertulia.evaluation.protocol import Protocol
from tertulia.timeline import Diarization, Timeline

__all__ = ["Partition", "partition"]

# Collar arithmetic leaves slivers of a rounding error's length. Nothing real is this short, and counting them
# would make a speaker who is wholly inside collars appear.
_SHORTEST = 1e-6

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """Scored intervals in which the set of speakers is constant on both sides.

    `reference` and `hypothesis` are sparse (CSR) matrices of ones, shape (speakers, intervals), so that
    memory follows the number of turns, not turns × speakers.
    """

    durations: FloatArray
    """Seconds, shape (intervals,)."""
    reference: Any
    hypothesis: Any
    reference_speakers: tuple[str, ...]
    hypothesis_speakers: tuple[str, ...]

    def shared(self) -> FloatArray:
        """Seconds each pair speaks at the same time, shape (reference speakers, hypothesis speakers)."""
        weighted = self.reference.multiply(self.durations).tocsr()
        return np.asarray((weighted @ self.hypothesis.T).toarray(), dtype=np.float64)

    def speech(self, activity: Any) -> FloatArray:
        """Scored seconds of each speaker of one side, shape (speakers,)."""
        return np.asarray(activity @ self.durations, dtype=np.float64)

    def active(self, activity: Any) -> IntArray:
        """Number of speakers of one side in each interval, shape (intervals,)."""
        return np.bincount(activity.indices, minlength=len(self.durations))

    def seconds(self, weights: NDArray[Any]) -> float:
        """Integrate a weight, shape (intervals,), over the scored time."""
        return float(self.durations @ weights)


def partition(
    reference: Diarization, hypothesis: Diarization, uem: Timeline | None, protocol: Protocol
) -> Partition:
    """Cut the scored time at every boundary of either side and of the scored region."""
    region = protocol.region(reference, hypothesis, uem)
    sides = [timeline.bounds.ravel() for side in (reference, hypothesis) for _, timeline in side.items()]
    cuts = np.unique(np.concatenate([*sides, region.bounds.ravel(), [0.0]]))
    rows = [_activity(side, cuts) for side in (reference, hypothesis)]
    durations = np.diff(cuts)
    kept = region.covers(cuts[:-1]) & (durations >= _SHORTEST)
    if protocol.skip_overlap:
        kept &= np.bincount(rows[0].indices, minlength=len(durations)) < 2
    chosen = np.flatnonzero(kept)
    return Partition(
        durations[chosen],
        rows[0][:, chosen],
        rows[1][:, chosen],
        reference.speakers,
        hypothesis.speakers,
    )


def _activity(diarization: Diarization, cuts: FloatArray) -> Any:
    """Return who is active between the cuts (n + 1,), as CSR (speakers, n)."""
    from scipy.sparse import csr_array

    timelines = [timeline.bounds for _, timeline in diarization.items()]
    bounds = np.concatenate([*timelines, np.empty((0, 2))])
    first, last = np.searchsorted(cuts, bounds[:, 0]), np.searchsorted(cuts, bounds[:, 1])
    filled = np.r_[0, np.cumsum(last - first)]
    indices = np.arange(filled[-1]) + np.repeat(first - filled[:-1], last - first)
    turns = np.cumsum([0, *map(len, timelines)])
    shape = (len(timelines), len(cuts) - 1)
    return csr_array((np.ones(len(indices)), indices, filled[turns]), shape=shape)
