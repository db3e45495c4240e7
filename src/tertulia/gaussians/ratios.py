"""Log-likelihood ratios between models adapted from a background model, of statistics alone.

Mᵢ is the background model B with means adapted to stretch i. With the posteriors of B on the frames of
stretch j (the auxiliary function of EM, a lower bound of the ratio),

    1/Nⱼ log p(Xⱼ|Mᵢ) / p(Xⱼ|B)  ≥  1/Nⱼ Σ_c (d_c · F_c − ½ N_c d_c²),

where d is the shift of the means and F the first moments, both in units of deviation. That is a product of
what is known of the model and what is known of the frames, so all pairs are one product of matrices.

Source of the adaptation: Reynolds, Quatieri & Dunn, Digital Signal Processing 10 (2000), eq. 12 and 14.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tertulia.gaussians.mixture import GMM, Statistics

__all__ = ["RELEVANCE", "sides", "stacked"]

Array = NDArray[np.float64]

RELEVANCE = 16.0
"""Frames at which a component is half-way between the background and the speaker."""


def stacked(background: GMM, stretches: Sequence[Statistics]) -> tuple[Array, Array]:
    """Counts (stretches, components), and first moments around the means in units of deviation."""
    count = np.array([seen.count for seen in stretches]).reshape(-1, len(background))
    first = np.array([seen.first for seen in stretches]).reshape(-1, *background.means.shape)
    return count, (first - count[..., None] * background.means) / np.sqrt(background.variances)


def sides(count: Array, first: Array) -> tuple[Array, Array]:
    """Evidence of the frames and models adapted to them, each (stretches, 2 · components · dim).

    `models @ evidence.T` is the ratio of every model on the frames of every stretch, (models, stretches). A
    stretch without frames is no evidence, and its model is the background.

    Args:
        count: as `stacked` returns it, (stretches, components).
        first: the same, (stretches, components, dim).
    """
    frames = np.maximum(count.sum(axis=1), 1.0)[:, None, None]
    shift = first / (count + RELEVANCE)[..., None]  # α (E(x) − μ) / σ
    counts = np.broadcast_to(count[..., None], first.shape)
    evidence = np.concatenate([first / frames, counts / frames], axis=2)
    model = np.concatenate([shift, -0.5 * shift**2], axis=2)
    width = 2 * first.shape[1] * first.shape[2]
    return evidence.reshape(-1, width), model.reshape(-1, width)
