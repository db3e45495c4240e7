"""RTTM, NIST's Rich Transcription Time Marked: `SPEAKER` records of many recordings in one file.

```
SPEAKER meeting 1 1.440 11.870 <NA> <NA> SPEAKER_00 0.913 <NA>
type    file channel start duration – – speaker confidence –
```

Names with white space are percent-encoded, see `tertulia.formats._fields`. Times are written in
milliseconds, the duration as the difference of the rounded start and end, so that both survive.

Read are ten fields, or nine (older files lack the last), the type in first place or, as some tools write
it, in third. Records of other types, comments and blank lines are passed over, and turns without length
too; turns of one speaker that overlap are joined. A file without turns names no recording.
"""

from __future__ import annotations

from tertulia.formats import _fields
from tertulia.formats._fields import NA, Record, Source, decode, encode, only
from tertulia.formats._turns import fraction, new_turn, rounded, seconds, shown
from tertulia.timeline import Diarization, Turn

__all__ = ["dumps", "load_many", "loads"]

# The RT-09 evaluation plan's record types, all of which may stand beside SPEAKER.
_OTHER_TYPES = (
    {"SEGMENT", "NOSCORE", "NO_RT_METADATA", "SPKR-INFO"}
    | {"LEXEME", "NON-LEX", "NON-SPEECH"}
    | {"FILLER", "EDIT", "IP", "SU", "CB", "A/P"}
)


def dumps(diarization: Diarization) -> str:
    """Write one record a turn."""
    uri = encode(diarization.uri)
    return "".join(_line(uri, turn) for turn in rounded(diarization))


def _line(uri: str, turn: Turn) -> str:
    confidence = NA if turn.confidence is None else f"{turn.confidence:.3f}"
    speaker = encode(turn.speaker)
    return f"SPEAKER {uri} 1 {turn.start:.3f} {turn.duration:.3f} {NA} {NA} {speaker} {confidence} {NA}\n"


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read the turns of a single recording; `name` is the file's, for messages. Raises `FormatError`."""
    return only(load_many(text, name), name)


def load_many(source: Source, name: str | None = None) -> dict[str, Diarization]:
    """Read every recording of a text, a `Path` or an iterable of lines, in 24 bytes of memory a turn.

    Returns name → `Diarization` in the order of the file. `name` is the file's, for messages; a path needs
    none. Raises `InputError` if the file cannot be opened, `FormatError` naming file and line.
    """
    return _fields.load_many(source, _record, name)


def _record(fields: list[str]) -> Record | None:
    if fields[0] != "SPEAKER" and fields[2:3] == ["SPEAKER"]:
        fields = ["SPEAKER", *fields[:2], *fields[3:]]
    if fields[0] in _OTHER_TYPES:
        return None
    if fields[0] != "SPEAKER":
        raise ValueError(
            f"an RTTM record has its type, such as SPEAKER, in first or third place; got {shown(fields[0])}"
        )
    if len(fields) not in (9, 10):
        raise ValueError(f"a SPEAKER record needs 10 fields, or 9; got {len(fields)}")
    start = seconds(fields[3])
    # To the nanosecond: the sum of two decimal numbers in binary is a hair off the end that was meant.
    end = round(start + seconds(fields[4]), 9)
    confidence = None if fields[8] == NA else fraction(fields[8])
    turn = new_turn(start, end, decode(fields[7]), confidence)
    return None if turn is None else (decode(fields[1]), turn)
