"""Trials: a score for "same speaker", and the truth. EER, minDCF, AUC, Cllr, and decisions at a threshold.

Everywhere `scores` has shape (trials,), higher meaning more alike, and `labels`, of the same shape, is true
for targets. A trial is accepted when its score is at or above the threshold. Rates of several lists of trials
are those of the lists put together: concatenate the scores, or add `Decisions`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tertulia.errors import InputError, UsageError
from tertulia.evaluation.protocol import Score

__all__ = ["Decisions", "auc", "cllr", "decisions", "det_curve", "equal_error_rate", "min_dcf"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Decisions(Score):
    """Counts of trials accepted and rejected, rightly and wrongly, at one threshold."""

    CONDITIONS: ClassVar[tuple[str, ...]] = ("threshold",)

    threshold: float
    true_accept: int = 0
    false_accept: int = 0
    true_reject: int = 0
    false_reject: int = 0

    @property
    def accuracy(self) -> float:
        """Share of right decisions; 1 for no trials."""
        right = self.true_accept + self.true_reject
        return _share(right, right + self.false_accept + self.false_reject)

    @property
    def precision(self) -> float:
        """Share of targets among the accepted; 1 when none is accepted."""
        return _share(self.true_accept, self.true_accept + self.false_accept)

    @property
    def recall(self) -> float:
        """Share of the targets that are accepted; 1 when there are none."""
        return _share(self.true_accept, self.true_accept + self.false_reject)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 when nothing is accepted nor should be."""
        return _share(2 * self.true_accept, 2 * self.true_accept + self.false_accept + self.false_reject)


def decisions(scores: ArrayLike, labels: ArrayLike, threshold: float) -> Decisions:
    """Accept every trial at or above `threshold` and count."""
    values, targets = _trials(scores, labels)
    accepted = values >= threshold
    return Decisions(
        threshold=threshold,
        true_accept=int((accepted & targets).sum()),
        false_accept=int((accepted & ~targets).sum()),
        true_reject=int((~accepted & ~targets).sum()),
        false_reject=int((~accepted & targets).sum()),
    )


def det_curve(scores: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return thresholds, miss rates and false-alarm rates, shape (points,) each.

    The thresholds are the distinct scores rising, and at last infinity, which rejects everything.
    """
    values, targets = _two_classes(scores, labels)
    thresholds, at = np.unique(values, return_inverse=True)
    hits = np.bincount(at, weights=targets)
    alarms = np.bincount(at, weights=~targets)
    miss = np.r_[0.0, np.cumsum(hits)] / hits.sum()
    false_alarm = np.r_[np.cumsum(alarms[::-1])[::-1], 0.0] / alarms.sum()
    return np.r_[thresholds, np.inf], miss, false_alarm


def equal_error_rate(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the rate at which misses equal false alarms, on straight lines between points of the curve."""
    _, miss, false_alarm = det_curve(scores, labels)
    after = int(np.argmax(miss >= false_alarm))
    # The curve begins at miss 0 and false alarm 1, so `after` is at least 1.
    gap, gap_before = miss[after] - false_alarm[after], false_alarm[after - 1] - miss[after - 1]
    part = gap_before / (gap + gap_before)
    return float(miss[after - 1] + part * (miss[after] - miss[after - 1]))


def min_dcf(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    p_target: float = 0.01,
    c_miss: float = 1.0,
    c_fa: float = 1.0,
) -> float:
    """Return the smallest detection cost over all thresholds, over that of the better blind decision.

    The normalised cost of the NIST speaker recognition evaluations:
    c_miss · P_miss · p_target + c_fa · P_fa · (1 − p_target), divided by
    min(c_miss · p_target, c_fa · (1 − p_target)). At most 1.
    """
    if not (0 < p_target < 1 and 0 < c_miss < math.inf and 0 < c_fa < math.inf):
        raise UsageError(
            f"a cost needs 0 < p_target < 1 and finite costs > 0; got {p_target}, {c_miss} and {c_fa}"
        )
    _, miss, false_alarm = det_curve(scores, labels)
    of_miss, of_alarm = c_miss * p_target, c_fa * (1 - p_target)
    return float((of_miss * miss + of_alarm * false_alarm).min() / min(of_miss, of_alarm))


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the area under the ROC curve: how often a target scores above a non-target, ties half."""
    _, miss, false_alarm = det_curve(scores, labels)
    hit = 1 - miss
    return float(((hit[1:] + hit[:-1]) / 2 * -np.diff(false_alarm)).sum())


def cllr(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the cost of log-likelihood ratios (natural logarithm) in bits (Brümmer & du Preez 2006).

    0 is perfect, 1 what a system costs that knows nothing and says so (score 0), more is misleading.
    """
    values, targets = _two_classes(scores, labels)
    cost_of_targets = np.logaddexp(0.0, -values[targets]).mean()
    cost_of_others = np.logaddexp(0.0, values[~targets]).mean()
    return float((cost_of_targets + cost_of_others) / 2 / math.log(2))


def _trials(scores: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return scores and labels checked, shape (trials,) each."""
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if values.ndim != 1 or values.shape != truth.shape:
        raise UsageError(
            f"trials need scores and labels of one shape (trials,); got {values.shape} and {truth.shape}"
        )
    if np.isnan(values).any():
        raise InputError("trials need numbers as scores; got NaN")
    if not np.isin(truth, (0, 1)).all():
        raise InputError(f"labels are true or false, 1 or 0; got {sorted(set(truth.tolist()), key=str)[:5]}")
    return values, truth.astype(bool)


def _two_classes(scores: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_]]:
    values, targets = _trials(scores, labels)
    if targets.all() or not targets.any():
        found = f"{int(targets.sum())} of {len(targets)} trials are targets"
        raise InputError(f"this needs targets and non-targets; {found}")
    return values, targets


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
