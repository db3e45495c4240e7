"""`Cohort`: other people's voices, against which a score says more than by itself.

A cosine of 0.4 is a lot for two voices that are unlike everybody else's, and little for two that sound like
many people. Adaptive symmetric normalisation measures each side against the part of a cohort that is nearest
to it: P. Matějka et al., "Analysis of score normalization in multilingual speaker recognition" (Interspeech
2017), there called adaptive s-norm, selection by each side for itself.

Two things are not as there. Scores are not divided by the cohort's deviation: that of a handful of averages
says little, and dividing by it made several times as many errors as it mended (docs/experiments.md). And of
the mean only a share is taken off, because averages of people are nearer to anybody than one person is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cohort"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Voices of the cohort, each the mean of several people.

    Args:
        vectors: (cohort, dim), of length 1.
        top: how many of them, the nearest to a voice, that voice is measured against.
        share: of the mean score with these that is taken off, 0 to 1.

    Raises:
        ValueError: when there is nobody to be measured against, or not that many, or for another share.
    """

    vectors: Array
    top: int
    share: float

    def __post_init__(self) -> None:
        if not 1 <= self.top <= len(self.vectors):
            raise ValueError(f"top lies between 1 and the {len(self.vectors)} of the cohort; got {self.top}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"a share lies between 0 and 1; got {self.share}")

    def means(self, voices: Array) -> Array:
        """Mean cosine of each voice (voices, dim), of length 1, with the nearest of the cohort, (voices,)."""
        cosines = np.asarray(voices, np.float64) @ self.vectors.T  # (voices, cohort)
        return np.asarray(np.partition(cosines, -self.top, axis=1)[:, -self.top :].mean(axis=1))

    def normalised(self, cosines: Array, one: Array, other: Array) -> Array:
        """Normalise scores of every pair, symmetrically: s′ = s − share · (μ₁ + μ₂) / 2.

        Args:
            cosines: (ones, others).
            one: voices (ones, dim).
            other: voices (others, dim).

        Returns:
            (ones, others).
        """
        return np.asarray(cosines - self.share * (self.means(one)[:, None] + self.means(other)) / 2)
