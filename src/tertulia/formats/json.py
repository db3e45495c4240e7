"""All that a `Diarization` holds, as JSON.

```
{"version": 1,
 "recording": "meeting", "duration": 63.5,                                  duration null when unknown
 "speakers": [{"name": "SPEAKER_00", "seconds": 41.2}, …],                  in order of first speech
 "turns": [{"start": 1.44, "end": 13.31, "speaker": "SPEAKER_00", "confidence": 0.913}, …],
 "exclusive": [turns, …],                                                   if the system made its own
 "provenance": {"version", "system", "models", "settings", "messages"}}     null when unknown
```

Times are seconds with up to three decimals. Reading needs `version` and `turns`; the rest may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from tertulia.errors import OutputError
from tertulia.formats._objects import document, number, turns, written
from tertulia.formats._turns import at_line, collect, rounded, seconds, shown
from tertulia.timeline import Diarization, Provenance, Turn

__all__ = ["dumps", "loads"]

_VERSION = 1


def dumps(diarization: Diarization, indent: int | None = 2) -> str:
    """Write the document; `indent=None` puts it on one line.

    Raises:
        OutputError: if the provenance holds what JSON has not, such as infinity.
    """
    duration, provenance = diarization.duration, diarization.provenance
    data: dict[str, Any] = {
        "version": _VERSION,
        "recording": diarization.uri,
        "duration": None if duration is None else round(duration, 3),
        "speakers": [
            {"name": speaker, "seconds": round(timeline.duration, 3)}
            for speaker, timeline in diarization.items()
        ],
        "turns": _listed(diarization),
    }
    if diarization.has_exclusive:
        data["exclusive"] = _listed(diarization.exclusive())
    data["provenance"] = None if provenance is None else vars(provenance)
    try:
        return written(data, indent, _plain)
    except (TypeError, ValueError) as error:
        raise OutputError(f"this provenance cannot be written as JSON: {error}") from error


def _listed(listed: Iterable[Turn]) -> list[dict[str, Any]]:
    return [
        {"start": turn.start, "end": turn.end, "speaker": turn.speaker}
        | ({} if turn.confidence is None else {"confidence": round(turn.confidence, 3)})
        for turn in rounded(listed)
    ]


def _plain(value: object) -> object:
    """Turn what settings are made of into what JSON has."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, PurePath):
        return str(value)
    raise ValueError(f"{shown(value)} is neither text, number, list nor table")


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read what `dumps` wrote; `name` is the file's, for messages. Raises `FormatError`."""
    data = document(text, name)
    if data.get("version") != _VERSION:
        raise at_line(
            name, 1, f"version {_VERSION} of this format is needed; got {shown(data.get('version'))}"
        )
    plain = collect(turns(text, data, "turns", name))
    try:
        return Diarization(
            dict(plain.items()),
            uri=_uri(data.get("recording", "")),
            duration=None if data.get("duration") is None else seconds(number(data["duration"])),
            confidence=plain.confidence,
            provenance=_provenance(data.get("provenance")),
            exclusive=collect(turns(text, data, "exclusive", name)) if "exclusive" in data else None,
        )
    except ValueError as error:
        raise at_line(name, 1, error) from None


def _uri(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the name of a recording is text; got {shown(value)}")
    return value


def _provenance(value: Any) -> Provenance | None:
    match value:
        case None:
            return None
        case {
            "version": str(version),
            "system": str(system),
            "models": dict(models),
            "settings": dict(settings),
            "messages": list(messages),
        }:
            return Provenance(version, system, models, settings, tuple(messages))
    raise ValueError(f"provenance needs version, system, models, settings and messages; got {shown(value)}")
