"""CTM, NIST's time-marked words, as eight fields, of which the last is the speaker.

```
meeting 1 1.440 11.870 speech 0.913 misc SPEAKER_00
file channel start duration word confidence type speaker
```

CTM carries words, a `Diarization` does not: each turn is written as one pseudo-word `speech` of type
`misc`. Read back is the speaker of any word, so the CTM of a speech recogniser that names speakers gives
the stretches they speak without a pause. Shorter lines name no speaker and are refused. Names are
encoded as in RTTM, an unknown confidence is `NA`.
"""

from __future__ import annotations

from tertulia.formats import _fields
from tertulia.formats._fields import Record, Source, decode, encode, only
from tertulia.formats._turns import fraction, new_turn, rounded, seconds
from tertulia.timeline import Diarization, Turn

__all__ = ["dumps", "load_many", "loads"]


def dumps(diarization: Diarization) -> str:
    """Write one pseudo-word a turn."""
    uri = encode(diarization.uri)
    return "".join(_line(uri, turn) for turn in rounded(diarization))


def _line(uri: str, turn: Turn) -> str:
    confidence = "NA" if turn.confidence is None else f"{turn.confidence:.3f}"
    return f"{uri} 1 {turn.start:.3f} {turn.duration:.3f} speech {confidence} misc {encode(turn.speaker)}\n"


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read the speakers of a single recording; `name` is the file's, for messages. Raises `FormatError`."""
    return only(load_many(text, name), name)


def load_many(source: Source, name: str | None = None) -> dict[str, Diarization]:
    """Read every recording of a text, a `Path` or an iterable of lines; as `rttm.load_many`."""
    return _fields.load_many(source, _record, name)


def _record(fields: list[str]) -> Record | None:
    if len(fields) != 8:
        raise ValueError(f"a CTM line needs 8 fields, the last one the speaker; got {len(fields)}")
    start = seconds(fields[2])
    end = round(start + seconds(fields[3]), 9)
    confidence = None if fields[5].upper() in ("NA", _fields.NA) else fraction(fields[5])
    turn = new_turn(start, end, decode(fields[7]), confidence)
    return None if turn is None else (decode(fields[0]), turn)
