"""i-vectors: what distinguishes a stretch of speech from the background model, in few dimensions.

Source: Dehak, Kenny, Dehak, Dumouchel & Ouellet, "Front-end factor analysis for speaker verification", IEEE
TASLP 19 (2011), whose equation numbers stand below: the means of a stretch are those of the background plus
T w, w of standard normal distribution; its i-vector is the posterior mean of w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tertulia.gaussians.mixture import GMM, Statistics

__all__ = ["Extractor", "train_extractor"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Extractor:
    """The total variability of a background model.

    Attributes:
        background: mixture of `components` Gaussians of `dim` dimensions.
        matrix: T, (components, dim, rank).
    """

    background: GMM
    matrix: Array

    def __post_init__(self) -> None:
        if self.matrix.ndim != 3 or self.matrix.shape[:2] != self.background.means.shape:
            raise ValueError(
                f"the matrix needs shape (components, dim, rank) with {self.background.means.shape}; "
                f"got {self.matrix.shape}"
            )

    @property
    def rank(self) -> int:
        """Dimensions of an i-vector."""
        return int(self.matrix.shape[2])

    def __call__(self, stretches: Sequence[Statistics]) -> Array:
        """Return the i-vector of each stretch, (stretches, rank); zero for one without frames."""
        return self.posterior(stretches)[0]

    def posterior(self, stretches: Sequence[Statistics]) -> tuple[Array, Array]:
        """Posterior means (stretches, rank) and covariances (stretches, rank, rank) of w, eq. 3."""
        counts, first = _stacked(stretches, self.background)
        scaled = self.matrix / self.background.variances[..., None]  # Σ⁻¹ T
        inner = np.einsum("cdr,cds->crs", scaled, self.matrix)  # Tᵀ Σ⁻¹ T, component by component
        rank = self.rank
        precision = np.eye(rank) + (counts @ inner.reshape(len(inner), -1)).reshape(-1, rank, rank)
        covariance = np.linalg.inv(precision)
        linear = np.einsum("ncd,cdr->nr", first, scaled, optimize=True)  # Tᵀ Σ⁻¹ F
        return np.einsum("nrs,ns->nr", covariance, linear), covariance


def train_extractor(
    background: GMM, stretches: Sequence[Statistics], rank: int, iterations: int = 10, seed: int = 0
) -> Extractor:
    """Train T by EM on stretches of one speaker in one recording each (Dehak et al., section III-A).

    After each round the prior is made standard normal again (minimum divergence), which T absorbs.

    Args:
        background: the model that the statistics were collected with.
        stretches: statistics of one stretch each.
        rank: dimensions of the i-vectors.
        iterations: rounds of EM.
        seed: of the random start.
    """
    if rank < 1 or iterations < 1 or len(stretches) < 2:
        raise ValueError(
            f"training needs two stretches, a rank and iterations from 1; "
            f"got {len(stretches)}, {rank} and {iterations}"
        )
    counts, first = _stacked(stretches, background)
    random = np.random.default_rng(seed)
    spread = np.sqrt(background.variances)[..., None]
    extractor = Extractor(background, 0.1 * spread * random.standard_normal((*background.means.shape, rank)))
    for _ in range(iterations):
        mean, covariance = extractor.posterior(stretches)
        moment = covariance + mean[:, :, None] * mean[:, None, :]  # E[w wᵀ]
        weighted = (counts.T @ moment.reshape(len(moment), -1)).reshape(-1, rank, rank)
        cross = np.einsum("ncd,nr->cdr", first, mean, optimize=True)
        ridge = 1e-6 * np.eye(rank)
        matrix = np.linalg.solve(weighted + ridge, cross.transpose(0, 2, 1)).transpose(0, 2, 1)
        extractor = Extractor(background, matrix @ np.linalg.cholesky(moment.mean(axis=0) + ridge))
    return extractor


def _stacked(stretches: Sequence[Statistics], background: GMM) -> tuple[Array, Array]:
    """Counts (stretches, components) and centred first moments (stretches, components, dim)."""
    counts = np.array([seen.count for seen in stretches]).reshape(-1, len(background))
    first = np.array([seen.first for seen in stretches]).reshape(-1, *background.means.shape)
    return counts, first - counts[..., None] * background.means
