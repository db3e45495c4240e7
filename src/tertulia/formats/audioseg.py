"""Lines `0.0000000 19.7126313 m`: start and end in seconds and what is heard, as audioseg writes them."""

from __future__ import annotations

import re

from tertulia.formats._turns import collect, lines, new_turn, parsed, plain_name, rounded, seconds, shown
from tertulia.timeline import Diarization, Turn

__all__ = ["dumps", "loads", "recognises"]

_LINE = re.compile(r"([0-9.]+) ([0-9.]+) (.+)")


def dumps(diarization: Diarization) -> str:
    """Write every turn on a line."""
    return "".join(
        f"{turn.start:.7f} {turn.end:.7f} {plain_name(turn.speaker)}\n" for turn in rounded(diarization, 7)
    )


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read labels as speakers; `name` is the file's, for messages. Raises `FormatError`."""
    return collect(parsed(lines(text), _turn, name))


def recognises(text: str) -> bool:
    """Tell whether the first line has this form."""
    return _LINE.fullmatch(next(lines(text), (0, ""))[1]) is not None


def _turn(text: str) -> Turn | None:
    fields = text.split(" ", 2)
    if len(fields) < 3 or not fields[2].strip():
        raise ValueError(f"a line needs start, end and label, parted by spaces; got {shown(text)}")
    return new_turn(seconds(fields[0]), seconds(fields[1]), fields[2])
