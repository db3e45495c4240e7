"""Clustering by the cross log-likelihood ratio of models adapted from a background model.

Sources: Reynolds, Singer, Carlson, O'Leary, McLaughlin & Zissman, "Blind clustering of speech utterances
based on speaker and language characteristics" (ICSLP 1998) for the ratio; Barras, Zhu, Meignier & Gauvain,
IEEE TASLP 14 (2006), for its use in diarization.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tertulia.clustering.hierarchical import cut, merge_closest
from tertulia.clustering.linkage import Dendrogram
from tertulia.gaussians import GMM, Statistics
from tertulia.gaussians.ratios import sides, stacked
from tertulia.speakers import ANY, Speakers

__all__ = ["cluster_by_clr", "cross_likelihood_ratios", "hierarchical_clr"]

Array = NDArray[np.float64]
Labels = NDArray[np.intp]


def cross_likelihood_ratios(background: GMM, clusters: Sequence[Statistics]) -> Array:
    """CLR of every two clusters, (clusters, clusters): higher is more alike, negative is unlike.

        CLR(i, j) = 1/Nᵢ log p(Xᵢ|Mⱼ) / p(Xᵢ|B) + 1/Nⱼ log p(Xⱼ|Mᵢ) / p(Xⱼ|B),

    where Mᵢ is the background model B with means adapted to cluster i. Both likelihoods are taken with the
    posteriors of B (the auxiliary function of EM, a lower bound of the ratio): then statistics are all that
    is needed, they add up when clusters merge, and all pairs are one product of matrices.
    """
    evidence, model = sides(*stacked(background, clusters))
    return _ratios(evidence, model, evidence, model)


def hierarchical_clr(background: GMM, clusters: Sequence[Statistics]) -> Dendrogram:
    """Merge the two clusters with the highest CLR again and again; distances are −CLR."""
    count, first = stacked(background, clusters)
    evidence, model = sides(count, first)

    def join(a: int, b: int, others: NDArray[np.intp]) -> Array:
        count[a] += count[b]
        first[a] += first[b]
        one = slice(a, a + 1)
        evidence[one], model[one] = sides(count[one], first[one])
        ratios = _ratios(evidence[one], model[one], evidence[others], model[others])
        return np.asarray(-ratios[0])

    return merge_closest(-_ratios(evidence, model, evidence, model), join)


def cluster_by_clr(
    background: GMM, clusters: Sequence[Statistics], threshold: float = 0.0, speakers: Speakers = ANY
) -> Labels:
    """Merge clusters while their CLR is above the threshold; raises `UsageError` as `cut` does.

    Returns:
        (clusters,), numbered from 0.
    """
    return cut(hierarchical_clr(background, clusters), -threshold, speakers)


def _ratios(evidence_a: Array, model_a: Array, evidence_b: Array, model_b: Array) -> Array:
    return np.asarray(evidence_a @ model_b.T + model_a @ evidence_b.T)
