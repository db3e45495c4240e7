"""Change points: are the instants found at which somebody starts or stops speaking?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tertulia.errors import UsageError
from tertulia.evaluation.protocol import Score
from tertulia.timeline import Diarization, Timeline

__all__ = ["DEFAULT_TOLERANCE", "ChangePoints", "change_point_score", "change_points", "match_changes"]

DEFAULT_TOLERANCE = 0.25
"""Seconds; as wide as the usual collar."""

# Times are compared to the microsecond, so that 1.2 and 0.3 × 4 are one instant.
_DECIMALS = 6


@dataclass(frozen=True, kw_only=True)
class ChangePoints(Score):
    """Counts of change points: in the reference, in the hypothesis, and matched one-to-one."""

    CONDITIONS: ClassVar[tuple[str, ...]] = ("tolerance",)

    tolerance: float = DEFAULT_TOLERANCE
    reference: int = 0
    hypothesis: int = 0
    matched: int = 0

    @property
    def precision(self) -> float:
        """Share of the hypothesis' points that are right; 1 when it has none."""
        return self.matched / self.hypothesis if self.hypothesis else 1.0

    @property
    def recall(self) -> float:
        """Share of the reference's points that are found; 1 when it has none."""
        return self.matched / self.reference if self.reference else 1.0

    @property
    def f1(self) -> float:
        """2 · matched / (reference + hypothesis); 1 when neither has any."""
        points = self.reference + self.hypothesis
        return 2 * self.matched / points if points else 1.0


def change_points(diarization: Diarization, uem: Timeline | None = None) -> NDArray[np.float64]:
    """Return the starts and ends of all turns, sorted, each instant once, shape (n,).

    With a UEM only those inside it (its edges included) are kept; cutting at its edges makes no new ones.
    """
    bounds = [timeline.bounds.ravel() for _, timeline in diarization.items()]
    times = np.unique(np.round(np.concatenate([*bounds, np.empty(0)]), _DECIMALS))
    if uem is None:
        return times
    scored = np.round(uem.bounds, _DECIMALS)
    return times[np.searchsorted(scored[:, 0], times, "right") > np.searchsorted(scored[:, 1], times, "left")]


def change_point_score(
    reference: Diarization,
    hypothesis: Diarization,
    *,
    uem: Timeline | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
) -> ChangePoints:
    """Match the change points of one recording, see `match_changes`."""
    return match_changes(change_points(reference, uem), change_points(hypothesis, uem), tolerance=tolerance)


def match_changes(
    reference: ArrayLike, hypothesis: ArrayLike, *, tolerance: float = DEFAULT_TOLERANCE
) -> ChangePoints:
    """Match as many instants as possible one-to-one, at most `tolerance` seconds apart.

    Of points on a line with one tolerance, pairing the earliest that are left is a maximum matching.
    pyannote.metrics pairs the nearest first, which can leave a point without the partner it could have had.

    Args:
        reference: instants in seconds, shape (n,), in any order.
        hypothesis: instants in seconds, shape (m,).
        tolerance: largest distance, itself allowed.

    Raises:
        UsageError: when the tolerance is negative or a time is not finite.
    """
    if not tolerance >= 0:
        raise UsageError(f"a tolerance needs a number of seconds ≥ 0; got {tolerance}")
    left, right = (_sorted(times) for times in (reference, hypothesis))
    limit = tolerance + 0.5 * 10**-_DECIMALS
    i = j = matched = 0
    while i < len(left) and j < len(right):
        distance = right[j] - left[i]
        if abs(distance) <= limit:
            i, j, matched = i + 1, j + 1, matched + 1
        elif distance > 0:
            i += 1
        else:
            j += 1
    return ChangePoints(tolerance=tolerance, reference=len(left), hypothesis=len(right), matched=matched)


def _sorted(times: ArrayLike) -> list[float]:
    array = np.asarray(times, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise UsageError(f"change points need finite times of shape (n,); got {array.tolist()!s:.80}")
    return [float(time) for time in np.sort(array)]
