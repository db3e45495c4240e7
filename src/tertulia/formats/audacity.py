"""Audacity label tracks: start, end and label, parted by tabs."""

from __future__ import annotations

import re

from tertulia.formats._turns import collect, lines, new_turn, parsed, plain_name, rounded, seconds, shown
from tertulia.timeline import Diarization, Turn

__all__ = ["dumps", "loads", "recognises"]

_START = re.compile(r"[0-9.]+\t[0-9.]+(\t|$)")


def dumps(diarization: Diarization) -> str:
    """Write every turn as a label."""
    return "".join(
        f"{turn.start:.3f}\t{turn.end:.3f}\t{plain_name(turn.speaker)}\n" for turn in rounded(diarization)
    )


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read labels as speakers; `name` is the file's, for messages.

    Labels of a point are passed over, and so are the lines that begin with a backslash, in which Audacity
    notes the frequencies of a selection. Raises `FormatError`.
    """
    return collect(parsed(lines(text), _turn, name))


def recognises(text: str) -> bool:
    """Tell whether the first line has this form."""
    return _START.match(next(lines(text), (0, ""))[1]) is not None


def _turn(text: str) -> Turn | None:
    if text.startswith("\\"):
        return None
    fields = text.split("\t", 2)
    if len(fields) < 3:
        raise ValueError(f"a label needs start, end and text, parted by tabs; got {shown(text)}")
    turn = new_turn(seconds(fields[0]), seconds(fields[1]), fields[2])
    if turn is not None and not turn.speaker.strip():
        raise ValueError("this label has no text; it needs the name of who speaks")
    return turn
