"""`Compensation`: a space in which what one person varies in counts for less.

Within-class covariance normalisation: A. O. Hatch, S. Kajarekar and A. Stolcke, "Within-class covariance
normalization for SVM-based speaker recognition" (Interspeech 2006), there for support vector machines, here
before the cosine, as in N. Dehak et al., "Front-end factor analysis for speaker verification" (IEEE
Transactions on Audio, Speech and Language Processing 19, 2011). With few speakers the covariance is smoothed
towards a multiple of the identity, which would leave every cosine as it is. What a person varies in and what
recordings vary in may be learned from different people: their covariances are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tertulia.errors import InputError

__all__ = ["Compensation"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Compensation:
    """A linear map of voices.

    Args:
        matrix: (dim, dim), symmetric.

    Raises:
        ValueError: for a matrix that is not square.
    """

    matrix: Array

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.matrix.shape[0] != self.matrix.shape[1]:
            raise ValueError(f"compensation needs a square matrix; got {self.matrix.shape}")

    def __call__(self, voices: Array) -> Array:
        """Map voices (voices, dim) and bring them to length 1."""
        mapped = np.asarray(voices, np.float64) @ self.matrix
        return np.asarray(mapped / np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), 1e-12))

    @classmethod
    def fit(cls, sets: Sequence[tuple[Array, ArrayLike]], smoothing: float) -> Self:
        """Estimate from several voices of each of several speakers.

        B = (W + λ · tr(W) / dim · I)^(−½), with W the sum of the covariances within speakers.

        Args:
            sets: of each, voices (voices, dim), and whose each is, (voices,).
            smoothing: λ, above zero.

        Raises:
            InputError: when in a set no speaker has two voices.
        """
        within = np.sum([_within(np.asarray(voices, np.float64), of) for voices, of in sets], axis=0)
        smooth = within + smoothing * np.trace(within) / len(within) * np.eye(len(within))
        values, directions = np.linalg.eigh(smooth)
        matrix = (directions / np.sqrt(values)) @ directions.T
        return cls(matrix / np.sqrt(np.mean(matrix**2)))  # the scale is free: numbers near one


def _within(voices: Array, speakers: ArrayLike) -> Array:
    """Covariance of voices about the means of their speakers, (dim, dim)."""
    _, of, counts = np.unique(np.asarray(speakers), return_inverse=True, return_counts=True)
    free = len(voices) - len(counts)  # degrees of freedom
    if free < 1:
        raise InputError("variation within a speaker needs two voices of somebody")
    means = np.zeros((len(counts), voices.shape[1]))
    np.add.at(means, of, voices)
    centred = voices - (means / counts[:, None])[of]
    return np.asarray(centred.T @ centred / free)
