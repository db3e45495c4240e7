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
from tertulia.speakers import ANY, Speakers

__all__ = ["cluster_by_clr", "cross_likelihood_ratios", "hierarchical_clr"]

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

_RELEVANCE = 16.0  # Reynolds, Quatieri & Dunn (2000)


def cross_likelihood_ratios(background: GMM, clusters: Sequence[Statistics]) -> Array:
    """CLR of every two clusters, (clusters, clusters): higher is more alike, negative is unlike.

        CLR(i, j) = 1/Nᵢ log p(Xᵢ|Mⱼ) / p(Xᵢ|B) + 1/Nⱼ log p(Xⱼ|Mᵢ) / p(Xⱼ|B),

    where Mᵢ is the background model B with means adapted to cluster i. Both likelihoods are taken with the
    posteriors of B (the auxiliary function of EM, a lower bound of the ratio): then statistics are all that
    is needed, they add up when clusters merge, and all pairs are one product of matrices.
    """
    evidence, model = _sides(*_stacked(background, clusters))
    return _ratios(evidence, model, evidence, model)


def hierarchical_clr(background: GMM, clusters: Sequence[Statistics]) -> Dendrogram:
    """Merge the two clusters with the highest CLR again and again; distances are −CLR."""
    count, first = _stacked(background, clusters)
    evidence, model = _sides(count, first)

    def join(a: int, b: int, others: NDArray[np.intp]) -> Array:
        count[a] += count[b]
        first[a] += first[b]
        one = slice(a, a + 1)
        evidence[one], model[one] = _sides(count[one], first[one])
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


def _sides(count: Array, first: Array) -> tuple[Array, Array]:
    """The two factors of a log-likelihood ratio, each (clusters, 2 · components · dim).

    With d the shift of the means in units of deviation, log p(X|M) − log p(X|B) is

        Σ_c d_c · F_c − ½ N_c d_c²,

    the product of [F, N] of the frames and [d, −½ d²] of the model.
    """
    frames = np.maximum(count.sum(axis=1), 1.0)[:, None, None]
    shift = first / (count + _RELEVANCE)[..., None]  # α (E(x) − μ) / σ, eq. 12 of Reynolds et al. (2000)
    counts = np.broadcast_to(count[..., None], first.shape)
    evidence = np.concatenate([first / frames, counts / frames], axis=2)
    model = np.concatenate([shift, -0.5 * shift**2], axis=2)
    width = 2 * first.shape[1] * first.shape[2]
    return evidence.reshape(-1, width), model.reshape(-1, width)


def _ratios(evidence_a: Array, model_a: Array, evidence_b: Array, model_b: Array) -> Array:
    return np.asarray(evidence_a @ model_b.T + model_a @ evidence_b.T)


def _stacked(background: GMM, clusters: Sequence[Statistics]) -> tuple[Array, Array]:
    """Counts (clusters, components), and first moments around the means in units of deviation."""
    count = np.array([seen.count for seen in clusters]).reshape(-1, len(background))
    first = np.array([seen.first for seen in clusters]).reshape(-1, *background.means.shape)
    return count, (first - count[..., None] * background.means) / np.sqrt(background.variances)
