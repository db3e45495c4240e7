"""Files that say who speaks when in the recordings of a corpus, and which parts of them are scored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tertulia.corpora.files import require_file
from tertulia.corpora.manifests import is_json_lines, json_lines, text_of
from tertulia.formats import rttm, uem
from tertulia.formats._fields import records
from tertulia.formats._turns import Collector, new_turn, parsed, seconds
from tertulia.timeline import Diarization, Timeline, Turn

__all__ = ["read_references", "read_uem", "turns"]


def turns(path: Path) -> Iterator[tuple[str, Turn]]:
    """Stream recording and turn as the file has them, overlapping ones of a speaker not joined.

    Raises:
        InputError: if it is not a file, or cannot be opened.
        FormatError: naming file and line.
    """
    require_file(path)
    name = str(path)
    if is_json_lines(path):
        return parsed(json_lines(path), _supervision, name)
    return parsed(records(path, name), rttm._record, name)


def read_references(path: Path) -> Mapping[str, Diarization]:
    """Read every recording of RTTM or supervisions of lhotse; raises what `turns` raises."""
    recordings: defaultdict[str, Collector] = defaultdict(Collector)
    for uri, turn in turns(path):
        recordings[uri].add(turn)
    return {uri: collector.diarization(uri) for uri, collector in recordings.items()}


def read_uem(path: Path) -> Mapping[str, Timeline]:
    """Read the scored parts of every recording; raises what `turns` raises."""
    require_file(path)
    return uem.read(path)


def _supervision(record: dict[str, Any]) -> tuple[str, Turn] | None:
    start = seconds(record.get("start", ""))
    end = round(start + seconds(record.get("duration", "")), 9)
    turn = new_turn(start, end, text_of(record, "speaker"))
    return None if turn is None else (text_of(record, "recording_id"), turn)
