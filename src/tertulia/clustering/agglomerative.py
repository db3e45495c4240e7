"""Agglomerative clustering as pyannote.audio has it: merge, re-assign what stays small, label by centroids.

Three steps, each on what the one before has made:

1. *Partition* the vectors that are made of enough speech: scipy's linkage, cut at a threshold.
2. *Re-assign*: a cluster of few vectors is no speaker; it joins the large cluster it is most similar to.
3. *Label* every local speaker, also those left out before, with the most similar centroid.

Source: H. Bredin, "pyannote.audio 2.1 speaker diarization pipeline: principle, benchmark, and recipe"
(Interspeech 2023), section 2, and the behaviour of pyannote.audio 4.0. One thing is different: a number of
speakers that the user knows is kept exactly, or refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tertulia.clustering.base import Labels, refuse_count
from tertulia.embedding.voices import Voices, unit
from tertulia.errors import unknown
from tertulia.speakers import Speakers

__all__ = ["AgglomerativeClusterer", "Method"]

Array = NDArray[np.floating[Any]]
Method = Literal["average", "centroid", "complete", "median", "single", "ward", "weighted"]

# These update positions, not distances, so they need Euclidean distances (of vectors of length 1).
_EUCLIDEAN = ("centroid", "median", "ward")
# A cluster that holds this share of all vectors is never too small.
_SHARE = 0.1


@dataclass(frozen=True)
class AgglomerativeClusterer:
    """Agglomerative clustering with a minimum cluster size.

    Memory grows with the square of the number of vectors: 0.8 GB for 10 000, some two hours in windows that
    begin every second.

    Args:
        method: how scipy's linkage measures two clusters.
        threshold: distance above which nothing is merged; Euclidean between vectors of length 1 for
            `centroid`, `median` and `ward`, otherwise cosine distance.
        min_cluster_size: vectors in a cluster that is a speaker; in short recordings a tenth of all will do.
        least: seconds of one speaker alone that a vector needs for step 1; every local speaker gets a label.
        constrained: two local speakers of one window never share a speaker, as far as there are enough
            speakers (Hungarian method).
    """

    method: Method = "centroid"
    threshold: float = 0.7
    min_cluster_size: int = 12
    least: float = 2.0
    constrained: bool = False

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise unknown("linkage method", self.method, get_args(Method))
        if not (self.threshold >= 0 and self.min_cluster_size >= 1 and self.least >= 0):
            raise ValueError(
                "threshold and least are numbers from 0 and min_cluster_size from 1; got "
                f"{self.threshold}, {self.least} and {self.min_cluster_size}"
            )

    def __call__(self, voices: Voices, speakers: Speakers) -> Labels:
        """Label every piece; see `Clusterer`."""
        active = voices.present.sum(axis=2) > 0  # (windows, local speakers)
        labels = np.full(voices.present.shape, -1, dtype=np.intp)
        if not active.any():
            if speakers.num or speakers.minimum:
                raise refuse_count(speakers, 0)
            return labels
        known = np.linalg.norm(voices.vectors, axis=3) > 0  # false for NaN
        used = self._used(voices, known & active[..., None], speakers)
        if speakers.most == 1 or used.sum() < 2:
            labels[active] = 0
            return labels
        vectors = voices.vectors[used]  # (used, dim)
        members = self._partition(vectors, speakers)  # (used,)
        centroids = _means(vectors, members)  # (speakers, dim)
        labels[active] = self._label(voices, known, active, centroids)[active]
        if len(np.unique(labels[active])) < speakers.least:
            labels[used] = members  # a centroid can lose its own vectors to others
        # Speakers whom nobody has been labelled with leave no gap.
        labels[active] = np.unique(labels[active], return_inverse=True)[1].reshape(active.sum(), -1)
        return labels

    def _used(self, voices: Voices, known: NDArray[np.bool_], speakers: Speakers) -> NDArray[np.bool_]:
        """Which vectors make the speakers, (windows, local speakers, pieces)."""
        enough = known & (voices.support >= self.least)
        if speakers.least == 1 or enough.sum() >= speakers.least:
            return enough
        if known.sum() < speakers.least:
            raise refuse_count(speakers, int(known.sum()))
        return known

    # ── speakers ─────────────────────────────────────────────────────────────────────────────────────

    def _partition(self, vectors: Array, speakers: Speakers) -> NDArray[np.intp]:
        """Speaker of each vector, (vectors, dim) → (vectors,)."""
        from scipy.cluster.hierarchy import fcluster, linkage

        euclidean = self.method in _EUCLIDEAN
        points = unit(vectors) if euclidean else vectors
        tree = linkage(points, self.method, "euclidean" if euclidean else "cosine")
        smallest = min(self.min_cluster_size, max(1, round(_SHARE * len(points))))
        clusters = fcluster(tree, self.threshold, "distance") - 1
        found = int((np.bincount(clusters) >= smallest).sum())
        wanted = min(max(found, speakers.least), speakers.most or len(points))
        if found != wanted:
            clusters, smallest = _recut(tree, wanted, self.threshold, smallest)
        return _absorb(points, clusters, smallest)

    # ── labels ───────────────────────────────────────────────────────────────────────────────────────

    def _label(
        self, voices: Voices, known: NDArray[np.bool_], active: NDArray[np.bool_], centroids: Array
    ) -> Labels:
        """Most similar speaker of every piece; who has no vector is taken for the one who speaks most."""
        similar = np.zeros((*known.shape, len(centroids)))
        similar[known] = unit(voices.vectors[known]) @ unit(centroids).T
        labels: Labels = similar.argmax(axis=3)
        if self.constrained:
            for window, piece in np.ndindex(len(voices), known.shape[2]):
                here = np.flatnonzero(active[window] & known[window, :, piece])
                labels[window, here, piece] = _apart(similar[window, here, piece])
        seconds = np.bincount(labels[known], voices.present[known], len(centroids))
        labels[~known] = seconds.argmax()
        return labels


def _recut(tree: Array, wanted: int, threshold: float, smallest: int) -> tuple[NDArray[np.intp], int]:
    """Cut a tree so that there are `wanted` large clusters, as near to the threshold as that can be had.

    Trees are cut between merges, in the order in which these were made. When no cut gives the number, the
    size from which clusters are large is lowered until one does.

    Returns:
        The cluster of each vector, and the size from which clusters are large.
    """
    from scipy.cluster.hierarchy import fcluster

    vectors = len(tree) + 1
    left, right = tree[:, 0].astype(np.intp), tree[:, 1].astype(np.intp)
    sizes = np.concatenate([np.ones(vectors), tree[:, 3]])
    ordered = tree.copy()
    ordered[:, 2] = np.arange(len(tree))
    for size in range(smallest, 0, -1):
        large = sizes >= size
        change = large[vectors:].astype(int) - large[left] - large[right]
        counts = vectors * int(large[0]) + np.cumsum(change)  # after each merge
        fitting = np.flatnonzero((counts == wanted) & large[vectors:])
        if len(fitting):
            last = fitting[np.abs(tree[fitting, 2] - threshold).argmin()]
            return fcluster(ordered, last, "distance") - 1, size
    return np.arange(vectors), 1  # any other number is had by merging vectors one by one


def _absorb(points: Array, clusters: NDArray[np.intp], smallest: int) -> NDArray[np.intp]:
    """Give each cluster below `smallest`, as a whole, to the large one it is most similar to; renumber."""
    means = unit(_means(points, clusters))
    large = np.flatnonzero(np.bincount(clusters) >= smallest)
    into = (means @ means[large].T).argmax(axis=1)
    into[large] = np.arange(len(large))
    return np.asarray(into[clusters], dtype=np.intp)


def _apart(similar: Array) -> NDArray[np.intp]:
    """Label local speakers apart, most similarity in all; (local speakers, speakers) → (local speakers,)."""
    from scipy.optimize import linear_sum_assignment

    labels: Labels = similar.argmax(axis=1)
    rows, columns = linear_sum_assignment(similar, maximize=True)
    labels[rows] = columns
    return labels


def _means(vectors: Array, labels: NDArray[np.intp]) -> Array:
    """Mean vector of each label, (vectors, dim) → (labels, dim)."""
    total = np.zeros((labels.max() + 1, vectors.shape[1]))
    np.add.at(total, labels, vectors)
    return np.asarray(total / np.bincount(labels)[:, None])
