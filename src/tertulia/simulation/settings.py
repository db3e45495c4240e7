"""`Simulation`: everything there is to choose, each default written once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from tertulia.errors import UsageError, unknown

__all__ = ["CODECS", "GENERATED", "NONE", "RATES", "Absence", "Range", "Simulation"]

Range = tuple[float, float]

NONE = "none"
GENERATED = "generated"
CODECS = (NONE, "mulaw", "opus", "vorbis", "mp3")
# Whole samples a millisecond, which is what keeps references exact, and rates that Opus knows.
RATES = (8_000, 16_000, 24_000, 48_000)

_HOURS = 24


class Absence(NamedTuple):
    """A stretch in seconds in which the given speaker, counted from 1, is not there."""

    speaker: int
    start: float
    end: float


@dataclass(frozen=True)
class Simulation:
    """What to make. Ranges are (lowest, highest), and each recording draws from them; levels are in dB.

    Raises:
        UsageError: for a value out of its range, or two that exclude each other.
    """

    voices: str
    """A manifest (`.tsv` with columns `path` and `speaker`) or a folder of `speaker/utterance` files."""
    exclude: tuple[str, ...] = ()
    """Speakers that must not be heard."""
    exclude_from: str | None = None
    """RTTM file, or folder of them, whose speakers must not be heard."""
    count: int = 1
    """How many recordings."""
    seconds: Range | None = None
    """Length; 90 s by default, or all of a template. A template that is longer is cut, never a shorter one
    repeated."""
    speakers: tuple[int, int] | None = None
    """How many people; 2 to 4 by default. With templates: which of them are used, by default all."""
    turns: str | None = None
    """RTTM file, or folder of them, whose turns are replayed instead of sampled."""
    statistics: str | None = None
    """What turns are sampled from: JSON of a `TurnStatistics`, or RTTM file or folder to measure it on."""
    overlap: float | None = None
    """Share of the speech in which several people speak, 0 to 0.35; by default what the statistics give."""
    absences: tuple[Absence, ...] = ()
    """Who is not there when: (speaker counted from 1, start, end) each, in seconds."""
    rooms: str = NONE
    """`none`, `generated` by the image method, or a folder of impulse responses."""
    rt60: Range = (0.2, 0.7)
    """Reverberation time of generated rooms in seconds, 0.15 to 1."""
    noise: str = NONE
    """`none`, `generated` (white to brown), or a folder of recordings."""
    snr: Range = (10.0, 25.0)
    """Speech, while anybody speaks, over noise."""
    music: str = NONE
    """`none`, or a folder of recordings."""
    music_snr: Range = (15.0, 25.0)
    """Speech, while anybody speaks, over music."""
    gain: Range = (-3.0, 3.0)
    """How loud a speaker is beside the others."""
    level: Range = (-32.0, -24.0)
    """Level of the speech in the file, relative to full scale."""
    telephone: float = 0.0
    """Share of recordings that went over the telephone: 300 to 3400 Hz, mu-law, 8 kHz."""
    codecs: tuple[str, ...] = (NONE,)
    """One of these is applied to each recording: none, mulaw, opus, vorbis, mp3."""
    sample_rate: int = 16_000
    """Of the files, in Hz; telephone recordings have 8000."""
    format: Literal["flac", "wav", "ogg"] = "flac"
    """Of the files; `ogg` holds Opus."""
    seed: int = 0
    """The same seed gives the same recordings, however many are made."""

    def __post_init__(self) -> None:
        _check_range("seconds", self.seconds, 1, _HOURS * 3600)
        _check_range("speakers", self.speakers, 1, 100)
        _check_range("rt60", self.rt60, 0.15, 1.0)
        for name in ("snr", "music_snr", "gain"):
            _check_range(name, getattr(self, name), -60, 100)
        _check_range("level", self.level, -80, -6)
        _check_number("count", self.count, 1, 1_000_000)
        _check_number("seed", self.seed, 0, 2**63 - 1)
        if not all(isinstance(n, int) for n in (self.count, self.seed, *(self.speakers or ()))):
            raise UsageError("count, seed and speakers are whole numbers")
        _check_number("telephone", self.telephone, 0, 1)
        if self.overlap is not None:
            _check_number("overlap", self.overlap, 0, 0.35)
        if self.sample_rate not in RATES:
            raise UsageError(f"sample_rate is one of {', '.join(map(str, RATES))}; got {self.sample_rate}")
        if self.format not in ("flac", "wav", "ogg"):
            raise unknown("format", self.format, ("flac", "wav", "ogg"))
        if self.music == GENERATED:
            raise UsageError("music is 'none' or a folder; it is not generated")
        if not self.codecs:
            raise UsageError(f"codecs needs at least one of: {', '.join(CODECS)}")
        for codec in self.codecs:
            if codec not in CODECS:
                raise unknown("codec", codec, CODECS)
        if self.turns is not None and (self.statistics is not None or self.overlap is not None):
            raise UsageError("turns are either replayed (turns) or sampled (statistics, overlap), not both")
        object.__setattr__(self, "absences", tuple(map(_absence, self.absences)))


def _check_number(name: str, value: Any, low: float, high: float) -> None:
    if not (isinstance(value, int | float) and math.isfinite(value) and low <= value <= high):
        raise UsageError(f"{name} goes from {low:g} to {high:g}; got {value!r}")


def _check_range(name: str, value: Any, low: float, high: float) -> None:
    if value is None:
        return
    if not isinstance(value, tuple) or len(value) != 2:
        raise UsageError(f"{name} is a range, lowest and highest; got {value!r}")
    for end in value:
        _check_number(name, end, low, high)
    if value[0] > value[1]:
        raise UsageError(f"{name} goes from its lowest to its highest value; got {value[0]} to {value[1]}")


def _absence(value: Any) -> Absence:
    try:
        speaker, start, end = value
        good = isinstance(speaker, int) and speaker >= 1 and 0 <= start < end < math.inf
    except (TypeError, ValueError):
        good = False
    if not good:
        raise UsageError(f"an absence is (speaker counted from 1, start, end) in seconds; got {value!r}")
    return Absence(speaker, float(start), float(end))
