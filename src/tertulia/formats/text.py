"""The terminal's lines: `00:00:01.44 – 00:00:13.31  SPEAKER_00`, to the hundredth of a second."""

from __future__ import annotations

import re

from tertulia.formats._turns import (
    clock,
    collect,
    lines,
    new_turn,
    of_clock,
    parsed,
    plain_name,
    rounded,
    shown,
)
from tertulia.timeline import Diarization, Turn

__all__ = ["dumps", "line", "loads"]

_LINE = re.compile(r"([0-9:.]+) [–-] ([0-9:.]+)  (.+)")


def line(turn: Turn) -> str:
    """Write one turn."""
    return f"{clock(turn.start, 2)} – {clock(turn.end, 2)}  {plain_name(turn.speaker)}"


def dumps(diarization: Diarization) -> str:
    """Write every turn on a line."""
    return "".join(f"{line(turn)}\n" for turn in rounded(diarization, 2))


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read what `dumps` wrote; `name` is the file's, for messages. Raises `FormatError`."""
    return collect(parsed(lines(text), _turn, name))


def _turn(text: str) -> Turn | None:
    match = _LINE.fullmatch(text)
    if match is None:
        raise ValueError(f"a line needs the form 'HH:MM:SS.ss – HH:MM:SS.ss  NAME'; got {shown(text)}")
    return new_turn(of_clock(match[1]), of_clock(match[2]), match[3])
