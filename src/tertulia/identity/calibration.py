"""Calibration: from a score to a log-likelihood ratio, knowing how much speech and which channels it is of.

Linear logistic regression, N. Brümmer and J. du Preez, "Application-independent evaluation of speaker
detection" (Computer Speech & Language 20, 2006), with duration as a quality measure that moves both offset
and slope, after M. I. Mandasari et al., "Quality measure functions for calibration of speaker recognition
systems in various duration conditions" (IEEE Transactions on Audio, Speech and Language Processing 21, 2013).
Whether a side comes from a telephone is another such measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tertulia.errors import InputError

__all__ = ["LONGEST", "SHORTEST", "Calibration", "OperatingPoints", "logistic_regression", "qualities"]

Array = NDArray[np.float64]

SHORTEST, LONGEST = 1.0, 20.0
"""Seconds of speech, in which range calibration has been seen to hold."""
_RIDGE = 1e-6  # holds the coefficients finite where the classes can be told apart without error


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Coefficients of

        llr = w₀ + w₁·s + w₂·q + w₃·s·q + w₄·b + w₅·o

    with q, b and o the qualities of a comparison (`qualities`). The natural logarithm is used throughout.

    Args:
        coefficients: (6,), or (4,) where nothing is known of telephones.

    Raises:
        ValueError: when a higher score would not always mean a higher ratio.
    """

    coefficients: Array

    def __post_init__(self) -> None:
        if len(self.coefficients) not in (4, 6):
            raise ValueError(f"calibration has 4 coefficients or 6; got {len(self.coefficients)}")
        at_all, more = self.coefficients[1], self.coefficients[3]
        if min(at_all + more * np.log(seconds) for seconds in (SHORTEST, LONGEST)) <= 0:
            raise ValueError(f"the ratio has to rise with the score; got coefficients {self.coefficients}")

    def __call__(
        self,
        scores: ArrayLike,
        one: ArrayLike,
        other: ArrayLike,
        telephone: tuple[ArrayLike, ArrayLike] = (0.0, 0.0),
    ) -> Array:
        """Return log-likelihood ratios.

        Args:
            scores: of any shape.
            one, other, telephone: as those of `qualities`, of shapes that broadcast to that of the scores.
        """
        terms = _terms(scores, qualities(one, other, telephone))
        return np.asarray(terms[..., : len(self.coefficients)] @ self.coefficients)

    @classmethod
    def fit(
        cls,
        scores: ArrayLike,
        targets: ArrayLike,
        one: ArrayLike,
        other: ArrayLike,
        telephone: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> Self:
        """Fit to trials, shape (trials,) each; targets and non-targets weigh the same in all.

        Without a telephone there are 4 coefficients, with it 6.

        Raises:
            InputError: when there are not both.
            ValueError: when no rising line fits.
        """
        truth = np.asarray(targets, dtype=bool)
        if truth.all() or not truth.any():
            raise InputError(f"calibration needs targets and others; got {truth.sum()} of {truth.size}")
        weights = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum())
        terms = _terms(scores, qualities(one, other, telephone or (0.0, 0.0)))
        return cls(logistic_regression(terms if telephone else terms[:, :4], truth, weights))


@dataclass(frozen=True, slots=True, eq=False)
class OperatingPoints:
    """How often two different people score a ratio or more: measured, and beyond what was measured a bound.

    For calibrated ratios the density of non-targets is that of targets times e^(−llr), so beyond any point
    non-targets die out at least as e^(−llr). That bound goes on from the smallest rate that was measured.

    Args:
        rates: of false accepts, falling, (points,).
        ratios: llr at which each is reached, rising, (points,).
    """

    rates: Array
    ratios: Array

    def threshold(self, false_accept: float) -> float:
        """Llr from which to accept so that no more than this share of non-targets are accepted."""
        logs = np.log(self.rates)
        beyond = max(0.0, float(logs[-1] - np.log(false_accept)))
        return float(np.interp(-np.log(false_accept), -logs, self.ratios)) + beyond

    @classmethod
    def measure(cls, lists: list[Array], rates: ArrayLike) -> Self:
        """Take the worst of several lists of non-target ratios at each rate, for instance one a duration."""
        wanted = np.sort(np.asarray(rates, np.float64))[::-1]
        ratios = np.max([np.quantile(each, 1 - wanted, method="higher") for each in lists], axis=0)
        return cls(wanted, ratios)


def qualities(one: ArrayLike, other: ArrayLike, telephone: tuple[ArrayLike, ArrayLike] = (0.0, 0.0)) -> Array:
    """Return what is known of a comparison besides its score, (…, 3).

    q, the logarithm of the harmonic mean of the seconds, each taken as 1 to 20; b, how much both sides come
    from a telephone, p₁·p₂; o, how much only one does, |p₁ − p₂|.

    Args:
        one: seconds of speech on one side.
        other: … on the other side, of a shape that broadcasts.
        telephone: probabilities that either comes from a telephone.
    """
    pace = sum(1 / np.clip(np.asarray(side, np.float64), SHORTEST, LONGEST) for side in (one, other))
    first, second = (np.asarray(side, np.float64) for side in telephone)
    return np.stack(np.broadcast_arrays(np.log(2 / pace), first * second, np.abs(first - second)), axis=-1)


def _terms(scores: ArrayLike, quality: Array) -> Array:
    """Terms of the sum, (…, 6)."""
    values, pace, both, one = np.broadcast_arrays(
        np.asarray(scores, dtype=np.float64), *np.moveaxis(quality, -1, 0)
    )
    return np.stack([np.ones_like(values), values, pace, values * pace, both, one], axis=-1)


def logistic_regression(
    terms: Array, truth: NDArray[np.bool_], weights: Array, ridge: float = _RIDGE
) -> Array:
    """Minimise the cross-entropy of weighted trials, with a ridge on scaled terms; (trials, k) → (k,)."""
    from scipy.optimize import minimize

    scale = np.maximum(np.sqrt(weights @ terms**2), 1e-12)  # without a duration that differs, a term is zero
    signed = np.where(truth, 1.0, -1.0)[:, None] * terms / scale

    def cost(coefficients: Array) -> tuple[float, Array]:
        margins = signed @ coefficients
        slopes = -weights * np.exp(-np.logaddexp(0, margins))
        pull = ridge * coefficients
        return float(weights @ np.logaddexp(0, -margins) + pull @ coefficients / 2), signed.T @ slopes + pull

    found = minimize(cost, np.zeros(terms.shape[1]), jac=True, method="BFGS")
    return np.asarray(found.x / scale)
