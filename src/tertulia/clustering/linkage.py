"""Agglomerative clustering of weighted vectors by centroid linkage.

A cluster is its weighted sum of vectors and its total weight, so clustering can go on from clusters: what a
first round has merged counts in a second exactly as if it had been merged there. That is what makes the
multi-stage clustering of long recordings possible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dendrogram", "agglomerate", "collect", "premerge"]

Array = NDArray[np.float64]

_ROWS = 256  # rows of a table of similarities that are computed in double precision at once


@dataclass(frozen=True, slots=True, eq=False)
class Dendrogram:
    """Merges in the order they were made.

    Attributes:
        items: how many items there were.
        pairs: (merges, 2); cluster `b` is merged into cluster `a`, each named after one of its items.
        similarities: (merges,), of the two clusters when they were merged.
    """

    items: int
    pairs: NDArray[np.intp]
    similarities: Array

    def labels(self, merges: int) -> NDArray[np.intp]:
        """Cluster of each item, numbered from 0, after the first `merges` merges."""
        label = np.arange(self.items)
        for a, b in self.pairs[:merges]:
            label[label == b] = a
        return np.unique(label, return_inverse=True)[1].astype(np.intp)

    def merges_above(self, threshold: float) -> int:
        """How many merges are made before the first at or below `threshold`."""
        below = np.flatnonzero(self.similarities <= threshold)
        return int(below[0]) if len(below) else len(self.similarities)


def agglomerate(sums: Array, weights: Array, attenuation: float, stop: float = -np.inf) -> Dendrogram:
    """Merge the two most similar clusters again and again.

    The similarity of two clusters is the cosine of their sums, corrected for what noise takes from it. If a
    vector made of `w` seconds is its speaker's direction plus noise of variance `attenuation / w`, the cosine
    of two such vectors of one speaker is expected to be

        1 / √((1 + attenuation / w₁) (1 + attenuation / w₂)),

    so dividing by that (Spearman's correction for attenuation) makes the similarities of short and of long
    stretches comparable, and one threshold fits both.

    Args:
        sums: weighted sums of vectors, (items, dim).
        weights: seconds of each item, (items,), positive.
        attenuation: seconds at which noise has the strength of the voice.
        stop: similarity at or below which nothing is merged any more.
    """
    sums, weights = sums.astype(np.float64), weights.astype(np.float64)
    count = len(sums)
    alive = np.ones(count, dtype=bool)
    # Rows hold similarities; row and column of a dead cluster, and the diagonal, stay at −∞.
    table = np.empty((count, count), np.float32)
    for first in range(0, count, _ROWS):
        rows = slice(first, first + _ROWS)
        table[rows] = _similarities(sums[rows], weights[rows], sums, weights, attenuation)
    np.fill_diagonal(table, -np.inf)
    nearest = table.argmax(axis=1)
    best = table[np.arange(count), nearest]
    pairs, similarities = [], []
    for _ in range(count - 1):
        a = int(best.argmax())
        b, similarity = int(nearest[a]), float(best[a])
        if similarity <= stop:
            break
        pairs.append((a, b))
        similarities.append(similarity)
        sums[a] += sums[b]
        weights[a] += weights[b]
        alive[b] = False
        row = _similarities(sums[a : a + 1], weights[a : a + 1], sums, weights, attenuation)[0]
        row[~alive] = row[a] = -np.inf
        table[a], table[:, a] = row, row
        table[b], table[:, b] = -np.inf, -np.inf
        best[b] = -np.inf
        # Whoever had one of the two as its nearest looks again; the others only compare with the new row.
        stale = np.flatnonzero(alive & ((nearest == a) | (nearest == b)))
        stale = np.union1d(stale, a)
        nearest[stale] = table[stale].argmax(axis=1)
        best[stale] = table[stale, nearest[stale]]
        closer = alive & (table[a] > best)
        nearest[closer], best[closer] = a, table[a, closer]
    return Dendrogram(count, np.array(pairs, dtype=np.intp).reshape(-1, 2), np.array(similarities))


def premerge(
    sums: Array, weights: Array, attenuation: float, stop: float, block: int = 1000
) -> NDArray[np.intp]:
    """Merge what is surely alike inside blocks of neighbouring items, until a few blocks hold what is left.

    Time grows with the number of items times the block, memory with the square of the block. Where blocks
    hardly merge, and more is left than four blocks, what counts as alike is relaxed step by step: memory
    stays bounded whatever the recording. Returns the cluster of each item.
    """
    labels = np.arange(len(sums))
    while len(sums) > block:
        merged = np.empty(len(sums), dtype=np.intp)
        clusters = 0
        for first in range(0, len(sums), block):
            part = slice(first, first + block)
            tree = agglomerate(sums[part], weights[part], attenuation, stop)
            merged[part] = tree.labels(len(tree.pairs)) + clusters
            clusters = int(merged[part].max()) + 1
        if clusters > 0.8 * len(sums):  # these really are different
            if len(sums) <= 4 * block:
                break
            stop -= 0.1
        sums, weights = collect(sums, weights, merged)
        labels = merged[labels]
    return labels.astype(np.intp)


def collect(sums: Array, weights: Array, labels: NDArray[np.intp]) -> tuple[Array, Array]:
    """Add up items by label: sums (labels, dim) and weights (labels,)."""
    total = np.zeros((labels.max() + 1, sums.shape[1]))
    np.add.at(total, labels, sums)
    return total, np.bincount(labels, weights).astype(np.float64)


def _similarities(a: Array, weights_a: Array, b: Array, weights_b: Array, attenuation: float) -> Array:
    """Corrected cosines, (clusters a, clusters b)."""
    lengths = np.maximum(np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1), 1e-12)
    gain = (1 + attenuation / weights_a)[:, None] * (1 + attenuation / weights_b)
    return np.asarray(a @ b.T / lengths * np.sqrt(gain))
