"""Who goes with whom: pairs of speakers and people, one-to-one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_pairs"]


def best_pairs(gains: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Choose pairs, each row and column once at most, with the highest sum of gains; only gains from zero.

    Args:
        gains: (rows, columns); −∞ where a pair cannot be.
    """
    if not gains.size:
        return []
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.maximum(gains, 0.0), maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in pairs if gains[row, column] >= 0]
