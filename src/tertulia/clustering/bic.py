"""Clustering of stretches of speech by the Bayesian information criterion.

Sources: Chen & Gopalakrishnan (DARPA Broadcast News Workshop 1998) for the criterion; Barras, Zhu, Meignier &
Gauvain, "Multistage speaker diarization of broadcast news", IEEE TASLP 14 (2006), for one full-covariance
Gaussian a cluster and the local penalty, whose N counts the frames of the two clusters alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tertulia.clustering.hierarchical import cut, merge_closest
from tertulia.clustering.linkage import Dendrogram
from tertulia.gaussians import Moments, bic_shift
from tertulia.speakers import ANY, Speakers

__all__ = ["cluster_by_bic", "hierarchical_bic"]

Array = NDArray[np.float64]
Labels = NDArray[np.intp]


def hierarchical_bic(stretches: Moments, weight: float) -> Dendrogram:
    """Merge the two clusters with the smallest ΔBIC again and again; zero is where BIC would stop."""
    count, total, square = stretches.count.copy(), stretches.total.copy(), stretches.square.copy()

    def against(a: int, others: NDArray[np.intp]) -> Array:
        one = Moments(count[a : a + 1], total[a : a + 1], square[a : a + 1])
        return bic_shift(one, Moments(count[others], total[others], square[others]), weight)

    def join(a: int, b: int, others: NDArray[np.intp]) -> Array:
        count[a] += count[b]
        total[a] += total[b]
        square[a] += square[b]
        return against(a, others)

    every = np.arange(len(stretches))
    table = np.array([against(a, every) for a in every.tolist()]).reshape(len(every), len(every))
    return merge_closest(table, join)


def cluster_by_bic(stretches: Moments, weight: float = 3.0, speakers: Speakers = ANY) -> Labels:
    """Cluster stretches of speech, (stretches,) → labels from 0; raises `UsageError` as `cut` does."""
    return cut(hierarchical_bic(stretches, weight), 0.0, speakers)
