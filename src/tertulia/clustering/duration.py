"""Clustering that knows how much speech is behind each vector.

Three steps, each on what the one before has made:

1. *Purify*: pieces of one local speaker in one window are clustered by themselves. Usually that gives one
   cluster; where the segmentation took two people for one, it gives two.
2. *Merge* these stretches over the whole recording (`linkage.agglomerate`), and drop clusters with too
   little speech in them.
3. *Label* every piece with the most similar speaker: neighbouring pieces of a local speaker prefer one label,
   and two local speakers that are active in one piece never share one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tertulia.clustering.base import Labels, refuse_count
from tertulia.clustering.linkage import Dendrogram, agglomerate, collect, premerge
from tertulia.embedding.voices import Voices, unit
from tertulia.speakers import Speakers

__all__ = ["DurationClusterer", "every_piece"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DurationClusterer:
    """Agglomerative clustering with similarities corrected for duration.

    Args:
        threshold: corrected similarity at which merging stops.
        attenuation: seconds of speech at which noise is as strong as the voice (see `agglomerate`).
        purity: cosine distance at which a local speaker is split (average linkage).
        least: seconds of support a piece needs to take part in clustering; every piece gets a label.
        smallest_share: clusters with less than this share of all speech are nobody.
        smallest: … unless they have this many seconds.
        never: clusters with fewer seconds than this are nobody.
        switch: cost of a change of label between neighbouring pieces of a local speaker.
        inertia: weight of the whole local speaker in the label of each of its pieces.
        overlap: seconds of two people at once that prove a second speaker where only one was found.
    """

    threshold: float = 0.64
    attenuation: float = 1.0
    purity: float = 0.5
    least: float = 0.5
    smallest_share: float = 0.01
    smallest: float = 10.0
    never: float = 0.3
    switch: float = 0.1
    inertia: float = 0.3
    overlap: float = 1.0

    def prepare(self) -> None:
        """Load what local speakers are split with: a third of a second."""
        import scipy.cluster.hierarchy  # noqa: F401

    def __call__(self, voices: Voices, speakers: Speakers) -> Labels:
        """Label every piece; see `Clusterer`."""
        active = voices.present.sum(axis=2) > 0  # (windows, local speakers)
        labels = np.full(voices.present.shape, -1, dtype=np.intp)
        if not active.any():
            if speakers.num or speakers.minimum:
                raise refuse_count(speakers, 0)
            return labels
        centroids = self._centroids(voices, speakers)
        if len(centroids) == 1 and 2 in speakers and self._together(voices) >= self.overlap:
            centroids = np.vstack([centroids, np.zeros_like(centroids)])  # equally far from every voice
        labelled = self._label(voices, centroids)
        labels[active] = labelled[active]
        return labels

    def _together(self, voices: Voices) -> float:
        """Seconds in which two local speakers must be active at once, since a piece is too short for both."""
        if voices.present.shape[1] < 2:
            return 0.0
        two = np.sort(voices.present, axis=1)[:, -2:].sum(axis=1)  # (windows, pieces)
        return float(np.maximum(two - voices.piece, 0).sum() / voices.redundancy)

    # ── speakers ─────────────────────────────────────────────────────────────────────────────────────

    def _centroids(self, voices: Voices, speakers: Speakers) -> Array:
        """Directions of the speakers, (speakers, dim)."""
        sums, weights = self._stretches(voices, self.least)
        if len(sums) < speakers.least:
            sums, weights = every_piece(voices)
        if len(sums) < max(speakers.least, 1):
            if speakers.num or speakers.minimum:
                raise refuse_count(speakers, len(sums))
            return np.zeros((1, voices.vectors.shape[3]))  # speech, too short to tell voices apart
        early = premerge(sums, weights, self.attenuation, stop=self.threshold + 0.2)
        if early.max() + 1 < speakers.least:
            early = np.arange(len(sums))
        sums, weights = collect(sums, weights, early)
        tree = agglomerate(sums, weights, self.attenuation)
        labels = tree.labels(self._cut(tree, weights, speakers))
        sums, weights = collect(sums, weights, labels)
        kept = weights >= self._enough(weights)
        if kept.sum() not in speakers:
            wanted = min(max(int(kept.sum()), speakers.least), speakers.most or len(weights))
            kept = np.isin(np.arange(len(weights)), np.argsort(-weights, kind="stable")[:wanted])
        chosen = sums[kept]
        return np.asarray(chosen / np.linalg.norm(chosen, axis=1, keepdims=True))

    def _enough(self, weights: Array) -> float:
        """Seconds of speech that make a cluster somebody; the largest cluster always has enough."""
        enough = min(max(self.smallest_share * weights.sum(), self.never), self.smallest)
        return float(min(enough, weights.max()))

    def _cut(self, tree: Dendrogram, weights: Array, speakers: Speakers) -> int:
        """Number of merges: as many as the threshold allows, or the nearest number that gives the count."""
        natural = tree.merges_above(self.threshold)
        counts = self._counts(tree, weights, self._enough(weights))
        if counts[natural] < speakers.least:  # rather somebody who says little than one voice taken for two
            counts = self._counts(tree, weights, self.never)
        fitting = np.flatnonzero([count in speakers for count in counts])
        if len(fitting):
            return int(fitting[np.abs(fitting - natural).argmin()])
        return min(natural, tree.items - speakers.least)

    def _counts(self, tree: Dendrogram, weights: Array, enough: float) -> list[int]:
        """Count clusters with enough seconds, at least one, after 0, 1, 2 … merges."""
        sizes = weights.astype(float).copy()
        counts = [max(1, int((sizes >= enough).sum()))]
        for a, b in tree.pairs:
            sizes[a] += sizes[b]
            sizes[b] = 0
            counts.append(max(1, int((sizes >= enough).sum())))
        return counts

    def _stretches(self, voices: Voices, least: float) -> tuple[Array, Array]:
        """Purified stretches: weighted sums (stretches, dim) and independent seconds (stretches,)."""
        usable = voices.embedded & (voices.support >= least)
        sums, weights = [], []
        for window, speaker in np.argwhere(usable.any(axis=2)):
            pieces = usable[window, speaker]
            vectors = unit(voices.vectors[window, speaker, pieces]).astype(np.float64)
            seconds = voices.solo[window, speaker, pieces].astype(np.float64) + 1e-3
            for members in _split(vectors, self.purity):
                sums.append(seconds[members] @ vectors[members])
                weights.append(seconds[members].sum())
        scale = 1 / voices.redundancy
        return np.array(sums).reshape(-1, voices.vectors.shape[3]) * scale, np.array(weights) * scale

    # ── labels ───────────────────────────────────────────────────────────────────────────────────────

    def _label(self, voices: Voices, centroids: Array) -> Labels:
        """Most similar speaker for every piece, strongest local speaker of a window first."""
        towards = centroids.T.astype(np.float32)
        # Some windows at a time: the vectors of hours of sound are not to be copied.
        blocks = (voices.vectors[i : i + 256] for i in range(0, len(voices), 256))
        similar = np.concatenate([np.nan_to_num(unit(block)) @ towards for block in blocks])
        similar *= np.minimum(voices.support, 1.0)[..., None]
        solo = voices.solo[..., None]
        whole = (similar * solo).sum(axis=2) / np.maximum(solo.sum(axis=2), 1e-6)
        scores = similar + self.inertia * whole[:, :, None]  # within ± (1 + inertia)
        rank = np.argsort(-voices.solo.sum(axis=2), axis=1, kind="stable")  # (windows, local)
        labels = np.full(voices.present.shape, -1, dtype=np.intp)
        windows = np.arange(len(voices))
        taken = np.zeros((len(voices), voices.present.shape[2], len(centroids)), dtype=bool)
        forbidding = 2 * (1 + self.inertia + self.switch) + 1  # no gain elsewhere is worth that
        for speaker in rank.T:
            # Cannot-link: whoever is active in a piece already has that speaker for itself.
            mine = scores[windows, speaker] - np.float32(forbidding) * taken
            best = _smooth(mine, self.switch)
            labels[windows, speaker] = best
            busy = voices.present[windows, speaker] > 0.1
            window, piece = np.nonzero(busy)
            taken[window, piece, best[window, piece]] = True
        return labels


def every_piece(voices: Voices) -> tuple[Array, Array]:
    """Every embedded piece by itself: sums (pieces, dim) and seconds (pieces,)."""
    there = voices.embedded
    seconds = voices.solo[there].astype(np.float64) + 1e-3
    return unit(voices.vectors[there]).astype(np.float64) * seconds[:, None], seconds


def _split(vectors: Array, distance: float) -> list[NDArray[np.intp]]:
    """Cluster the pieces of one local speaker by average linkage; index arrays of the clusters."""
    if len(vectors) == 1:
        return [np.zeros(1, dtype=np.intp)]
    from scipy.cluster.hierarchy import fcluster, linkage

    labels = fcluster(linkage(vectors, "average", "cosine"), distance, "distance")
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _smooth(scores: NDArray[np.float32], switch: float) -> Labels:
    """Find the best labels when a change costs `switch` (Viterbi).

    Scores (windows, pieces, speakers) → labels (windows, pieces).
    """
    windows, pieces, speakers = scores.shape
    total = scores[:, 0].copy()
    came_from = np.zeros((windows, pieces, speakers), dtype=np.intp)
    every = np.arange(windows)
    for piece in range(1, pieces):
        best = total.argmax(axis=1)
        jump = total[every, best][:, None] - switch
        stay = total >= jump
        came_from[:, piece] = np.where(stay, np.arange(speakers), best[:, None])
        total = np.where(stay, total, jump) + scores[:, piece]
    path = np.empty((windows, pieces), dtype=np.intp)
    path[:, -1] = total.argmax(axis=1)
    for piece in range(pieces - 1, 0, -1):
        path[:, piece - 1] = came_from[every, piece, path[:, piece]]
    return path
