"""`Thresholds`: which ratio to ask for, so that no more than a share of strangers is accepted.

Ratios of two different people spread the wider, and lie the lower, the more is heard of both: a threshold
that holds for a second and a half of speech is far too strict for ten. So the threshold depends on the same
qualities of a comparison as calibration does; whatever these are, ratios are distributed alike, but moved and
stretched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tertulia.errors import UsageError
from tertulia.identity.calibration import LONGEST, SHORTEST, qualities

__all__ = ["Thresholds", "rate_of_each"]

Array = NDArray[np.float64]

_ROUNDS = 50
_FEWEST = 5  # people accepted by mistake: from fewer, a rate is not measured


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds:
    """With q, b, o the qualities of a comparison (`calibration.qualities`), and z the level of a rate:

        threshold = l · (1, q, q², b, o) + z · s · (1, q, b, o)

    Levels are interpolated on the logarithm of the rate, and go on beyond the last as they did before it.

    Args:
        rates: of false accepts, falling, (points,), two or more.
        levels: z of each, rising, (points,).
        location: l, (5,).
        scale: s, (4,).

    Raises:
        ValueError: when a lower rate would not always mean a higher threshold.
    """

    rates: Array
    levels: Array
    location: Array
    scale: Array

    def __post_init__(self) -> None:
        if len(self.rates) < 2 or (np.diff(self.rates) >= 0).any() or (np.diff(self.levels) <= 0).any():
            raise ValueError("two rates or more, which fall, have levels, which rise")
        corners = [[1, np.log(q), *band] for q in (SHORTEST, LONGEST) for band in ((0, 0), (1, 0), (0, 1))]
        if (np.array(corners) @ self.scale).min() <= 0:
            raise ValueError(f"ratios spread by more than nothing everywhere; got the scale {self.scale}")

    def __call__(
        self,
        false_accept: float,
        one: ArrayLike,
        other: ArrayLike,
        telephone: tuple[ArrayLike, ArrayLike] = (0.0, 0.0),
    ) -> Array:
        """Llr from which to accept, so that this share of two different people are.

        Args:
            false_accept: the share, above 0.
            one, other, telephone: as those of `calibration.qualities`.
        """
        place, spread = _terms(qualities(one, other, telephone))
        return np.asarray(place @ self.location + (spread @ self.scale) * self._level(false_accept))

    def _level(self, false_accept: float) -> float:
        logs = -np.log(self.rates)
        slope = (self.levels[-1] - self.levels[-2]) / (logs[-1] - logs[-2])
        beyond = max(0.0, -math.log(false_accept) - float(logs[-1]))
        return float(np.interp(-math.log(false_accept), logs, self.levels) + slope * beyond)

    @classmethod
    def bound(cls) -> Self:
        """What holds of all calibrated ratios: no more than e^(−t) of non-targets reach t."""
        logs = np.array([0.0, 1.0])
        return cls(np.exp(-logs), logs, np.zeros(5), np.array([1.0, 0.0, 0.0, 0.0]))

    @classmethod
    def fit(cls, ratios: Sequence[Array], quality: Array, rates: ArrayLike) -> Self:
        """Fit to the ratios of different people, in lists each of which was made under one condition.

        Alternating least squares on the quantiles of the lists. A quantile counts by the number of ratios
        beyond it, and not at all where there are fewer than five.

        Args:
            ratios: (trials,) of each list.
            quality: mean qualities of each list, (lists, 3).
            rates: at which to measure.
        """
        wanted = np.sort(np.asarray(rates, np.float64))[::-1]
        quantiles = np.stack([np.quantile(each, 1 - wanted) for each in ratios])  # (lists, rates)
        beyond = np.array([len(each) for each in ratios])[:, None] * wanted
        weights = np.sqrt(np.where(beyond >= _FEWEST, beyond, 0))
        place, spread = _terms(quality)
        levels = np.average(quantiles, axis=0, weights=weights**2)
        for _ in range(_ROUNDS):
            levels = (levels - levels[0]) / (levels[-1] - levels[0])
            columns = np.concatenate(
                [
                    np.repeat(place[:, None], len(wanted), axis=1),
                    spread[:, None] * levels[:, None],
                ],
                axis=2,
            )  # (lists, rates, 9)
            found = np.linalg.lstsq(
                (columns * weights[..., None]).reshape(-1, columns.shape[2]), (quantiles * weights).ravel()
            )[0]
            location, scale = found[: place.shape[1]], found[place.shape[1] :]
            centre, width = (place @ location)[:, None], (spread @ scale)[:, None]
            counts = width * weights**2
            levels = ((quantiles - centre) * counts).sum(axis=0) / (width * counts).sum(axis=0)
        return cls(wanted, levels, location, scale)


def rate_of_each(false_accept: float, gallery: int) -> float:
    """Share of strangers that each of several people may be taken for, so that this share gets any name.

    A stranger has as many chances as there are people; with f for all of them, each has 1 − (1 − f)^(1 / n)
    (Šidák), which is exact for independent scores and strict for others.

    Raises:
        UsageError: for a rate that does not lie between 0 and 1, or nobody to compare with.
    """
    if not 0 < false_accept < 1:
        raise UsageError(f"a rate of false accepts lies between 0 and 1; got {false_accept}")
    if gallery < 1:
        raise UsageError(f"a gallery holds one person or more; got {gallery}")
    return -math.expm1(math.log1p(-false_accept) / gallery)


def _terms(quality: Array) -> tuple[Array, Array]:
    """Terms of location (…, 5) and scale (…, 4)."""
    pace, both, one = np.moveaxis(quality, -1, 0)
    ones = np.ones_like(pace)
    return np.stack([ones, pace, pace**2, both, one], axis=-1), np.stack([ones, pace, both, one], axis=-1)
