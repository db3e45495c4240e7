"""Clustering of stretches of speech of which nothing is known but how far apart every two are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tertulia.clustering.base import refuse_count
from tertulia.clustering.hierarchical import merge_closest
from tertulia.clustering.linkage import Dendrogram
from tertulia.speakers import ANY, Speakers

__all__ = ["cluster_by_distance"]

Array = NDArray[np.float64]
Labels = NDArray[np.intp]


def cluster_by_distance(
    distances: Array,
    seconds: Array,
    threshold: float,
    speakers: Speakers = ANY,
    *,
    least: float = 0.0,
    smallest: float = 0.0,
) -> Labels:
    """Merge the two clusters with the smallest mean distance, weighted by seconds, again and again.

    Short stretches are compared badly: they make no clusters and join the nearest one, as do clusters with
    too little speech to be somebody.

    Args:
        distances: symmetric, (stretches, stretches).
        seconds: of each, (stretches,).
        threshold: mean distance at which merging stops, unless the number of speakers says otherwise.
        speakers: what is known about their number.
        least: seconds of a stretch that makes clusters, if there are enough of these.
        smallest: seconds of a cluster that is somebody, if there are enough of these.

    Returns:
        (stretches,), numbered from 0 without gaps.

    Raises:
        UsageError: when more speakers are asked for than there are stretches.
    """
    items = len(distances)
    if items < speakers.least and (speakers.num or speakers.minimum):
        raise refuse_count(speakers, items)
    if not items:
        return np.empty(0, dtype=np.intp)
    used = np.flatnonzero(seconds >= least)
    if len(used) < max(speakers.least, 1):
        used = np.arange(items)
    tree = _average(distances[np.ix_(used, used)], seconds[used])
    labels, large = _cut(tree, seconds[used], threshold, speakers, smallest)
    members = np.full(items, -1, dtype=np.intp)
    kept = np.isin(labels, large)
    members[used[kept]] = np.searchsorted(large, labels[kept])
    for stretch in np.flatnonzero(members < 0):  # nearest cluster of those that have been made
        towards = [
            np.average(distances[stretch, mine], weights=seconds[mine])
            for mine in (used[labels == label] for label in large)
        ]
        members[stretch] = int(np.argmin(towards))
    return members


def _average(distances: Array, seconds: Array) -> Dendrogram:
    """Average linkage with weights."""
    weights, table = seconds.astype(float).copy(), distances.astype(float).copy()

    def join(a: int, b: int, others: NDArray[np.intp]) -> Array:
        share = weights[a] / (weights[a] + weights[b])
        merged: Array = share * table[a, others] + (1 - share) * table[b, others]
        weights[a] += weights[b]
        table[a, others] = table[others, a] = merged
        return merged

    return merge_closest(distances, join)


def _cut(
    tree: Dendrogram, seconds: Array, threshold: float, speakers: Speakers, smallest: float
) -> tuple[Labels, Labels]:
    """Labels of the stretches (stretches,), and which of them are somebody, as many as there may be.

    The cut nearest to the threshold that gives such a number is taken; where none does, clusters may be
    smaller.
    """
    natural = tree.merges_above(-threshold)
    for enough in (smallest, smallest / 2, smallest / 4, 0.0):
        counts = np.array(_counts(tree, seconds, enough))
        fitting = np.flatnonzero([max(int(count), 1) in speakers for count in counts])
        if len(fitting):
            cut = int(fitting[np.abs(fitting - natural).argmin()])
            break
    else:  # as `smallest` is zero at last, this is for more speakers than items, which none insists on
        cut, enough = 0, 0.0
    labels = tree.labels(cut)
    total = np.bincount(labels, seconds)
    large = np.flatnonzero(total >= min(enough, total.max()))
    return labels, large


def _counts(tree: Dendrogram, seconds: Array, enough: float) -> list[int]:
    """Count clusters with enough seconds after 0, 1, 2 … merges."""
    sizes = seconds.astype(float).copy()
    alive = np.ones(len(sizes), dtype=bool)
    counts = [int((sizes >= enough).sum())]
    for a, b in tree.pairs:
        sizes[a] += sizes[b]
        alive[b] = False
        counts.append(int((alive & (sizes >= enough)).sum()))
    return counts
