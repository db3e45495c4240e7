"""Speech and what lies between, numbered: `segment_001  0.00  2.57 NON_SPEECH`, to the hundredth of a second.

Who speaks is lost, and so is where one speaker ends and the next begins without a pause. The lines go from 0
to the end of the recording where its length is known, otherwise to the end of the last speech.
"""

from __future__ import annotations

import re

from tertulia.formats._turns import collect, lines, new_turn, parsed, rounded, seconds, shown
from tertulia.timeline import Diarization, Timeline, Turn

__all__ = ["dumps", "loads", "recognises"]

_SPEECH, _REST = "SPEECH", "NON_SPEECH"
_LINE = re.compile(rf"segment_[0-9]+\s+(\S+)\s+(\S+)\s+({_SPEECH}|{_REST})\s*")


def dumps(diarization: Diarization) -> str:
    """Write a line for every stretch of speech and every stretch without."""
    speech = Timeline((turn.start, turn.end) for turn in rounded(diarization, 2))
    end = max(round(diarization.duration or 0.0, 2), speech.extent.end if speech.extent else 0.0)
    rest = Timeline([(0.0, end)] if end else []) - speech
    rows = [(s.start, s.end, _SPEECH) for s in speech] + [(s.start, s.end, _REST) for s in rest]
    return "".join(
        f"segment_{number:03d}  {start:.2f}  {end:.2f} {kind}\n"
        for number, (start, end, kind) in enumerate(sorted(rows), 1)
    )


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read the speech as turns of one speaker, `SPEECH`; `name` is the file's. Raises `FormatError`."""
    return collect(parsed(lines(text), _turn, name))


def recognises(text: str) -> bool:
    """Tell whether the first line has this form."""
    return _LINE.fullmatch(next(lines(text), (0, ""))[1]) is not None


def _turn(text: str) -> Turn | None:
    match = _LINE.fullmatch(text)
    if match is None:
        raise ValueError(f"a line needs the form 'segment_001  0.00  2.57 {_REST}'; got {shown(text)}")
    turn = new_turn(seconds(match[1]), seconds(match[2]), _SPEECH)
    return turn if match[3] == _SPEECH else None
