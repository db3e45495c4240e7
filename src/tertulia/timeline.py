"""Time as values: `Segment`, `Timeline`, `Turn`, `Diarization`.

All four are frozen; every operation returns a new value. Times are float seconds from the start of the
recording. A `Timeline` is a *set* of instants, so segments that overlap or touch become one; a
`Diarization` maps each speaker to such a set, which is why a speaker can never overlap itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from pyannote.core import Annotation

__all__ = ["Diarization", "Provenance", "Segment", "Timeline", "Turn"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A stretch of time, `0 ≤ start < end`, in seconds; raises `ValueError` for anything else."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.end) and 0 <= self.start < self.end):
            raise ValueError(f"a segment needs 0 ≤ start < end, both finite; got {self.start} to {self.end}")

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    @property
    def middle(self) -> float:
        """The instant half-way."""
        return (self.start + self.end) / 2


class Timeline:
    """Sorted, disjoint, immutable segments: a set of instants.

    Built from segments or `(start, end)` pairs in any order; what overlaps or touches is joined. Algebra:
    `a | b`, `a & b`, `a - b`, all linear in the number of segments once sorted.
    """

    __slots__ = ("_bounds",)
    _bounds: FloatArray

    def __init__(self, segments: Iterable[Segment | tuple[float, float]] = ()) -> None:
        pairs = [(s.start, s.end) if isinstance(s, Segment) else (s[0], s[1]) for s in segments]
        self._bounds = _joined(_checked(np.array(pairs, dtype=np.float64).reshape(-1, 2)))

    @classmethod
    def from_bounds(cls, bounds: ArrayLike) -> Self:
        """Build from an array of starts and ends, shape (segments, 2)."""
        self = cls.__new__(cls)
        self._bounds = _joined(_checked(np.array(bounds, dtype=np.float64).reshape(-1, 2)))
        return self

    @classmethod
    def _trusted(cls, bounds: FloatArray) -> Self:
        """Wrap bounds that are known to be sorted and disjoint."""
        self = cls.__new__(cls)
        bounds.flags.writeable = False
        self._bounds = bounds
        return self

    @property
    def bounds(self) -> FloatArray:
        """Starts and ends, shape (segments, 2); read-only."""
        return self._bounds

    @property
    def duration(self) -> float:
        """Total length in seconds."""
        return float((self._bounds[:, 1] - self._bounds[:, 0]).sum())

    @property
    def extent(self) -> Segment | None:
        """From the first start to the last end; None when empty."""
        return Segment(float(self._bounds[0, 0]), float(self._bounds[-1, 1])) if len(self) else None

    def gaps(self, within: Segment | None = None) -> Timeline:
        """Return the silence between segments, inside `within` (by default the extent)."""
        around = within or self.extent
        return Timeline() if around is None else Timeline([around]) - self

    def without_gaps_under(self, seconds: float) -> Timeline:
        """Fill gaps strictly shorter than `seconds`."""
        if len(self) < 2:
            return self
        keep = self._bounds[1:, 0] - self._bounds[:-1, 1] >= seconds
        starts = self._bounds[np.r_[True, keep], 0]
        ends = self._bounds[np.r_[keep, True], 1]
        return Timeline._trusted(np.stack([starts, ends], axis=1))

    def without_segments_under(self, seconds: float) -> Timeline:
        """Drop segments strictly shorter than `seconds`."""
        return Timeline._trusted(self._bounds[self._bounds[:, 1] - self._bounds[:, 0] >= seconds])

    def crop(self, within: Segment) -> Timeline:
        """Keep what lies inside `within`."""
        clipped = np.clip(self._bounds, within.start, within.end)
        return Timeline._trusted(clipped[clipped[:, 0] < clipped[:, 1]])

    def shift(self, seconds: float) -> Timeline:
        """Move by `seconds`; raises `ValueError` if that leads before zero."""
        return Timeline.from_bounds(self._bounds + seconds)

    def covers(self, times: ArrayLike) -> NDArray[np.bool_]:
        """Tell for each instant, shape (n,), whether it lies in a segment `[start, end)`."""
        instants = np.asarray(times, dtype=np.float64)
        return (np.searchsorted(self._bounds.ravel(), instants, side="right") % 2).astype(bool)

    def __or__(self, other: Timeline) -> Timeline:
        return Timeline._trusted(_joined(np.concatenate([self._bounds, other._bounds])))

    def __and__(self, other: Timeline) -> Timeline:
        return Timeline._trusted(_swept(self._bounds, other._bounds, lambda a, b: a & b))

    def __sub__(self, other: Timeline) -> Timeline:
        return Timeline._trusted(_swept(self._bounds, other._bounds, lambda a, b: a & ~b))

    def __reduce__(self) -> tuple[Any, ...]:
        # Arrays come back writeable from a pickle; built anew they are not.
        return Timeline.from_bounds, (self._bounds,)

    def __len__(self) -> int:
        return len(self._bounds)

    def __iter__(self) -> Iterator[Segment]:
        return (Segment(start, end) for start, end in self._bounds.tolist())

    def __getitem__(self, index: int) -> Segment:
        start, end = self._bounds[index].tolist()
        return Segment(start, end)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timeline) and np.array_equal(self._bounds, other._bounds)

    def __hash__(self) -> int:
        return hash(self._bounds.tobytes())

    def __repr__(self) -> str:
        shown = ", ".join(f"{start:.3f}–{end:.3f}" for start, end in self._bounds[:3].tolist())
        more = ", …" if len(self) > 3 else ""
        return f"Timeline({shown}{more}; {len(self)} segments, {self.duration:.3f} s)"


def _checked(bounds: FloatArray) -> FloatArray:
    """Raise the `Segment` error for the first row that is not a segment; return the rows otherwise."""
    good = np.isfinite(bounds).all(axis=1) & (bounds[:, 0] >= 0) & (bounds[:, 0] < bounds[:, 1])
    if not good.all():
        Segment(*bounds[~good][0].tolist())
    return bounds


def _joined(bounds: FloatArray) -> FloatArray:
    """Sort rows and join those that overlap or touch; read-only result, shape (segments, 2)."""
    ordered = bounds[np.lexsort((bounds[:, 1], bounds[:, 0]))]
    if len(ordered) > 1:
        reach = np.maximum.accumulate(ordered[:, 1])
        first = np.r_[True, ordered[1:, 0] > reach[:-1]]
        last = np.r_[np.flatnonzero(first)[1:] - 1, len(ordered) - 1]
        ordered = np.stack([ordered[first, 0], reach[last]], axis=1)
    ordered = ordered + 0.0  # -0.0 equals 0.0, so it has to hash like it
    ordered.flags.writeable = False
    return ordered


def _swept(a: FloatArray, b: FloatArray, rule: Any) -> FloatArray:
    """Apply a boolean rule to two disjoint sorted sets between all their boundaries."""
    cuts = np.unique(np.concatenate([a.ravel(), b.ravel()]))
    if len(cuts) < 2:
        return np.empty((0, 2))
    # The bounds of a disjoint set interleave, so an odd insertion point means "inside".
    inside = [np.searchsorted(x.ravel(), cuts[:-1], side="right") % 2 == 1 for x in (a, b)]
    chosen = rule(*inside)
    return _joined(np.stack([cuts[:-1][chosen], cuts[1:][chosen]], axis=1))


@dataclass(frozen=True, slots=True)
class Turn:
    """One stretch of one speaker, as a `Diarization` yields it."""

    start: float
    end: float
    speaker: str
    confidence: float | None = None

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from: enough to make it again."""

    version: str
    system: str
    models: Mapping[str, str] = field(default_factory=dict)
    """Name of each network → sha256 of its file."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    """What the reader of the recording had to repair (NaN samples, a truncated file …)."""


class Diarization:
    """Who spoke when: speaker → `Timeline`, in order of first speech.

    Iterating yields `Turn`s sorted by start, end and speaker. Two diarizations are equal when the same
    speakers have the same timelines; name, confidence and provenance do not count.

    Args:
        turns: speaker → `Timeline`, or any iterable of `Turn`s or `(start, end, speaker)`. Overlapping
            turns of one speaker are joined, so the confidence of `Turn`s is not taken over. Speakers without
            speech are dropped.
        uri: name of the recording.
        duration: length of the recording in seconds, when known.
        confidence: speaker → array (segments of its timeline,) in [0, 1].
        provenance: version, system, models, settings.
        exclusive: the same recording with at most one speaker at a time, when the system that made this
            result knows better than the rule of `exclusive()`.
        activity: probabilities (frames, outputs) in [0, 1], every 0.08 s, when the system gives them; the
            first columns are the speakers in order of first speech.

    Raises:
        ValueError: for impossible times, or confidence that does not fit the timelines.
    """

    __slots__ = ("_activity", "_confidence", "_exclusive", "_timelines", "duration", "provenance", "uri")

    def __init__(
        self,
        turns: Mapping[str, Timeline] | Iterable[Turn | tuple[float, float, str]] = (),
        *,
        uri: str = "",
        duration: float | None = None,
        confidence: Mapping[str, ArrayLike] | None = None,
        provenance: Provenance | None = None,
        exclusive: Diarization | None = None,
        activity: ArrayLike | None = None,
    ) -> None:
        timelines = dict(turns) if isinstance(turns, Mapping) else _by_speaker(turns)
        spoken = [(speaker, timeline) for speaker, timeline in timelines.items() if len(timeline)]
        spoken.sort(key=lambda item: (*item[1].bounds[0].tolist(), item[0]))
        self._timelines: Mapping[str, Timeline] = MappingProxyType(dict(spoken))
        self._confidence: Mapping[str, FloatArray] = MappingProxyType(
            {
                speaker: _frozen(values)
                for speaker, values in (confidence or {}).items()
                if speaker in self._timelines
            }
        )
        for speaker, values in self._confidence.items():
            if values.shape != (len(self._timelines[speaker]),):
                raise ValueError(
                    f"confidence of {speaker!r} has shape {values.shape}; it needs one value for each of its "
                    f"{len(self._timelines[speaker])} turns"
                )
            if not ((values >= 0) & (values <= 1)).all():
                raise ValueError(f"confidence of {speaker!r} has to lie in [0, 1]; got {values.tolist()[:5]}")
        self.uri = uri
        self.duration = duration
        self.provenance = provenance
        self._exclusive = exclusive
        self._activity = None if activity is None else _frozen(activity)
        if self._activity is not None and self._activity.ndim != 2:
            raise ValueError(f"activity has shape (frames, outputs); got {self._activity.shape}")

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names in order of first speech."""
        return tuple(self._timelines)

    @property
    def confidence(self) -> Mapping[str, FloatArray]:
        """Speaker → confidence of each of its turns; empty when the system gives none."""
        return self._confidence

    @property
    def activity(self) -> FloatArray | None:
        """Probabilities (frames, outputs), every 0.08 s, of systems that give them; see `formats.npy`."""
        return self._activity

    @property
    def has_exclusive(self) -> bool:
        """Whether the system that made this result left its own answer to `exclusive()`."""
        return self._exclusive is not None

    @property
    def speech(self) -> Timeline:
        """The time in which anybody speaks."""
        everything = [timeline.bounds for timeline in self._timelines.values()]
        return Timeline.from_bounds(np.concatenate(everything) if everything else np.empty((0, 2)))

    @property
    def overlap(self) -> Timeline:
        """The time in which at least two people speak."""
        cuts, active = self._sweep()
        busy = active.sum(axis=0) >= 2
        return Timeline.from_bounds(np.stack([cuts[:-1][busy], cuts[1:][busy]], axis=1))

    def __getitem__(self, speaker: str) -> Timeline:
        return self._timelines[speaker]

    def __contains__(self, speaker: object) -> bool:
        return speaker in self._timelines

    def __len__(self) -> int:
        """Count the turns."""
        return sum(len(timeline) for timeline in self._timelines.values())

    def __iter__(self) -> Iterator[Turn]:
        turns = [
            Turn(start, end, speaker, None if confidence is None else float(confidence[i]))
            for speaker, timeline in self._timelines.items()
            for confidence in [self._confidence.get(speaker)]
            for i, (start, end) in enumerate(timeline.bounds.tolist())
        ]
        return iter(sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker)))

    def items(self) -> Iterable[tuple[str, Timeline]]:
        """Iterate over speakers and their timelines."""
        return self._timelines.items()

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (
            dict(self._timelines),
            self.uri,
            self.duration,
            dict(self._confidence),
            self.provenance,
            self._exclusive,
            self._activity,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Diarization) and dict(self._timelines) == dict(other._timelines)

    def __hash__(self) -> int:
        return hash(tuple(self._timelines.items()))

    def __repr__(self) -> str:
        named = f"{self.uri!r}: " if self.uri else ""
        size = f"{len(self)} turns, {len(self._timelines)} speakers, {self.speech.duration:.1f} s of speech"
        return f"Diarization({named}{size})"

    def _repr_html_(self) -> str:
        # What a notebook shows.
        from tertulia import drawing

        return drawing.html(self)

    # ── changing: every method returns a new value ───────────────────────────────────────────────────

    def exclusive(self) -> Diarization:
        """Return the same conversation with at most one speaker at a time.

        The system that made this result may have left its own answer (reconstructed from its scores). For
        any other diarization, whoever began last has the floor: an interjection interrupts, and the
        interrupted speaker goes on after it.
        """
        if self._exclusive is not None:
            return self._exclusive
        cuts, active = self._sweep()
        names = list(self._timelines)
        began = np.full(active.shape, -1.0)
        for row, timeline in enumerate(self._timelines.values()):
            at = np.searchsorted(timeline.bounds[:, 0], cuts[:-1], side="right") - 1
            began[row] = np.where(active[row], timeline.bounds[np.maximum(at, 0), 0], -1.0)
        floor = began.argmax(axis=0) if len(names) else np.empty(0, dtype=int)
        timelines = {}
        for row, name in enumerate(names):
            mine = active[row] & (floor == row)
            timelines[name] = Timeline.from_bounds(np.stack([cuts[:-1][mine], cuts[1:][mine]], axis=1))
        return self._with(timelines)

    def rename(self, names: Mapping[str, str]) -> Diarization:
        """Rename speakers; two speakers given one name become one. Unknown names raise `ValueError`."""
        missing = [name for name in names if name not in self._timelines]
        if missing:
            raise ValueError(f"no speaker {missing[0]!r}; there is: {', '.join(self._timelines) or 'nobody'}")
        renamed: dict[str, Timeline] = {}
        for speaker, timeline in self._timelines.items():
            name = names.get(speaker, speaker)
            renamed[name] = renamed[name] | timeline if name in renamed else timeline
        targets = [names.get(speaker, speaker) for speaker in self._timelines]
        # Turns of two speakers that become one may join, and then none of their values fits.
        confidence = {
            names.get(speaker, speaker): values
            for speaker, values in self._confidence.items()
            if targets.count(names.get(speaker, speaker)) == 1
        }
        exclusive = self._exclusive
        if exclusive is not None:
            exclusive = exclusive.rename({old: new for old, new in names.items() if old in exclusive})
        return self._with(renamed, confidence=confidence, exclusive=exclusive)

    def merge(self, speakers: Iterable[str], into: str | None = None) -> Diarization:
        """Make several speakers one, called `into` (by default the first of them)."""
        chosen = list(speakers)
        if not chosen:
            raise ValueError("merging needs at least one speaker")
        return self.rename(dict.fromkeys(chosen, into or chosen[0]))

    def crop(self, within: Segment) -> Diarization:
        """Keep what lies inside `within`; times stay those of the whole recording."""
        exclusive = None if self._exclusive is None else self._exclusive.crop(within)
        timelines = {speaker: timeline.crop(within) for speaker, timeline in self._timelines.items()}
        confidence = {
            speaker: values[
                (self[speaker].bounds[:, 1] > within.start) & (self[speaker].bounds[:, 0] < within.end)
            ]
            for speaker, values in self._confidence.items()
        }
        return self._with(timelines, confidence=confidence, exclusive=exclusive)

    def replace(self, **changes: Any) -> Diarization:
        """Return a copy with another `uri`, `duration` or `provenance`."""
        allowed = {"uri", "duration", "provenance"}
        if wrong := set(changes) - allowed:
            raise ValueError(f"cannot replace {sorted(wrong)}; there is: {sorted(allowed)}")
        exclusive = None if self._exclusive is None else self._exclusive.replace(**changes)
        kept = {"confidence": self._confidence, "exclusive": exclusive, "activity": self._activity}
        return self._with(self._timelines, **kept, **changes)

    # ── files and neighbours ─────────────────────────────────────────────────────────────────────────

    def write(self, path: str | Path, format: str | None = None) -> None:  # noqa: A002
        """Write to `path`; the format is told by its extension unless given. See `tertulia.formats`."""
        from tertulia import formats

        formats.write(self, path, format)

    @classmethod
    def read(cls, path: str | Path, format: str | None = None) -> Diarization:  # noqa: A002
        """Read from `path` a file that holds one recording. See `tertulia.formats`."""
        from tertulia import formats

        return formats.read(path, format)

    def to_annotation(self) -> Annotation:
        """Convert to a `pyannote.core.Annotation` (extra `pyannote`)."""
        core = _pyannote_core()
        annotation = core.Annotation(uri=self.uri or None)
        for track, turn in enumerate(self):
            annotation[core.Segment(turn.start, turn.end), track] = turn.speaker
        return annotation

    @classmethod
    def from_annotation(cls, annotation: Annotation) -> Diarization:
        """Convert from a `pyannote.core.Annotation`."""
        turns = [(s.start, s.end, str(label)) for s, _, label in annotation.itertracks(yield_label=True)]
        return cls(turns, uri=annotation.uri or "")

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────

    def _sweep(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return all boundaries (n + 1,) and who is active between them (speakers, n)."""
        bounds = [timeline.bounds.ravel() for timeline in self._timelines.values()]
        cuts = np.unique(np.concatenate(bounds)) if bounds else np.zeros(1)
        rows = [np.searchsorted(b, cuts[:-1], side="right") % 2 == 1 for b in bounds]
        return cuts, np.array(rows, dtype=bool).reshape(len(bounds), len(cuts) - 1)

    def _with(self, timelines: Mapping[str, Timeline], **changes: Any) -> Diarization:
        kept = {"uri": self.uri, "duration": self.duration, "provenance": self.provenance}
        return Diarization(timelines, **{**kept, **changes})


def _unpickled(
    turns: Any, uri: str, duration: Any, confidence: Any, provenance: Any, exclusive: Any, activity: Any
) -> Diarization:
    return Diarization(
        turns,
        uri=uri,
        duration=duration,
        confidence=confidence,
        provenance=provenance,
        exclusive=exclusive,
        activity=activity,
    )


def _frozen(values: ArrayLike) -> FloatArray:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


def _by_speaker(turns: Iterable[Turn | tuple[float, float, str]]) -> dict[str, Timeline]:
    rows: dict[str, list[tuple[float, float]]] = {}
    for turn in turns:
        start, end, speaker = (turn.start, turn.end, turn.speaker) if isinstance(turn, Turn) else turn
        rows.setdefault(speaker, []).append((start, end))
    return {speaker: Timeline(pairs) for speaker, pairs in rows.items()}


def _pyannote_core() -> Any:
    try:
        import pyannote.core
    except ImportError as error:
        from tertulia.errors import MissingExtraError

        raise MissingExtraError("this needs pyannote.core: pip install 'tertulia[pyannote]'") from error
    return pyannote.core
