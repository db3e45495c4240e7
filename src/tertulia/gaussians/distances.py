"""How unlike two stretches of frames are, when each is one Gaussian; smaller is more alike.

Sources: Chen & Gopalakrishnan, "Speaker, environment and channel change detection and clustering via the
Bayesian information criterion" (DARPA Broadcast News Workshop 1998); Siegler et al., "Automatic segmentation,
classification and clustering of broadcast news audio" (DARPA Speech Recognition Workshop 1997) for KL2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tertulia.gaussians.moments import Moments

__all__ = ["bic_penalty", "bic_shift", "glr", "kl2"]

Array = NDArray[np.float64]


def glr(a: Moments, b: Moments, *, diagonal: bool = False) -> Array:
    """Generalised likelihood ratio, pair by pair: how much better two Gaussians fit than one, (pairs,), ≥ 0.

    R = N/2 log|Σ| − N₁/2 log|Σ₁| − N₂/2 log|Σ₂|, half of what Chen & Gopalakrishnan call R.
    """
    one, two, both = (_weighed(moments, diagonal) for moments in (a, b, a + b))
    return np.maximum(both - one - two, 0.0)  # never below zero but for rounding


def bic_penalty(dim: int, count: Array | float, *, diagonal: bool = False) -> Array:
    """What one more Gaussian costs: ½ (d + ½ d (d + 1)) log N, or ½ 2d log N with diagonal covariances."""
    parameters = 2 * dim if diagonal else dim + dim * (dim + 1) / 2
    return np.asarray(0.5 * parameters * np.log(np.maximum(count, 1.0)))


def bic_shift(a: Moments, b: Moments, weight: float = 1.0, *, diagonal: bool = False) -> Array:
    """ΔBIC, pair by pair: above zero where two Gaussians are worth their parameters, (pairs,).

    R − λ P, where the N of P counts the frames of both stretches: what clustering and the second pass of
    segmentation use.
    """
    penalty = bic_penalty(a.dim, a.count + b.count, diagonal=diagonal)
    return np.asarray(glr(a, b, diagonal=diagonal) - weight * penalty)


def kl2(a: Moments, b: Moments) -> Array:
    """Symmetric Kullback-Leibler distance of diagonal Gaussians, pair by pair, (pairs,), ≥ 0.

    Siegler et al.: KL2 = KL(a; b) + KL(b; a), where the log determinants cancel.
    """
    first, second = (np.diagonal(m.covariance, axis1=-2, axis2=-1) for m in (a, b))
    apart = (a.mean - b.mean) ** 2
    terms = first / second + second / first - 2 + apart * (1 / first + 1 / second)
    return np.asarray(0.5 * terms.sum(axis=-1))


def _weighed(moments: Moments, diagonal: bool) -> Array:
    determinant = moments.diagonal_log_determinant if diagonal else moments.log_determinant
    return np.asarray(0.5 * moments.count * determinant)
