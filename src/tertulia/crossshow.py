"""Cross-show diarization: a collection of recordings in which one person keeps one name.

Source: Dupuy, Rouvier, Meignier & Estève, "i-vectors and ILP clustering adapted to cross-show speaker
diarization" (Interspeech 2012). Either the pure clusters of all recordings are clustered at once, or each
recording by itself first and then the speakers of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tertulia._version import __version__
from tertulia.audio import Channels, Recording, Source, open_audio
from tertulia.chains import WholeRecording
from tertulia.chains.lium import LIUMChain
from tertulia.chains.recording import cepstra
from tertulia.clustering.ilp import Partition
from tertulia.clustering.linkage import collect
from tertulia.clustering.programmed import ILPClusterer
from tertulia.config import settings
from tertulia.counting import reconcile
from tertulia.embedding import Voices
from tertulia.errors import UsageError
from tertulia.pipeline import Diarizer, Pipeline
from tertulia.progress import Report
from tertulia.segmentation import Activity
from tertulia.speakers import ANY, Speakers
from tertulia.stitch import stitch
from tertulia.timeline import Diarization, Provenance, Segment, Timeline
from tertulia.traits import Traits, with_traits

__all__ = ["CrossShow", "cross_show"]

Labels = NDArray[np.intp]
Array = NDArray[np.float64]
Turns = Mapping[int, tuple[Timeline, Traits]]


class Show(Protocol):
    """A recording as clusters of one person each."""

    def __len__(self) -> int:
        """Count the clusters."""
        ...

    def collapsed(self, labels: Labels) -> Self:
        """Join clusters with the same label, (clusters,) numbered from 0."""
        ...

    def found(self, speaker: Labels) -> Turns:
        """Turns and traits of each speaker, from the speaker of each cluster, (clusters,)."""
        ...


class CrossShow(Protocol):
    """What a system has to be able to do with a collection."""

    def listen(self, recording: Recording, speakers: Speakers, progress: Report | None) -> tuple[Show, float]:
        """Find the clusters of an open mono recording; also returns its length in seconds.

        Everybody may be in this recording, so there are at least as many clusters as there must be speakers.
        """
        ...

    def speakers(self, shows: Sequence[Any], speakers: Speakers) -> Partition:
        """Merge the clusters of one or more recordings, labels (clusters of all,)."""
        ...

    @property
    def about(self) -> dict[str, Any]:
        """Settings, for provenance."""
        ...


def cross_show(
    pipeline: Pipeline,
    sources: Sequence[Source],
    speakers: Speakers = ANY,
    *,
    at_once: bool = False,
    channels: Channels = "mix",
    progress: Report | None = None,
    names: Sequence[str] | None = None,
) -> list[Diarization]:
    """Tell who speaks when in a collection of recordings, with the same name for the same person in all.

    Args:
        pipeline: a loaded system of the LIUM family.
        sources: the recordings.
        speakers: what is known about how many people there are in all recordings together.
        at_once: cluster all recordings at once instead of each by itself first.
        channels: "mix", or the number of one channel.
        progress: called for each recording as by `Diarizer`.
        names: of the recordings; by default told by the sources.

    Returns:
        One diarization a recording. Speakers are numbered in order of first speech, recording by recording.

    Raises:
        UsageError: for another system, split channels, or a number of speakers that cannot be had.
        AudioError: when a recording cannot be read.
    """
    if channels == "split":
        raise UsageError("a collection is clustered with the channels mixed, or one of them")
    system = _system(pipeline)
    shows, about = [], []
    for source, name in zip(sources, names or [""] * len(sources), strict=True):
        with open_audio(source, channels=channels, name=name) as recording:
            show, seconds = system.listen(recording, speakers, progress)
            about.append((Path(recording.name).stem, seconds, recording.messages))
        shows.append(show)
    if not shows:
        return []
    messages: tuple[str, ...] = ()
    if not at_once:
        parts = [system.speakers([show], ANY) for show in shows]
        messages = tuple(message for part in parts for message in part.messages)
        shows = [show.collapsed(part.labels) for show, part in zip(shows, parts, strict=True)]
    partition = system.speakers(shows, speakers)
    edges = np.cumsum([len(show) for show in shows])[:-1]
    found = [show.found(own) for show, own in zip(shows, np.split(partition.labels, edges), strict=True)]
    called = _names(found)
    if called and len(called) not in speakers:
        raise UsageError(
            f"{speakers} speakers were asked for, but only {len(called)} can be told apart in the collection"
        )
    given = {**system.about, "collection": tuple(uri for uri, _, _ in about), "at_once": at_once}
    return [
        _diarization(
            {called[k]: content for k, content in turns.items() if k in called},
            uri,
            seconds,
            Provenance(
                __version__,
                pipeline.name,
                settings=given,
                messages=(*said, *messages, *partition.messages),
            ),
        )
        for turns, (uri, seconds, said) in zip(found, about, strict=True)
    ]


def _names(found: Sequence[Turns]) -> dict[int, str]:
    """Number the people of all recordings in order of first speech."""
    called: dict[int, str] = {}
    for turns in found:
        heard = [k for k, (timeline, _) in turns.items() if len(timeline)]
        for k in sorted(heard, key=lambda k: turns[k][0][0]):
            called.setdefault(k, f"SPEAKER_{len(called):02d}")
    return called


def _diarization(
    turns: Mapping[str, tuple[Timeline, Traits]], uri: str, seconds: float, provenance: Provenance
) -> Diarization:
    inside = Segment(0.0, seconds)
    result = Diarization(
        {name: timeline.crop(inside) for name, (timeline, _) in turns.items()},
        uri=uri,
        duration=seconds,
        provenance=provenance,
    )
    return with_traits(result, {name: traits for name, (_, traits) in turns.items()})


def _system(pipeline: Pipeline) -> CrossShow:
    if isinstance(pipeline, WholeRecording) and isinstance(pipeline.chain, LIUMChain):
        return _Gaussian(pipeline.chain)
    if isinstance(pipeline, Diarizer) and isinstance(pipeline.clusterer, ILPClusterer):
        return _Neural(pipeline, pipeline.clusterer)
    raise UsageError(
        f"{pipeline.name} cannot cluster a collection; systems with the pipeline 'lium' or the clusterer "
        "'ilp' can, such as lium-clr, lium-ilp and lium-ilp-neural"
    )


@dataclass(frozen=True)
class _Gaussian:
    """The Gaussian chain."""

    chain: LIUMChain

    def listen(self, recording: Recording, speakers: Speakers, progress: Report | None) -> tuple[Show, float]:
        features, seconds = cepstra(recording, progress)
        try:
            return self.chain.listen(features, speakers), seconds
        except UsageError:  # too short for everybody, who need not be in it
            return self.chain.listen(features, ANY), seconds

    def speakers(self, shows: Sequence[Any], speakers: Speakers) -> Partition:
        return self.chain.speakers(shows, speakers)

    @property
    def about(self) -> dict[str, Any]:
        return {"chain": settings(self.chain)}


@dataclass(frozen=True)
class _Neural:
    """Networks for activity and voices, integer programming for speakers."""

    diarizer: Diarizer
    clusterer: ILPClusterer

    def listen(self, recording: Recording, speakers: Speakers, progress: Report | None) -> tuple[Show, float]:
        activity, voices, seconds = self.diarizer.listen(recording, progress)
        sums, weights = self.clusterer.pure_clusters(voices, speakers)
        return _Windows(self, activity, voices, seconds, sums, weights), seconds

    def speakers(self, shows: Sequence[Any], speakers: Speakers) -> Partition:
        sums = np.concatenate([show.sums for show in shows])
        weights = np.concatenate([show.weights for show in shows])
        return self.clusterer.program(sums, weights, speakers)

    @property
    def about(self) -> dict[str, Any]:
        parts = {"segmentation": self.diarizer.segmenter, "embedding": self.diarizer.embedder}
        parts["clustering"] = self.clusterer
        return {key: settings(part) for key, part in parts.items() if is_dataclass(part)}


@dataclass(frozen=True, eq=False)
class _Windows:
    """Activity and voices of a recording, and the clusters of its voices."""

    system: _Neural
    activity: Activity
    voices: Voices
    seconds: float
    sums: Array
    weights: Array

    def __len__(self) -> int:
        return len(self.sums)

    def collapsed(self, labels: Labels) -> _Windows:
        sums, weights = collect(self.sums, self.weights, labels) if len(labels) else (self.sums, self.weights)
        return _Windows(self.system, self.activity, self.voices, self.seconds, sums, weights)

    def found(self, speaker: Labels) -> Turns:
        people, columns = np.unique(speaker, return_inverse=True)
        if not len(people):
            return {}
        sums, _ = collect(self.sums, self.weights, columns)
        labels = self.system.clusterer.label(self.voices, sums)
        stitched = reconcile(stitch(self.activity, labels, self.seconds), Speakers(maximum=len(people)))
        binarize, grid = self.system.diarizer.binarize, stitched.frames.grid
        masks = binarize(stitched).T  # people without any label have no column at the end
        heard = zip(people[: len(masks)].tolist(), masks, strict=True)
        return {k: (binarize.timeline(mask, grid), Traits()) for k, mask in heard}
