"""Speakers as shifts of a background model: comparing one with frames costs one product of matrices.

With the posteriors γ of the background model B held fixed, the ratio of a frame's likelihoods is bounded by

    log p(x|M) / p(x|B)  ≥  Σ_c γ_c(x) (d_c · (x − μ_c) / σ_c² − ½ d_c² / σ_c²),

where M has the means μ + d (the auxiliary function of EM, by Jensen's inequality); nothing but a product and
a sum is left for each speaker. Source of the adaptation: Reynolds, Quatieri & Dunn, Digital Signal Processing
10 (2000), eq. 12 and 14.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tertulia.gaussians.mixture import GMM

__all__ = ["Shifts"]

Array = NDArray[np.float32]

_CHUNK = 20_000  # frames computed at once


@dataclass(frozen=True, slots=True, eq=False)
class Shifts:
    """Frames as a background model sees them.

    Attributes:
        frames: float32 (frames, dim).
        posteriors: of the components, float32 (frames, components).
        means: of the background model, float32 (components, dim).
        precisions: one over its variances, float32 (components, dim).
    """

    frames: Array
    posteriors: Array
    means: Array
    precisions: Array

    @classmethod
    def of(cls, background: GMM, features: ArrayLike) -> Self:
        """Compute the posteriors of features (frames, dim)."""
        values = np.asarray(features, dtype=np.float32)
        posteriors = np.empty((len(values), len(background)), np.float32)
        for first in range(0, len(values), _CHUNK):
            joint = background.log_components(values[first : first + _CHUNK])
            joint -= joint.max(axis=1, keepdims=True)
            np.exp(joint, out=joint)
            posteriors[first : first + _CHUNK] = joint / joint.sum(axis=1, keepdims=True)
        precisions = (1 / background.variances).astype(np.float32)
        return cls(values, posteriors, background.means.astype(np.float32), precisions)

    def __len__(self) -> int:
        return len(self.frames)

    def statistics(self, which: slice | NDArray[np.bool_]) -> tuple[Array, Array]:
        """Counts (components,) and sums (components, dim) around the means, of some of the frames."""
        weights = self.posteriors[which]
        count = weights.sum(axis=0)
        return count, weights.T @ self.frames[which] - count[:, None] * self.means

    def adapted(self, count: Array, first: Array, relevance: float) -> Array:
        """Shift of the means by maximum a posteriori, (components, dim); zero for no frames."""
        return np.asarray(first / (count + relevance)[:, None], dtype=np.float32)

    def scores(self, shift: Array) -> Array:
        """Bound of the log-likelihood ratio of each frame, (components, dim) → (frames,)."""
        slope, constant = self._linear(shift)
        result = np.empty(len(self), np.float32)
        for first in range(0, len(self), _CHUNK):
            rows = slice(first, first + _CHUNK)
            ratios = self.frames[rows] @ slope.T + constant  # (rows, components)
            np.einsum("tc,tc->t", ratios, self.posteriors[rows], out=result[rows])
        return result

    def totals(self, shifts: Sequence[Array], edges: NDArray[np.intp]) -> NDArray[np.float64]:
        """Sums of `scores` between neighbouring edges, (cells, shifts), for any number of shifts at once."""
        cells = len(edges) - 1
        if not (cells and len(shifts)):
            return np.zeros((cells, len(shifts)))
        slopes, constants = (np.stack(parts) for parts in zip(*map(self._linear, shifts), strict=True))
        flat = slopes.reshape(len(shifts), -1).T  # (components · dim, shifts)
        result = np.empty((cells, len(shifts)))
        for cell, (first, last) in enumerate(itertools.pairwise(edges.tolist())):
            weights = self.posteriors[first:last]
            seen = (weights.T @ self.frames[first:last]).ravel()
            result[cell] = seen @ flat + constants @ weights.sum(axis=0)
        return result

    def _linear(self, shift: Array) -> tuple[Array, Array]:
        """Slope (components, dim) and constant (components,) of the ratio as a function of the frame."""
        slope = shift * self.precisions
        constant = -(slope * (self.means + shift / 2)).sum(axis=1)
        return slope, constant
