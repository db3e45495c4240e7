"""`Cohort`: other people's voices, against which a score says more than by itself.

A cosine of 0.4 is a lot for two voices that are unlike everybody else's, and little for two that sound like
many people. Adaptive symmetric normalisation measures each side against the part of a cohort that is nearest
to it: P. Matějka et al., "Analysis of score normalization in multilingual speaker recognition" (Interspeech
2017), there called adaptive s-norm, selection by each side for itself.
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

    Raises:
        ValueError: when there are fewer than two to be measured against, or not that many.
    """

    vectors: Array
    top: int

    def __post_init__(self) -> None:
        if not 2 <= self.top <= len(self.vectors):
            raise ValueError(f"top lies between 2 and the {len(self.vectors)} of the cohort; got {self.top}")

    def statistics(self, voices: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the cosines with the nearest of the cohort.

        Args:
            voices: (voices, dim), of length 1.

        Returns:
            Two arrays (voices,).
        """
        cosines = np.asarray(voices, np.float64) @ self.vectors.T  # (voices, cohort)
        nearest = np.partition(cosines, -self.top, axis=1)[:, -self.top :]
        return nearest.mean(axis=1), np.maximum(nearest.std(axis=1), 1e-6)

    def normalised(self, cosines: Array, one: Array, other: Array) -> Array:
        """Normalise scores of every pair, symmetrically.

            s′ = ½ ((s − μ₁) / σ₁ + (s − μ₂) / σ₂)

        Args:
            cosines: (ones, others).
            one: voices (ones, dim).
            other: voices (others, dim).

        Returns:
            (ones, others), in standard deviations of the cohort's scores.
        """
        mean_one, deviation_one = (each[:, None] for each in self.statistics(one))
        mean_other, deviation_other = (each[None, :] for each in self.statistics(other))
        return np.asarray(
            ((cosines - mean_one) / deviation_one + (cosines - mean_other) / deviation_other) / 2
        )
