"""Spherical k-means: as many speakers as were promised, or as many as fall apart best.

Sources: I. S. Dhillon and D. S. Modha, "Concept decompositions for large sparse text data using clustering"
(Machine Learning 2001): k-means under the cosine; D. Arthur and S. Vassilvitskii, "k-means++: the advantages
of careful seeding" (SODA 2007); P. J. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and
validation of cluster analysis" (Journal of Computational and Applied Mathematics 1987).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tertulia.clustering.base import Labels, refuse_count
from tertulia.embedding.voices import Voices, unit
from tertulia.speakers import Speakers

__all__ = ["KMeansClusterer"]

Array = NDArray[np.float64]

_ROUNDS = 100
_TINY = 1e-3  # s: the weight of what was said in overlap only


@dataclass(frozen=True)
class KMeansClusterer:
    """K-means on vectors of length 1, each with the weight of the speech behind it.

    It needs to know how many speakers there are. Where nobody says so, the smallest number is taken whose
    mean silhouette is hardly narrower than the widest of any, and one if none is wide.

    Args:
        least: seconds of one speaker alone that a vector needs to move the centres; every local speaker gets
            a label.
        restarts: times the centres are drawn; the tightest clusters win.
        most: largest number of speakers that is tried when it is not known.
        width: mean silhouette below which there is one speaker.
        slack: how much narrower the silhouette of fewer speakers may be.
        seed: of the draws.
    """

    least: float = 2.0
    restarts: int = 10
    most: int = 10
    width: float = 0.15
    slack: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.least >= 0 and self.restarts >= 1 and self.most >= 1):
            raise ValueError(
                "least is seconds from 0, restarts and most from 1; got "
                f"{self.least}, {self.restarts} and {self.most}"
            )
        if not (-1 <= self.width <= 1 and self.slack >= 0):
            raise ValueError(
                f"width is a silhouette in [-1, 1] and slack from 0; got {self.width} and {self.slack}"
            )

    def __call__(self, voices: Voices, speakers: Speakers) -> Labels:
        """Label every piece; see `Clusterer`."""
        active = voices.present.sum(axis=2) > 0  # (windows, local speakers)
        labels = np.full(voices.present.shape, -1, dtype=np.intp)
        known = voices.embedded & active[..., None]
        if known.sum() < speakers.least and (speakers.num or speakers.minimum):
            raise refuse_count(speakers, int(known.sum()))
        if not active.any():
            return labels
        labels[active] = 0
        used = known & (voices.support >= self.least)
        if used.sum() < max(2, speakers.least):
            used = known
        if used.sum() < 2:
            return labels
        vectors = unit(voices.vectors[used]).astype(np.float64)  # (used, dim)
        weights = np.maximum(voices.support[used], _TINY).astype(np.float64)  # (used,)
        members = self._partition(vectors, weights, speakers)
        labels[used] = members
        centres = _centres(vectors, weights, members, int(members.max()) + 1)
        for window, local in np.argwhere(active):
            _fill(labels[window, local], voices.vectors[window, local], used[window, local], centres)
        return labels

    def _partition(self, vectors: Array, weights: Array, speakers: Speakers) -> NDArray[np.intp]:
        """Speaker of each vector, (vectors, dim) → (vectors,)."""
        if speakers.num is not None:
            return self._best(vectors, weights, speakers.num)
        low = speakers.least
        high = min(speakers.most or self.most, len(vectors) - 1)
        tried = {k: self._best(vectors, weights, k) for k in range(max(2, low), max(high, low) + 1)}
        widths = {k: silhouette(vectors, members) for k, members in tried.items()}
        widest = max(widths.values(), default=-1.0)
        if low == 1 and widest < self.width:
            return np.zeros(len(vectors), np.intp)
        return tried[min(k for k, width in widths.items() if width >= widest - self.slack)]

    def _best(self, vectors: Array, weights: Array, count: int) -> NDArray[np.intp]:
        """The tightest of several partitions into `count` parts, none of them empty."""
        rng = np.random.default_rng(self.seed)
        tries = [kmeans(vectors, weights, count, rng) for _ in range(self.restarts if count > 1 else 1)]
        return max(tries, key=lambda tried: tried[1])[0]


def kmeans(vectors: Array, weights: Array, count: int, rng: Generator) -> tuple[NDArray[np.intp], float]:
    """Partition vectors of length 1 once; returns parts (vectors,) and the weighted sum of cosines."""
    centres = _seeds(vectors, weights, count, rng)
    members = np.full(len(vectors), -1, dtype=np.intp)
    for _ in range(_ROUNDS):
        scores = vectors @ centres.T  # (vectors, count)
        fresh = scores.argmax(axis=1)
        for part in np.setdiff1d(np.arange(count), fresh):
            # A part that lost all takes the vector that fits worst where it is, and is not alone there.
            fit = np.where(np.bincount(fresh, minlength=count)[fresh] > 1, scores.max(axis=1), np.inf)
            fresh[fit.argmin()] = part
            scores[fit.argmin()] = np.inf
        if (fresh == members).all():
            break
        members = fresh
        centres = _centres(vectors, weights, members, count)
    fitted = np.einsum("nd,nd->n", vectors, centres[members])
    return members, float(weights @ fitted)


def _seeds(vectors: Array, weights: Array, count: int, rng: Generator) -> Array:
    """Draw centres far from one another (k-means++)."""
    chosen = [int(rng.choice(len(vectors), p=weights / weights.sum()))]
    while len(chosen) < count:
        distance = 1 - (vectors @ vectors[chosen].T).max(axis=1)
        odds = weights * np.clip(distance, 0, None)
        odds[chosen] = 0
        free = np.setdiff1d(np.arange(len(vectors)), chosen)
        chosen.append(
            int(rng.choice(len(vectors), p=odds / odds.sum()) if odds.sum() > 0 else rng.choice(free))
        )
    return vectors[chosen]


def _centres(vectors: Array, weights: Array, members: NDArray[np.intp], count: int) -> Array:
    sums = np.zeros((count, vectors.shape[1]))
    np.add.at(sums, members, weights[:, None] * vectors)
    centres: Array = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return centres


def silhouette(vectors: Array, members: NDArray[np.intp]) -> float:
    """Mean silhouette of a partition under the cosine distance; 0 for who is alone in a part."""
    distance = 1 - vectors @ vectors.T
    belongs = members[:, None] == np.unique(members)  # (vectors, parts)
    counts = belongs.sum(axis=0)
    sums = distance @ belongs  # (vectors, parts)
    own = counts[belongs.argmax(axis=1)]
    within = sums[belongs] / np.maximum(own - 1, 1)
    between = np.where(belongs, np.inf, sums / counts).min(axis=1)
    width = (between - within) / np.maximum(np.maximum(between, within), 1e-12)
    return float(np.where(own > 1, width, 0.0).mean())


def _fill(
    labels: NDArray[np.intp], vectors: NDArray[np.float32], used: NDArray[np.bool_], centres: Array
) -> None:
    """Label the pieces of a local speaker that moved no centre: by their vector, else as their neighbour."""
    known = ~np.isnan(vectors[:, 0])
    for piece in np.flatnonzero(known & ~used):
        labels[piece] = int((centres @ vectors[piece]).argmax())
    if known.any():
        at = np.flatnonzero(known)
        for piece in np.flatnonzero(~known):
            labels[piece] = labels[at[np.abs(at - piece).argmin()]]
