"""Voices of a network clustered as LIUM clusters its i-vectors: pure clusters, then integer programming."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tertulia.clustering.base import Labels, refuse_count
from tertulia.clustering.duration import DurationClusterer, every_piece
from tertulia.clustering.ilp import Partition, cluster_by_ilp
from tertulia.clustering.linkage import agglomerate, collect, premerge
from tertulia.embedding.voices import Voices
from tertulia.speakers import ANY, Speakers

__all__ = ["ILPClusterer", "similarities"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ILPClusterer(DurationClusterer):
    """Integer programming on clusters that are surely one person; see `DurationClusterer` for settings.

    Stretches are merged while they are very similar, and the program chooses the fewest of these clusters
    that are near enough to all others (Rouvier & Meignier 2012). `threshold` is the similarity of a cluster
    to its centre: one minus the δ of the paper.

    Args:
        pure: corrected similarity at which the merging before the program stops.
        time_limit: seconds for the program; after that, a warning and agglomerative clustering.
    """

    pure: float = 0.75
    time_limit: float = 20.0

    def _centroids(self, voices: Voices, speakers: Speakers) -> Array:
        """Directions of the speakers, (speakers, dim)."""
        sums, weights = self.pure_clusters(voices, speakers)
        if len(sums) < max(speakers.least, 1):
            if speakers.num or speakers.minimum:
                raise refuse_count(speakers, len(sums))
            return np.zeros((1, voices.vectors.shape[3]))  # speech, too short to tell voices apart
        chosen = self._somebody(sums, weights)
        if len(chosen) not in speakers:
            # Whatever takes part in a program with a number of centres counts: let it be somebody by itself.
            order = np.argsort(-weights, kind="stable")
            part = order[: max(speakers.least, int((weights >= self._enough(weights)).sum()))]
            labels = _said(self.program(sums[part], weights[part], speakers))
            chosen = collect(sums[part], weights[part], labels)[0]
        return np.asarray(chosen / np.linalg.norm(chosen, axis=1, keepdims=True))

    def pure_clusters(self, voices: Voices, speakers: Speakers = ANY) -> tuple[Array, Array]:
        """Clusters of one person each: weighted sums (clusters, dim) and independent seconds (clusters,)."""
        sums, weights = self._stretches(voices, self.least)
        if len(sums) < speakers.least:
            sums, weights = every_piece(voices)
        if not len(sums):
            return sums, weights
        early = premerge(sums, weights, self.attenuation, stop=self.pure + 0.1)
        merged, seconds = collect(sums, weights, early)
        tree = agglomerate(merged, seconds, self.attenuation, stop=self.pure)
        labels = tree.labels(len(tree.pairs))
        if labels.max() + 1 < speakers.least:
            return sums, weights
        return collect(merged, seconds, labels)

    def label(self, voices: Voices, sums: Array) -> Labels:
        """Most similar speaker for every piece; see `Clusterer`.

        Args:
            voices: of the recording.
            sums: weighted sums of the vectors of each speaker, (speakers, dim).
        """
        directions = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        active = voices.present.sum(axis=2) > 0  # (windows, local speakers)
        labels = np.full(voices.present.shape, -1, dtype=np.intp)
        labels[active] = self._label(voices, directions)[active]
        return labels

    def program(self, sums: Array, weights: Array, speakers: Speakers = ANY) -> Partition:
        """Speaker of each cluster, (clusters,), by integer programming."""
        distances = np.clip(1 - similarities(sums, weights, self.attenuation), 0, 2)
        return cluster_by_ilp(distances, 1 - self.threshold, speakers, time_limit=self.time_limit)

    def _somebody(self, sums: Array, weights: Array) -> Array:
        """Sums of the speakers with enough speech, when nothing is known about their number."""
        total, seconds = collect(sums, weights, _said(self.program(sums, weights)))
        return total[seconds >= self._enough(seconds)]


def _said(partition: Partition) -> Labels:
    """Return the labels; a clusterer has no other way to say what did not go as asked for than to warn."""
    for message in partition.messages:
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    return partition.labels


def similarities(sums: Array, weights: Array, attenuation: float) -> Array:
    """Cosines of every two clusters, corrected for duration as in `agglomerate`, (clusters, clusters)."""
    directions = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    gain = np.sqrt(1 + attenuation / weights)
    return np.asarray((directions @ directions.T) * gain[:, None] * gain)
