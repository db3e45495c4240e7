"""The segmentation files of LIUM SpkDiarization: one segment a line, of many recordings in one file.

```
meeting 1 144 1187 F S U S0
show channel start length gender band environment cluster
```

Start and length count features, of which there are a hundred a second. Gender is F, M or U (unknown), band
S (studio, wide), T (telephone, narrow) or U; LIUM writes whatever it likes as environment. These are kept
as `Traits` of the speaker, unknown where the segments of one cluster disagree. Names with white space are
percent-encoded as in RTTM. Lines that begin with `;;`, such as LIUM's scores of clusters, are passed over.

Source: https://projets-lium.univ-lemans.fr/spkdiarization/data/, "Segment format".
"""

from __future__ import annotations

from tertulia.formats import _fields
from tertulia.formats._fields import Record, Source, decode, encode, only
from tertulia.formats._turns import new_turn, rounded, shown
from tertulia.timeline import Diarization, Turn
from tertulia.traits import Traits, traits_of, with_traits

__all__ = ["dumps", "load_many", "loads"]

_RATE = 100  # features a second
_LATEST = 10**9 * _RATE


def dumps(diarization: Diarization) -> str:
    """Write one segment a turn."""
    uri, traits = encode(diarization.uri), traits_of(diarization)
    return "".join(_line(uri, turn, traits[turn.speaker]) for turn in rounded(diarization, 2))


def _line(uri: str, turn: Turn, traits: Traits) -> str:
    start, end = round(turn.start * _RATE), round(turn.end * _RATE)
    labels = f"{traits.gender} {traits.band} {encode(traits.environment)}"
    return f"{uri} 1 {start} {end - start} {labels} {encode(turn.speaker)}\n"


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read the segments of a single recording; `name` is the file's, for messages. Raises `FormatError`."""
    return only(load_many(text, name), name)


def load_many(source: Source, name: str | None = None) -> dict[str, Diarization]:
    """Read every recording of a text, a `Path` or an iterable of lines; as `rttm.load_many`."""
    traits: dict[str, dict[str, Traits]] = {}

    def record(fields: list[str]) -> Record | None:
        found = _record(fields)
        if found is not None:
            (uri, turn), labels = found, _traits(fields)
            known = traits.setdefault(uri, {})
            known[turn.speaker] = known.get(turn.speaker, labels).common(labels)
        return found

    recordings = _fields.load_many(source, record, name)
    return {uri: _labelled(diarization, traits[uri]) for uri, diarization in recordings.items()}


def _labelled(diarization: Diarization, traits: dict[str, Traits]) -> Diarization:
    known = any(labels != Traits() for labels in traits.values())
    return with_traits(diarization, traits) if known else diarization


def _record(fields: list[str]) -> Record | None:
    if len(fields) != 8:
        raise ValueError(
            f"a segment needs 8 fields: show, channel, start, length, gender, band, environment, cluster; "
            f"got {len(fields)}"
        )
    start, length = _features(fields[2]), _features(fields[3])
    turn = new_turn(start / _RATE, (start + length) / _RATE, decode(fields[7]))
    return None if turn is None else (decode(fields[0]), turn)


def _traits(fields: list[str]) -> Traits:
    return Traits(fields[4], fields[5], decode(fields[6]))  # type: ignore[arg-type]  # checked there


def _features(field: str) -> int:
    """Read a count of features; raises `ValueError` unless it is a whole number within thirty years."""
    if not (field.isascii() and field.isdecimal() and len(field) <= 12 and int(field) <= _LATEST):
        raise ValueError(f"start and length are whole numbers of features from 0 to 1e11; got {shown(field)}")
    return int(field)
