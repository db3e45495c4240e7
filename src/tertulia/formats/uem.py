"""UEM, NIST's un-partitioned evaluation map: which parts of each recording are scored.

`file channel start end` on each line, times in seconds. Channels are not told apart; parts that overlap
are joined; names are encoded as in RTTM.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from tertulia.formats._fields import decode, encode, records
from tertulia.formats._files import read_text
from tertulia.formats._turns import parsed, seconds
from tertulia.timeline import Timeline

__all__ = ["dumps", "loads", "read"]


def dumps(regions: Mapping[str, Timeline]) -> str:
    """Write name of each recording → its scored parts, in milliseconds; parts under half a one are lost."""
    return "".join(
        f"{encode(uri)} 1 {segment.start:.3f} {segment.end:.3f}\n"
        for uri, timeline in regions.items()
        for segment in timeline
        if round(segment.start, 3) < round(segment.end, 3)
    )


def loads(text: str, name: str = "<text>") -> dict[str, Timeline]:
    """Read name of each recording → its scored parts; `name` is the file's, for messages.

    Parts without length are passed over, but name their recording: it is there, and nothing of it is
    scored. Raises `FormatError` naming file and line.
    """
    parts: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for uri, start, end in parsed(records(text, name), _part, name):
        parts[uri].extend([(start, end)] if start < end else [])
    return {uri: Timeline(pairs) for uri, pairs in parts.items()}


def read(path: str | Path) -> dict[str, Timeline]:
    """Read a file; raises `InputError` if it cannot be opened, `FormatError` naming file and line."""
    return loads(read_text(Path(path)), str(path))


def _part(fields: list[str]) -> tuple[str, float, float]:
    if len(fields) != 4:
        raise ValueError(f"a UEM line needs 4 fields: file, channel, start, end; got {len(fields)}")
    start, end = seconds(fields[2]), seconds(fields[3])
    if end < start:
        raise ValueError(f"a scored part cannot end before it starts; got {start} to {end}")
    return decode(fields[0]), start, end
