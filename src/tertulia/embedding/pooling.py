"""Statistics pooling under masks.

Means and standard deviations of frames weighted by how well each frame shows one speaker alone. Masking here,
rather than in the samples, keeps the frames themselves what the network was trained on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["statistics"]

Array = NDArray[np.float32]


def statistics(frames: Array, weights: Array) -> Array:
    """Pool weighted means and unbiased standard deviations.

    With v₁ = Σw and v₂ = Σw², the variance is Σw(x − μ)² / (v₁ − v₂ / v₁), which for weights of 0 and 1 is
    the usual n − 1.

    Args:
        frames: (frames, channels).
        weights: (masks, frames), not negative, each with a positive sum.

    Returns:
        (masks, 2 · channels), means before deviations.
    """
    # Around a common centre, squares of the frames and of the mean do not cancel.
    centre = frames.mean(axis=0)
    frames = frames - centre
    total = weights.sum(axis=1, keepdims=True)
    freedom = total - (weights**2).sum(axis=1, keepdims=True) / total
    mean = _sums(weights, frames) / total
    scatter = np.maximum(_sums(weights, frames**2) - total * mean**2, 0)
    deviation = np.sqrt(scatter / np.maximum(freedom, 1e-6))
    return np.concatenate([mean + centre, deviation], axis=1, dtype=np.float32)


def _sums(weights: Array, frames: Array) -> Array:
    """Compute `weights @ frames`, each row from the stretch in which its mask is not zero."""
    sums = np.empty((len(weights), frames.shape[1]), np.float32)
    for row, mask in enumerate(weights):
        (there,) = np.nonzero(mask)
        stretch = slice(there[0], there[-1] + 1)
        sums[row] = mask[stretch] @ frames[stretch]
    return sums
