"""Lines such as `Speaker 0 → 00:00:00 - 00:00:12`: numbers in order of first speech, whole seconds.

The coarsest of all formats: names are lost, and a turn under half a second may begin and end in the same
second; it is shown all the same, and passed over when the lines are read back.
"""

from __future__ import annotations

import re

from tertulia.formats._turns import clock, collect, lines, new_turn, of_clock, parsed, shown
from tertulia.timeline import Diarization, Turn

__all__ = ["dumps", "loads", "recognises"]

_LINE = re.compile(r"(Speaker [0-9]+) → ([0-9:]+) - ([0-9:]+)")


def dumps(diarization: Diarization) -> str:
    """Write every turn on a line."""
    numbers = {speaker: number for number, speaker in enumerate(diarization.speakers)}
    return "".join(
        f"Speaker {numbers[turn.speaker]} → {clock(turn.start, 0)} - {clock(turn.end, 0)}\n"
        for turn in diarization
    )


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read what `dumps` wrote; speakers are called `Speaker 0` … . Raises `FormatError`."""
    return collect(parsed(lines(text), _turn, name))


def recognises(text: str) -> bool:
    """Tell whether the first line has this form."""
    return _LINE.fullmatch(next(lines(text), (0, ""))[1]) is not None


def _turn(text: str) -> Turn | None:
    match = _LINE.fullmatch(text)
    if match is None:
        raise ValueError(f"a line needs the form 'Speaker 0 → HH:MM:SS - HH:MM:SS'; got {shown(text)}")
    return new_turn(of_clock(match[2]), of_clock(match[3]), match[1])
