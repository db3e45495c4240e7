"""What every format needs: times as text, turns on their way in and out, and errors that name the line."""

from __future__ import annotations

import math
import re
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import FormatError, OutputError
from tertulia.timeline import Diarization, Timeline, Turn

__all__ = [
    "Collector",
    "at_line",
    "clock",
    "collect",
    "fraction",
    "lines",
    "new_turn",
    "of_clock",
    "parsed",
    "plain_name",
    "rounded",
    "seconds",
    "shown",
]

T = TypeVar("T")
R = TypeVar("R")

# Thirty years. What lies beyond is a count of samples or nanoseconds in a field meant for seconds.
_LATEST = 1e9

_CLOCK = re.compile(r"(?:([0-9]{1,6}):)?([0-5]?[0-9]):([0-5]?[0-9](?:[.,][0-9]+)?)")

# Line breaks, other control characters, lone surrogates and what XML forbids.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


# ── errors that name the line ────────────────────────────────────────────────────────────────────────


def at_line(name: str, number: int, problem: object) -> FormatError:
    """Build the error for line `number` (from 1) of the file called `name`."""
    return FormatError(f"{name}:{number}: {problem}")


def shown(value: object) -> str:
    """Quote what was got for a message, not more of it than a line."""
    quoted = repr(value)
    return quoted if len(quoted) <= 80 else f"{quoted[:79]}…"


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Number the lines from 1, without their `\\n` or `\\r\\n`, leaving out blank ones."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.removesuffix("\r")


def parsed(numbered: Iterable[tuple[int, T]], parse: Callable[[T], R | None], name: str) -> Iterator[R]:
    """Parse each numbered item; None means "nothing here".

    Raises:
        FormatError: naming file and line, for any `ValueError` that `parse` raises.
    """
    for number, item in numbered:
        try:
            result = parse(item)
        except ValueError as error:
            raise at_line(name, number, error) from None
        if result is not None:
            yield result


# ── times ────────────────────────────────────────────────────────────────────────────────────────────


def seconds(value: str | float) -> float:
    """Read a time in seconds; raises `ValueError` unless it is a plain number from 0 to 1e9."""
    try:
        time = float(value)
    except (ValueError, OverflowError):
        time = math.nan
    # Python reads 1_000 as a number; no format does.
    if not 0 <= time <= _LATEST or (isinstance(value, str) and "_" in value):
        raise ValueError(f"a time needs a number of seconds from 0 to 1e9; got {shown(value)}")
    return time


def fraction(value: str | float) -> float:
    """Read a confidence; raises `ValueError` unless it is a number from 0 to 1."""
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not 0 <= number <= 1:
        raise ValueError(f"a confidence needs a number from 0 to 1; got {shown(value)}")
    return number


def clock(time: float, decimals: int, point: str = ".") -> str:
    """Write a time as `HH:MM:SS` with so many decimals behind `point`; hours grow beyond two digits."""
    unit = 10**decimals
    total, rest = divmod(round(round(time, decimals) * unit), unit)
    minutes, second = divmod(total, 60)
    hours, minute = divmod(minutes, 60)
    behind = f"{point}{rest:0{decimals}d}" if decimals else ""
    return f"{hours:02d}:{minute:02d}:{second:02d}{behind}"


def of_clock(text: str) -> float:
    """Read `[HH:]MM:SS[.mmm]`, also with a decimal comma, as seconds."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError(f"a time needs the form HH:MM:SS.mmm; got {shown(text)}")
    hours, minutes, rest = match.groups()
    # The sum of hours and decimals can be a hair off; at nanoseconds it is the number that was written.
    return round(int(hours or 0) * 3600 + int(minutes) * 60 + float(rest.replace(",", ".")), 9)


# ── turns on their way out ───────────────────────────────────────────────────────────────────────────


def rounded(turns: Iterable[Turn], decimals: int = 3) -> Iterator[Turn]:
    """Round times to so many decimals; turns that have no length then are left out."""
    for turn in turns:
        start, end = round(turn.start, decimals), round(turn.end, decimals)
        if start < end:
            yield Turn(start, end, turn.speaker, turn.confidence)


def plain_name(speaker: str) -> str:
    """Return a name that fits a format without escapes; raises `OutputError` for one that does not."""
    if not speaker.strip() or _UNPRINTABLE.search(speaker):
        raise OutputError(
            f"this format cannot carry the speaker name {shown(speaker)}: it needs something visible and "
            "no line breaks or control characters; rename the speaker, or write rttm or json"
        )
    return speaker


# ── turns on their way in ────────────────────────────────────────────────────────────────────────────


def new_turn(start: float, end: float, speaker: str, confidence: float | None = None) -> Turn | None:
    """Make a turn; None if it has no length. Raises `ValueError` if it ends before it starts."""
    if end < start:
        raise ValueError(f"a turn cannot end before it starts; got {start} to {end}")
    return Turn(start, end, speaker, confidence) if start < end else None


class Collector:
    """Gathers the turns of one recording in compact arrays (24 bytes a turn)."""

    def __init__(self) -> None:
        self._rows: dict[str, array[float]] = defaultdict(lambda: array("d"))

    def add(self, turn: Turn) -> None:
        """Add one turn."""
        confidence = math.nan if turn.confidence is None else turn.confidence
        self._rows[turn.speaker].extend((turn.start, turn.end, confidence))

    def diarization(self, uri: str = "", duration: float | None = None) -> Diarization:
        """Return what was gathered.

        Turns of one speaker that overlap or touch are joined, and get the lowest confidence among them. A
        speaker some of whose turns have no confidence has none at all.
        """
        timelines, confidence = {}, {}
        for speaker, flat in self._rows.items():
            rows = np.frombuffer(flat, dtype=np.float64).reshape(-1, 3)  # start, end, confidence
            timelines[speaker] = Timeline.from_bounds(rows[:, :2])
            if not np.isnan(rows[:, 2]).any():
                confidence[speaker] = _lowest(rows, timelines[speaker])
        return Diarization(timelines, uri=uri, duration=duration, confidence=confidence)


def collect(turns: Iterable[Turn], uri: str = "", duration: float | None = None) -> Diarization:
    """Make a `Diarization` of turns as they were read; see `Collector`."""
    collector = Collector()
    for turn in turns:
        collector.add(turn)
    return collector.diarization(uri, duration)


def _lowest(rows: NDArray[np.float64], timeline: Timeline) -> NDArray[np.float64]:
    """Lowest confidence among the rows (n, 3) that went into each segment, shape (segments,)."""
    lowest = np.ones(len(timeline))
    np.minimum.at(lowest, np.searchsorted(timeline.bounds[:, 0], rows[:, 0], side="right") - 1, rows[:, 2])
    return lowest
