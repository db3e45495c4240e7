"""The chain of LIUM SpkDiarization: kinds of sound, BIC segments, BIC clusters, re-segmentation, speakers.

Source: Meignier & Merlin, "LIUM SpkDiarization: an open source toolkit for diarization" (CMU SPUD Workshop
2010); with integer programming, Rouvier & Meignier (Odyssey 2012). Read `LIUMChain.__call__` first.

The first stages find clusters that are pure rather than complete, one Gaussian each; CLR or ILP then merge
them by models of voices, which need that much speech of one person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tertulia.chains.recording import Found, Stage
from tertulia.clustering.base import refuse_count
from tertulia.clustering.bic import cluster_by_bic
from tertulia.clustering.clr import cluster_by_clr
from tertulia.clustering.ilp import Partition, cluster_by_ilp
from tertulia.errors import UsageError
from tertulia.featurefiles import Features
from tertulia.frames import Grid
from tertulia.gaussians import Moments, Statistics, fit, viterbi
from tertulia.gaussians.background import background, scene_features, voice_features
from tertulia.mfcc import STEP
from tertulia.segmentation.bic import bic_segments, quiet_edges
from tertulia.segmentation.mixtures import SPEECH, kinds_of_sound, traits_of_voice
from tertulia.speakers import Speakers
from tertulia.timeline import Timeline
from tertulia.traits import Traits

__all__ = ["LIUMChain", "Show"]

Labels = NDArray[np.intp]
Cepstra = NDArray[np.float32]

_CEPSTRA = 13


@dataclass(frozen=True, slots=True, eq=False)
class Show:
    """A recording as the last stage sees it: pure clusters.

    Attributes:
        labels: cluster of each frame, (frames,); −1 where nobody speaks.
        gaussians: moments of the cepstra of each cluster, (clusters,).
        statistics: what the background model has seen of each cluster, (clusters,).
        cepstra: of the recording, (frames, 13).
        kinds: kind of sound of each frame, (frames,).
    """

    labels: Labels
    gaussians: Moments
    statistics: Sequence[Statistics]
    cepstra: Cepstra
    kinds: Labels

    def __len__(self) -> int:
        """Count the clusters."""
        return len(self.statistics)

    def collapsed(self, labels: Labels) -> Show:
        """Join clusters with the same label, (clusters,) numbered from 0."""
        members = [np.flatnonzero(labels == k) for k in range(labels.max(initial=-1) + 1)]
        one = [reduce(add, (self.gaussians[i : i + 1] for i in mine)) for mine in members]
        return Show(
            self.merged(labels),
            Moments.join(one) if one else self.gaussians,
            [reduce(add, (self.statistics[i] for i in mine.tolist())) for mine in members],
            self.cepstra,
            self.kinds,
        )

    def merged(self, speaker: Labels) -> Labels:
        """Speaker of each frame, (frames,), from that of each cluster, (clusters,)."""
        return np.where(self.labels >= 0, np.append(speaker, -1)[self.labels], -1)

    def found(self, speaker: Labels) -> dict[int, tuple[Timeline, Traits]]:
        """Turns and traits of each speaker, from the speaker of each cluster, (clusters,)."""
        labels, scene = self.merged(speaker), scene_features(self.cepstra)
        result = {}
        for each in np.unique(speaker).tolist():
            mine = labels == each
            result[each] = (Grid(STEP).timeline(mine), traits_of_voice(scene[mine], self.kinds[mine]))
        return result


@dataclass(frozen=True)
class LIUMChain:
    """Diarization of broadcasts and meetings with Gaussian models.

    Args:
        clustering: what merges the pure clusters in the end: "bic", "clr" (cross likelihood ratio) or "ilp"
            (integer programming on i-vectors).
        threshold: λ of "bic", cross likelihood ratio above which "clr" merges, or cosine distance up to which
            "ilp" does.
        window: seconds of each of the two windows that look for changes.
        segmentation: λ of the BIC that joins neighbouring segments.
        purity: λ of the BIC that clusters segments.
        components: of the mixture of each cluster in re-segmentation.
        stay: seconds that a turn lasts at least in re-segmentation.
        switch: log probability of a change of speaker in re-segmentation.
        time_limit: seconds that integer programming may take.
    """

    clustering: Literal["bic", "clr", "ilp"] = "ilp"
    threshold: float = 0.5
    window: float = 2.5
    segmentation: float = 2.0
    purity: float = 6.0
    components: int = 8
    stay: float = 1.0
    switch: float = -50.0
    time_limit: float = 20.0

    def __post_init__(self) -> None:
        if not (self.window >= 0.1 and self.stay > 0 and self.components >= 1 and self.time_limit > 0):
            raise ValueError("window goes from 0.1 s, components from 1, stay and time_limit are above zero")
        if not (self.segmentation > 0 and self.purity > 0 and self.switch <= 0):
            raise ValueError("segmentation and purity are above zero, switch is not")

    @property
    def models(self) -> dict[str, str]:
        """Bundled models by name, for provenance."""
        return {"background": background().sha256}

    def __call__(self, features: Features, speakers: Speakers, stage: Stage) -> Found:
        """Find the speakers; see `Chain`."""
        show = self.listen(features, speakers, stage)
        partition = self.speakers([show], speakers)
        found = show.found(partition.labels)
        stage(1.0)
        turns, traits = zip(*found.values(), strict=True) if found else ((), ())
        return Found(turns, traits, messages=partition.messages)

    def listen(self, features: Features, speakers: Speakers, stage: Stage = lambda _: None) -> Show:
        """Go through all stages but the last: clusters of one person each, at least as many as speakers."""
        cepstra = _checked(features)
        kinds = kinds_of_sound(cepstra)  # (frames,)
        voiced = np.flatnonzero(SPEECH[kinds])
        stage(0.3)
        spoken = cepstra[voiced]  # (frames of speech, 13)
        labels = self._clusters(spoken, speakers)
        stage(0.6)
        labels = self._resegmented(spoken, labels, speakers)
        labels = quiet_edges(labels, spoken[:, 0])
        labels = np.unique(labels, return_inverse=True)[1]
        stage(0.8)
        voice = voice_features(cepstra)[voiced]
        ubm = background().ubm
        clusters = labels.max(initial=-1) + 1
        everywhere = np.full(len(cepstra), -1, dtype=np.intp)
        everywhere[voiced] = labels
        return Show(
            everywhere,
            Moments.of_labels(spoken, labels),
            [Statistics.of(ubm, voice[labels == k]) for k in range(clusters)],
            cepstra,
            kinds,
        )

    def speakers(self, shows: Sequence[Show], speakers: Speakers) -> Partition:
        """Merge the clusters of one or more recordings; labels (clusters of all,)."""
        clusters = [seen for show in shows for seen in show.statistics]
        if self.clustering == "clr":
            return Partition(cluster_by_clr(background().ubm, clusters, self.threshold, speakers))
        if self.clustering == "bic":
            gaussians = Moments.join([show.gaussians for show in shows])
            return Partition(cluster_by_bic(gaussians, self.threshold, speakers))
        vectors = background().vectors(clusters)
        distances = np.clip(1 - vectors @ vectors.T, 0, 2)
        return cluster_by_ilp(distances, self.threshold, speakers, time_limit=self.time_limit)

    def _clusters(self, spoken: Cepstra, speakers: Speakers) -> Labels:
        """Cluster of each frame of speech by BIC, (frames of speech,)."""
        bounds = bic_segments(spoken, round(self.window / STEP), self.segmentation)
        if len(bounds) < speakers.least:
            bounds = _pieces(len(spoken), speakers)
        at_least = Speakers(minimum=speakers.least) if bounds.size else Speakers()
        labels = cluster_by_bic(Moments.of(spoken, bounds), self.purity, at_least)
        return np.repeat(labels, bounds[:, 1] - bounds[:, 0])

    def _resegmented(self, spoken: Cepstra, labels: Labels, speakers: Speakers) -> Labels:
        """Let a mixture of each cluster say where it speaks, (frames of speech,)."""
        clusters = labels.max(initial=-1) + 1
        if clusters < 2:
            return labels
        models = [fit(spoken[labels == k], self.components, iterations=10) for k in range(clusters)]
        scores = np.stack([model.log_likelihood(spoken) for model in models], axis=1)
        again = viterbi(scores, round(self.stay / STEP), self.switch)
        # Who was asked for must not be lost where a short stay loses against its neighbours.
        return again if len(np.unique(again)) >= speakers.least else labels


def _checked(features: Features) -> Cepstra:
    """Return the 13 cepstra that the models know, (frames, 13)."""
    _, dim = features.values.shape
    if dim < _CEPSTRA or abs(features.step - STEP) > 1e-6:
        raise UsageError(
            f"this system needs at least {_CEPSTRA} cepstra, c0 first, every {STEP:g} s; "
            f"got {dim} features every {features.step:g} s"
        )
    return features.values[:, :_CEPSTRA]


def _pieces(frames: int, speakers: Speakers) -> Labels:
    """Cut speech that has too few segments into equal pieces, one for each speaker there has to be."""
    if frames < speakers.least and (speakers.num or speakers.minimum):
        raise refuse_count(speakers, frames)
    edges = np.linspace(0, frames, min(speakers.least, frames) + 1).astype(np.intp)
    return np.stack([edges[:-1], edges[1:]], axis=1)
