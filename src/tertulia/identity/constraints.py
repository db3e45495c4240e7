"""Clustering that knows some of the voices: one enrolled person is one speaker, and two are never one.

What a clusterer has found is corrected where enrolled people say so. Two clusters that are the same person
become one. A cluster is divided when its halves, found by 2-means, are two different people. Nothing else
changes, and strangers are clustered as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tertulia.clustering import Clusterer
from tertulia.clustering.base import Labels
from tertulia.embedding.voices import Voices, unit
from tertulia.identity.matching import Matcher
from tertulia.identity.voiceprint import Voiceprint
from tertulia.speakers import Speakers

__all__ = ["KnownVoices"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class KnownVoices:
    """A clusterer that follows another and corrects it.

    Args:
        clusterer: the other.
        matcher: knows the voices, by vectors that can be compared with those of the `Voices`.
        least: seconds of speech that a cluster, or half of one, is recognised by.
        together: share of the shorter of two clusters that may be spoken at the same time as the longer one
            when they are joined: nobody speaks twice at once.
    """

    clusterer: Clusterer
    matcher: Matcher
    least: float = 3.0
    together: float = 0.2

    def __call__(self, voices: Voices, speakers: Speakers) -> Labels:
        """Label every piece; see `Clusterer`."""
        labels = self.clusterer(voices, speakers)
        stretches = _Stretches.of(voices)
        return self._joined(voices, stretches, self._divided(stretches, labels, speakers), speakers)

    def _divided(self, stretches: _Stretches, labels: Labels, speakers: Speakers) -> Labels:
        waiting = list(range(_count(labels)))
        labels = labels.copy()
        while waiting and (speakers.most is None or _count(labels) < speakers.most):
            label = waiting.pop()
            for part in self._two_people(stretches, labels, label):
                new = _count(labels)
                labels[part] = new
                waiting += [label, new]
        return labels

    def _two_people(self, stretches: _Stretches, labels: Labels, label: int) -> Iterator[NDArray[np.bool_]]:
        """Yield the pieces of a cluster that are somebody else than the rest of it, if so."""
        sums, seconds, where = stretches.of_label(labels, label)
        second = _two_means(sums)
        halves = [self._name(sums[half], seconds[half]) for half in (~second, second)]
        if None not in halves and halves[0] != halves[1]:
            mine = np.zeros(labels.shape, bool)
            windows, local = where[0][second], where[1][second]
            mine[windows, local] = labels[windows, local] == label
            yield mine

    def _joined(self, voices: Voices, stretches: _Stretches, labels: Labels, speakers: Speakers) -> Labels:
        first: dict[str, int] = {}
        labels = labels.copy()
        count = _count(labels)
        for label in range(count):
            sums, seconds, _ = stretches.of_label(labels, label)
            name = self._name(sums, seconds)
            if name is None:
                continue
            other = first.setdefault(name, label)
            if other != label and count > speakers.least and not self._at_once(voices, labels, other, label):
                labels[labels == label] = other
                count -= 1
        return _renumbered(labels)

    def _name(self, sums: Array, seconds: NDArray[np.float64]) -> str | None:
        if seconds.sum() < self.least:
            return None
        voiceprint = Voiceprint(sums.sum(axis=0), float(seconds.sum()), self.matcher.gallery.model)
        match = self.matcher.best(voiceprint)
        return match.name if match else None

    def _at_once(self, voices: Voices, labels: Labels, one: int, other: int) -> bool:
        """Whether two clusters are active at the same time too much to be one person."""
        active = [((labels == label) & (voices.present > 0.1)).any(axis=1) for label in (one, other)]
        both = (active[0] & active[1]).sum()  # pieces of windows
        return bool(both > self.together * min(active[0].sum(), active[1].sum()))


@dataclass(frozen=True, slots=True, eq=False)
class _Stretches:
    """Sums of what each local speaker says under one label, weighted by seconds."""

    vectors: Array  # (windows, local speakers, pieces, dim), seconds · vector, zero where there is none
    seconds: Array  # (windows, local speakers, pieces)
    scale: float

    @classmethod
    def of(cls, voices: Voices) -> _Stretches:
        seconds = np.where(voices.embedded, voices.solo, 0).astype(np.float32)
        return cls(unit(np.nan_to_num(voices.vectors)) * seconds[..., None], seconds, 1 / voices.redundancy)

    def of_label(
        self, labels: Labels, label: int
    ) -> tuple[Array, NDArray[np.float64], tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Sums (stretches, dim), seconds (stretches,), and windows and local speakers of a label."""
        mine = (labels == label) & (self.seconds > 0)
        window, local = np.nonzero(mine.any(axis=2))
        weights = mine[window, local].astype(np.float32)  # (stretches, pieces)
        sums = np.einsum("sp,spd->sd", weights, self.vectors[window, local])
        seconds = (weights * self.seconds[window, local]).sum(axis=1) * self.scale
        return sums, seconds.astype(np.float64), (window, local)


def _two_means(sums: Array, rounds: int = 20) -> NDArray[np.bool_]:
    """Divide vectors by spherical 2-means, weighted by their lengths, from the main direction of spread."""
    if len(sums) < 2:
        return np.zeros(len(sums), bool)
    centred = unit(sums) - unit(sums).mean(axis=0)
    if not centred.any():
        return np.zeros(len(sums), bool)
    direction = np.linalg.svd(centred, full_matrices=False)[2][0]
    second = centred @ direction > 0
    for _ in range(rounds):
        if second.all() or not second.any():
            break
        centres = unit(np.stack([sums[~second].sum(axis=0), sums[second].sum(axis=0)]))
        moved = sums @ centres[1] > sums @ centres[0]
        if (moved == second).all():
            break
        second = moved
    return np.asarray(second)


def _count(labels: Labels) -> int:
    return int(labels.max(initial=-1)) + 1


def _renumbered(labels: Labels) -> Labels:
    """Number labels from 0 without gaps; −1 stays."""
    present = np.unique(labels[labels >= 0])
    table = np.full(_count(labels) + 1, -1, dtype=np.intp)  # the last entry is that of −1
    table[present] = np.arange(len(present))
    return table[labels]
