"""`Telephone`: whether a voice was heard over a telephone, told from its voiceprint.

A voiceprint keeps something of the channel. Two voices from the telephone come out more alike than they are,
and one from the telephone less like itself in the clear; who knows which it is can calibrate for it. Logistic
regression of the vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tertulia.identity.calibration import logistic_regression

__all__ = ["Telephone"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Telephone:
    """Probability of the telephone, when it is as likely as not beforehand.

    Args:
        weights: of the dimensions of a voiceprint, (dim,).
        offset: what is added.
    """

    weights: Array
    offset: float

    def __call__(self, voices: Array) -> Array:
        """Tell of each voice (voices, dim) how probably it is from a telephone, (voices,)."""
        return np.asarray(1 / (1 + np.exp(-(np.asarray(voices, np.float64) @ self.weights + self.offset))))

    @classmethod
    def fit(cls, voices: Array, telephone: ArrayLike, ridge: float) -> Self:
        """Fit to voices (voices, dim), of which it is known; both kinds weigh the same."""
        truth = np.asarray(telephone, bool)
        weights = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum())
        terms = np.concatenate([voices, np.ones((len(voices), 1))], axis=1)
        found = logistic_regression(terms, truth, weights, ridge)
        return cls(found[:-1], float(found[-1]))
