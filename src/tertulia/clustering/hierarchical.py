"""Merging the two closest clusters again and again, whatever the distance between clusters is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tertulia.clustering.linkage import Dendrogram
from tertulia.errors import UsageError
from tertulia.speakers import Speakers

__all__ = ["cut", "merge_closest"]

Array = NDArray[np.float64]
Join = Callable[[int, int, NDArray[np.intp]], Array]
"""Merges cluster b into a and returns the distances of a to the given other clusters."""


def merge_closest(distances: Array, join: Join) -> Dendrogram:
    """Merge clusters until one is left.

    Args:
        distances: symmetric, (items, items), finite; the diagonal does not count.
        join: called as `join(a, b, others)`; it keeps whatever distances are made of.

    Returns:
        All merges, with the negative distance as similarity.
    """
    table = distances.astype(np.float64)
    np.fill_diagonal(table, np.inf)
    items = len(table)
    alive = np.ones(items, dtype=bool)
    pairs, similarities = [], []
    for _ in range(items - 1):
        a, b = sorted(divmod(int(table.argmin()), items))
        pairs.append((a, b))
        similarities.append(-table[a, b])
        alive[b] = False
        table[b], table[:, b] = np.inf, np.inf
        others = np.flatnonzero(alive & (np.arange(items) != a))
        if len(others):
            table[a, others] = table[others, a] = join(a, b, others)
    return Dendrogram(items, np.array(pairs, dtype=np.intp).reshape(-1, 2), np.array(similarities))


def cut(tree: Dendrogram, threshold: float, speakers: Speakers) -> NDArray[np.intp]:
    """Merge while the distance is under the threshold, or to the nearest number of clusters allowed.

    Returns:
        Cluster of each item, (items,), numbered from 0.

    Raises:
        UsageError: when more speakers are asked for than there are items.
    """
    if tree.items < speakers.least and (speakers.num or speakers.minimum):
        raise UsageError(
            f"{speakers} speakers were asked for, but there are {tree.items} stretches of speech to cluster"
        )
    clusters = tree.items - tree.merges_above(-threshold)
    clusters = min(max(clusters, min(speakers.least, tree.items)), speakers.most or tree.items)
    return tree.labels(tree.items - clusters)
