"""What is wrong with a corpus, and how much of it there is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tertulia.corpora.corpus import Corpus, Item
from tertulia.corpora.files import require_file
from tertulia.corpora.references import turns
from tertulia.errors import InputError
from tertulia.timeline import Diarization, Timeline

__all__ = ["KINDS", "Check", "Problem", "Summary", "check"]

# Kind of problem → what it is.
KINDS = {
    "no-audio": "a reference, or a name on a list, without audio",
    "no-reference": "audio without reference",
    "unreadable-audio": "audio that is not there or cannot be decoded",
    "unreadable-reference": "a reference that is not there or does not follow its format",
    "unreadable-uem": "scored parts that are not there or do not follow their format",
    "empty-reference": "a reference in which nobody speaks",
    "self-overlap": "turns of one speaker that overlap",
    "out-of-recording": "turns or scored parts after the end of the recording",
    "out-of-uem": "turns outside of the scored parts",
    "speaker-count": "a manifest that counts other speakers than the reference has",
    "sample-rate": "a sample rate that is not that of most recordings, or too low for speech",
    "channels": "a number of channels that is not that of most recordings",
    "duplicate": "one name for several recordings",
    "case": "names that differ in nothing but case",
}

# Starts and durations in files are rounded to milliseconds each, so turns that meet can seem to overlap.
_ROUNDING = 0.002
# Lengths of compressed files are rounded to their frames, and annotation tools round the end of a recording.
_END = 0.1
# Telephone speech; nothing lower carries voices.
_LOWEST_RATE = 8_000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `kind` is a key of `KINDS`."""

    kind: str
    split: str
    uri: str
    message: str


@dataclass(frozen=True, slots=True)
class Summary:
    """How much a split holds.

    Args:
        split: its name.
        recordings: how many there are, with whatever files.
        hours: of audio that can be read.
        speakers: sum over recordings; nothing tells who is in several of them.
        overlap: share of the time in which somebody speaks that several do; NaN where nobody speaks.
    """

    split: str
    recordings: int
    hours: float
    speakers: int
    overlap: float


@dataclass(frozen=True, slots=True)
class Check:
    """What `check` found, problems in the order of `KINDS`."""

    summaries: tuple[Summary, ...]
    problems: tuple[Problem, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what `tertulia corpus check --json` prints; without speech the overlap is None."""
        splits = [asdict(summary) for summary in self.summaries]
        for summary in splits:
            summary["overlap"] = None if math.isnan(summary["overlap"]) else summary["overlap"]
        return {"splits": splits, "problems": [asdict(problem) for problem in self.problems]}


@dataclass(slots=True)
class _Looked:
    """A recording with what was read of it."""

    split: str
    item: Item
    duration: float | None = None
    rate: int | None = None
    channels: int | None = None
    reference: Diarization | None = None

    def problem(self, kind: str, message: str) -> Problem:
        return Problem(kind, self.split, self.item.uri, message)


def check(
    corpus: Corpus, split: str | None = None, progress: Callable[[int, int], None] | None = None
) -> Check:
    """Look at every recording of a corpus, or of a split of it.

    Audio is opened, and decoded only where its header does not tell how long it is.

    Args:
        corpus: what to look at.
        split: what to confine oneself to; names are compared over all splits even then.
        progress: called with the number of recordings that are done, and of all.

    Raises:
        UsageError: for a split that there is not.
    """
    corpus.items(split)
    chosen = [
        (name, item) for name, items in corpus.splits.items() if split in (None, name) for item in items
    ]
    overlaps = cache(_self_overlaps)
    looked: list[_Looked] = []
    problems: list[Problem] = []
    for done, (name, item) in enumerate(chosen, 1):
        recording = _Looked(name, item)
        looked.append(recording)
        found = (*_audio(recording), *_reference(corpus, recording, overlaps), *_uem(corpus, recording))
        problems += [recording.problem(kind, message) for kind, message in found]
        if progress is not None:
            progress(done, len(chosen))
    problems += _odd("sample-rate", "Hz", looked, lambda recording: recording.rate)
    problems += _odd("channels", "channels", looked, lambda recording: recording.channels)
    problems += (problem for problem in _names(corpus) if split in (None, problem.split))
    order = list(KINDS)
    problems.sort(key=lambda problem: (order.index(problem.kind), problem.split, problem.uri))
    names = corpus.splits if split is None else [split]
    return Check(tuple(_summary(name, looked) for name in names), tuple(problems))


# ── one recording: each yields kind and message ──────────────────────────────────────────────────────────

Found = Iterator[tuple[str, str]]


def _audio(recording: _Looked) -> Found:
    from tertulia.audio import open_audio

    path = recording.item.audio
    if path is None:
        yield "no-audio", "there is no audio"
        return
    try:
        require_file(path)
        with open_audio(path, sample_rate=None, channels="split") as sound:
            recording.rate, recording.channels = sound.source_rate, sound.source_channels
            recording.duration = sound.duration
            if sound.duration is None:
                recording.duration = sum(block.shape[1] for block in sound) / sound.source_rate
    except InputError as error:
        yield "unreadable-audio", str(error)


def _reference(corpus: Corpus, recording: _Looked, overlaps: Callable[[Path], _Overlaps]) -> Found:
    item = recording.item
    if item.reference is None:
        yield "no-reference", "there is no reference"
        return
    try:
        reference = corpus.load_reference(item)
        by_recording = overlaps(item.reference)
    except InputError as error:
        yield "unreadable-reference", str(error)
        return
    recording.reference = reference
    if not reference:
        yield "empty-reference", f"nobody speaks in {item.reference}"
    name = corpus.name_in(item.uri, item.reference, by_recording)
    for speaker, seconds in by_recording.get(name or "", {}).items():
        yield "self-overlap", f"turns of {speaker!r} overlap for {seconds:.3f} s"
    yield from _past_the_end("turns", reference.speech, recording)
    heard = [spoken for _, spoken in reference.items() if item.part is None or len(spoken & item.part)]
    if item.num_speakers not in (None, len(heard)):
        yield "speaker-count", f"{item.num_speakers} speakers in the manifest, {len(heard)} in the reference"


def _uem(corpus: Corpus, recording: _Looked) -> Found:
    try:
        scored = corpus.load_uem(recording.item)
    except InputError as error:
        yield "unreadable-uem", str(error)
        return
    if scored is None:
        return
    yield from _past_the_end("scored parts", scored, recording)
    # A manifest that takes a part leaves speech out on purpose.
    if recording.item.part is None and recording.reference is not None:
        outside = (recording.reference.speech - scored).duration
        if outside > _ROUNDING:
            yield "out-of-uem", f"{outside:.3f} s of speech lie outside of the scored parts"


def _past_the_end(what: str, timeline: Timeline, recording: _Looked) -> Found:
    extent, end = timeline.extent, recording.duration
    if extent is not None and end is not None and extent.end > end + _END:
        yield "out-of-recording", f"{what} go on to {extent.end:.3f} s; the recording ends at {end:.3f} s"


_Overlaps = Mapping[str, Mapping[str, float]]
"""Recording → speaker → seconds in which turns of that speaker overlap; every recording is there."""


def _self_overlaps(path: Path) -> _Overlaps:
    bounds: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for uri, turn in turns(path):
        bounds.setdefault(uri, {}).setdefault(turn.speaker, []).append((turn.start, turn.end))
    return {
        uri: {
            speaker: overlap
            for speaker, pairs in speakers.items()
            if (overlap := sum(end - start for start, end in pairs) - Timeline(pairs).duration) > _ROUNDING
        }
        for uri, speakers in bounds.items()
    }


# ── recordings among others ──────────────────────────────────────────────────────────────────────────────


def _odd(
    kind: str, unit: str, looked: Iterable[_Looked], value_of: Callable[[_Looked], int | None]
) -> Iterator[Problem]:
    """Find the recordings that are not like most."""
    values = [(recording, value) for recording in looked if (value := value_of(recording)) is not None]
    usual = max(Counter(value for _, value in values).items(), key=lambda item: item[::-1], default=(0, 0))[0]
    for recording, value in values:
        if value != usual:
            yield recording.problem(kind, f"{value} {unit}; most recordings have {usual}")
        elif kind == "sample-rate" and value < _LOWEST_RATE:
            yield recording.problem(kind, f"{value} Hz; speech needs at least {_LOWEST_RATE}")


def _names(corpus: Corpus) -> Iterator[Problem]:
    """Find names of several recordings, and names that a file system or a reader may take for one."""
    by_name: dict[str, list[tuple[str, str]]] = {}
    for split, items in corpus.splits.items():
        for item in items:
            by_name.setdefault(item.uri.casefold(), []).append((split, item.uri))
    for uses in by_name.values():
        for uri, count in Counter(uri for _, uri in uses).items():
            splits = list(dict.fromkeys(split for split, used in uses if used == uri))
            if count > 1:
                message = f"{count} recordings of this name, in {', '.join(splits)}"
                yield from (Problem("duplicate", split, uri, message) for split in splits)
        spellings = sorted({uri for _, uri in uses})
        if len(spellings) > 1:
            message = f"names that differ in case: {', '.join(spellings)}"
            yield from (Problem("case", split, uri, message) for split, uri in sorted(set(uses)))


def _summary(split: str, looked: Iterable[_Looked]) -> Summary:
    recordings = [recording for recording in looked if recording.split == split]
    references = [recording.reference for recording in recordings if recording.reference is not None]
    speech = sum(reference.speech.duration for reference in references)
    return Summary(
        split,
        len(recordings),
        sum(recording.duration or 0.0 for recording in recordings) / 3600,
        sum(len(reference.speakers) for reference in references),
        sum(reference.overlap.duration for reference in references) / speech if speech else math.nan,
    )
