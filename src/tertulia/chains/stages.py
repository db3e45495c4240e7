"""Single stages of diarization, with annotation files between them: `segment`, then `regroup`.

segments = segment("show.wav", GLRChanges())
speakers = regroup("show.wav", segments, Regrouping("bic"))
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tertulia._version import __version__
from tertulia.audio import Channels, Source, open_audio
from tertulia.chains.recording import cepstra
from tertulia.clustering import CLUSTERERS
from tertulia.clustering.bic import cluster_by_bic
from tertulia.clustering.clr import cluster_by_clr
from tertulia.clustering.ilp import Partition, cluster_by_ilp
from tertulia.config import part, settings
from tertulia.embedding import EMBEDDERS
from tertulia.embedding.siamese import Siamese
from tertulia.embedding.stretches import sliding_voices, stretch_voices
from tertulia.errors import UsageError, unknown
from tertulia.featurefiles import Features, is_feature_file, read
from tertulia.frames import Grid
from tertulia.gaussians import Moments, Statistics
from tertulia.gaussians.background import background, voice_features
from tertulia.mfcc import STEP, mfcc
from tertulia.segmentation.changes import ChangeMethod, SiameseChanges
from tertulia.segmentation.mixtures import SPEECH, kinds_of_sound
from tertulia.speakers import ANY, Speakers
from tertulia.timeline import Diarization, Provenance, Segment, Timeline
from tertulia.traits import Traits, traits_of, with_traits

__all__ = ["CEPSTRAL", "GROUPINGS", "Regrouping", "regroup", "segment"]

Samples = NDArray[np.float32]
Labels = NDArray[np.intp]
Mask = NDArray[np.bool_]

_SAMPLE_RATE = 16_000
_CEPSTRA = 13
_LEAST_ALONE = 0.5  # seconds

CEPSTRAL = {"bic": 3.0, "clr": 0.0, "ivector-ilp": 0.6}
"""Groupings by Gaussian models of cepstra, with their thresholds; all others are clusterers of vectors."""

GROUPINGS = (*CEPSTRAL, *CLUSTERERS)


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """A recording as the stages need it: features, and samples where there is audio."""

    features: Features
    seconds: float
    uri: str
    audio: bool = False
    samples: Samples | None = None
    messages: tuple[str, ...] = ()

    def sound(self, method: str) -> Samples:
        """Return the samples; raises `UsageError` for a file of features."""
        if self.samples is None:
            raise UsageError(f"{method} compares voices by a network and needs audio, not a file of features")
        return self.samples


# ── segments ─────────────────────────────────────────────────────────────────────────────────────────────


def segment(
    source: Source,
    method: ChangeMethod,
    speech: Timeline | None = None,
    *,
    channels: Channels = "mix",
    name: str = "",
) -> Diarization:
    """Cut the speech of a recording where the speaker changes.

    Pauses are left out before windows are compared, so a change in a pause lies where speech goes on.

    Args:
        source: a recording, or the path of a file of features.
        method: how changes are found.
        speech: where somebody speaks. By default Gaussian models tell; of features in a file, all is speech.
        channels: "mix" or the number of one.
        name: of the recording.

    Returns:
        Stretches of one speaker each, called S0, S1 … in order of time; a stretch may hold pauses.

    Raises:
        AudioError, FormatError: when the source cannot be read.
        UsageError: when the method needs audio and the source is a file of features.
    """
    heard = _listen(source, channels, name, keep=method.front != "cepstra")
    spoken = _speech(heard) if speech is None else _inside(speech, heard.seconds)
    edges = _changes(heard, method, spoken)
    cuts = np.concatenate([[0.0], edges, [max(heard.seconds, STEP)]])
    regions = [spoken.crop(Segment(a, b)) for a, b in itertools.pairwise(cuts.tolist()) if a < b]
    stretches = {f"S{k}": region for k, region in enumerate(r for r in regions if len(r))}
    about = _provenance("segment", {"changes": settings(method)}, heard.messages)
    return Diarization(stretches, uri=heard.uri, duration=heard.seconds, provenance=about)


def _changes(heard: _Heard, method: ChangeMethod, speech: Timeline) -> NDArray[np.float64]:
    """Instants at which the speaker changes, (changes,)."""
    if not len(speech):
        return np.empty(0)
    if method.front != "cepstra":
        samples = _cut_out(heard.sound("this method"), speech)
        return _unfolded(method(_vectors(method, samples)), speech)
    grid = Grid(heard.features.step)
    mask = grid.mask(speech, len(heard.features.values))
    found = method(Features(heard.features.values[mask], heard.features.step))
    return _unfolded(found, grid.timeline(mask))


def _vectors(method: ChangeMethod, samples: Samples) -> Features:
    """Vectors of the network that a method wants, of samples (n,)."""
    if isinstance(method, SiameseChanges):
        return Siamese(weights=method.weights).sliding(samples, method.width)
    return sliding_voices(samples, method.width)


def _unfolded(positions: NDArray[np.float64], speech: Timeline) -> NDArray[np.float64]:
    """Instants in the recording of positions in its speech, pauses left out; (positions,) → the same."""
    if not len(speech):
        return np.empty(0)
    lengths = speech.bounds[:, 1] - speech.bounds[:, 0]
    ends = np.cumsum(lengths)
    # A hair under a whole frame belongs to the frame: the sums are a few rounding errors off.
    stretch = np.minimum(np.searchsorted(ends, positions + 1e-6, side="right"), len(ends) - 1)
    return np.asarray(speech.bounds[stretch, 0] + np.maximum(positions - (ends - lengths)[stretch], 0.0))


def _speech(heard: _Heard) -> Timeline:
    """Find speech with the bundled Gaussian models; features of a file are speech all through."""
    if not heard.audio:
        return Timeline([(0.0, heard.seconds)] if heard.seconds else [])
    found = Grid(STEP).timeline(SPEECH[kinds_of_sound(heard.features.values)])
    return _inside(found, heard.seconds)


# ── speakers ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Regrouping:
    """How stretches become speakers.

    Args:
        method: one of `GROUPINGS`: "bic", "clr" and "ivector-ilp" compare cepstra, the clusterers of
            `tertulia.clustering` the vectors of a network.
        threshold: of the method; by default its own.
        embedding: which network, one of `tertulia.embedding.EMBEDDERS`.
        time_limit: seconds that integer programming on i-vectors may take.

    Raises:
        UsageError: for a method, threshold or network that does not exist.
    """

    method: str = "bic"
    threshold: float | None = None
    embedding: str = "campplus"
    time_limit: float = 20.0

    def __post_init__(self) -> None:
        if self.method not in GROUPINGS:
            raise unknown("method of clustering", self.method, GROUPINGS)
        if self.method in CLUSTERERS:
            self._clusterer()
            part(EMBEDDERS, {"name": self.embedding}, "embedding", "embedding model")

    def of_cepstra(
        self, stretches: Sequence[NDArray[np.bool_]], values: Samples, speakers: Speakers
    ) -> Partition:
        """Group stretches of cepstra (frames, dim) by Gaussian models; masks (frames,) → (stretches,)."""
        if not stretches:
            return Partition(np.empty(0, dtype=np.intp))
        threshold = CEPSTRAL[self.method] if self.threshold is None else self.threshold
        if self.method == "bic":
            gaussians = Moments.join([_moments(values[mask]) for mask in stretches])
            return Partition(cluster_by_bic(gaussians, threshold, speakers))
        voices, ubm = voice_features(_known(values)), background().ubm
        statistics = [Statistics.of(ubm, voices[mask]) for mask in stretches]
        if self.method == "clr":
            return Partition(cluster_by_clr(ubm, statistics, threshold, speakers))
        vectors = background().vectors(statistics)
        return cluster_by_ilp(
            np.clip(1 - vectors @ vectors.T, 0, 2), threshold, speakers, time_limit=self.time_limit
        )

    def of_sound(self, stretches: Sequence[Samples], speakers: Speakers) -> Labels:
        """Group stretches of sound, float32 (n,) each at 16 kHz, by their vectors, → (stretches,)."""
        embedder = part(EMBEDDERS, {"name": self.embedding}, "embedding", "embedding model")
        labels: Labels = self._clusterer()(stretch_voices(stretches, embedder), speakers)
        return labels[:, 0, 0]

    def _clusterer(self) -> Any:
        table: dict[str, Any] = {"name": self.method}
        if self.threshold is not None:
            table["threshold"] = self.threshold
        return part(CLUSTERERS, table, "cluster", "method of clustering")


def regroup(
    source: Source,
    stretches: Diarization,
    how: Regrouping,
    speakers: Speakers = ANY,
    *,
    turns: bool = False,
    channels: Channels = "mix",
    name: str = "",
) -> Diarization:
    """Tell which stretches of a recording are one person.

    Args:
        source: a recording, or the path of a file of features for methods that compare cepstra.
        stretches: each "speaker" is a stretch of one person, pure but maybe not all of that person's speech.
        how: the method.
        speakers: what is known about their number.
        turns: take each turn for a stretch by itself, whatever its speaker is called.
        channels: "mix" or the number of one.
        name: of the recording.

    Returns:
        The same turns; speakers are called like the first of their stretches and keep the traits that all
        of these have. Stretches beyond the end of the recording are left out.

    Raises:
        AudioError, FormatError: when the source cannot be read.
        UsageError: when the number of speakers cannot be had, or the method needs audio.
    """
    heard = _listen(source, channels, name, keep=how.method in CLUSTERERS)
    given = _by_turn(stretches) if turns else stretches
    pieces = {k: timeline for k, full in given.items() if len(timeline := _inside(full, heard.seconds))}
    alone = {k: _alone(k, pieces) for k in pieces}
    if how.method in CLUSTERERS:
        sounds = [_cut_out(heard.sound(how.method), timeline) for timeline in alone.values()]
        partition = Partition(how.of_sound(sounds, speakers))
    else:
        values, grid = heard.features.values, Grid(heard.features.step)
        partition = how.of_cepstra([grid.mask(t, len(values)) for t in alone.values()], values, speakers)
    names: dict[int, str] = {}
    called = {
        k: names.setdefault(label, k) for k, label in zip(alone, partition.labels.tolist(), strict=True)
    }
    about = _provenance("cluster", {"grouping": settings(how)}, (*heard.messages, *partition.messages))
    uri = stretches.uri or heard.uri
    grouped = Diarization(pieces, uri=uri, duration=heard.seconds, provenance=about).rename(called)
    return _with_common_traits(grouped, traits_of(given), called)


def _by_turn(diarization: Diarization) -> Diarization:
    """Make every turn a speaker, S0, S1 …, with the traits of whoever it was."""
    known, turns = traits_of(diarization), list(diarization)
    single = Diarization(
        {f"S{k}": Timeline([(turn.start, turn.end)]) for k, turn in enumerate(turns)}, uri=diarization.uri
    )
    return with_traits(single, {f"S{k}": known[turn.speaker] for k, turn in enumerate(turns)})


def _alone(speaker: str, pieces: dict[str, Timeline]) -> Timeline:
    """Where nobody else speaks; all of it where that leaves less than half a second."""
    bounds = [timeline.bounds for other, timeline in pieces.items() if other != speaker]
    others = Timeline.from_bounds(np.concatenate([*bounds, np.empty((0, 2))]))
    solo = pieces[speaker] - others
    return solo if solo.duration >= _LEAST_ALONE else pieces[speaker]


def _with_common_traits(
    grouped: Diarization, known: dict[str, Traits], called: dict[str, str]
) -> Diarization:
    traits: dict[str, Traits] = {}
    for stretch, speaker in called.items():
        traits[speaker] = traits.get(speaker, known[stretch]).common(known[stretch])
    return with_traits(grouped, traits)


def _moments(values: Samples) -> Moments:
    return Moments.of(values, [[0, len(values)]])


# ── listening ────────────────────────────────────────────────────────────────────────────────────────────


def _listen(source: Source, channels: Channels, name: str, *, keep: bool) -> _Heard:
    """Read a recording or a file of features; `keep` its samples."""
    if isinstance(source, str | Path) and is_feature_file(source):
        features = read(source)
        return _Heard(features, features.duration, Path(name or source).stem)
    with open_audio(source, sample_rate=_SAMPLE_RATE, channels=channels, name=name) as recording:
        uri, samples = Path(recording.name).stem, None
        if keep:
            samples = np.concatenate([block[0] for block in recording])
            features, seconds = Features(mfcc(samples), STEP), len(samples) / _SAMPLE_RATE
        else:
            features, seconds = cepstra(recording)
        return _Heard(features, seconds, uri, audio=True, samples=samples, messages=recording.messages)


def _known(values: Samples) -> Samples:
    """Return the 13 cepstra that the bundled models know, (frames, 13)."""
    if values.shape[1] < _CEPSTRA:
        raise UsageError(f"this method needs {_CEPSTRA} cepstra, c0 first; got {values.shape[1]} features")
    return values[:, :_CEPSTRA]


def _inside(timeline: Timeline, seconds: float) -> Timeline:
    return timeline.crop(Segment(0.0, seconds)) if seconds else Timeline()


def _cut_out(samples: Samples, timeline: Timeline) -> Samples:
    """Samples of a timeline, put together, (n,)."""
    bounds = np.rint(timeline.bounds * _SAMPLE_RATE).astype(np.intp).tolist()
    return np.concatenate([samples[first:last] for first, last in bounds] or [samples[:0]])


def _provenance(stage: str, about: dict[str, Any], messages: tuple[str, ...]) -> Provenance:
    return Provenance(version=__version__, system=stage, settings=about, messages=messages)
