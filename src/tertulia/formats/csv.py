"""Comma-separated values with a header: `start,end,speaker`, and `confidence` where it is known."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from tertulia.formats._turns import at_line, collect, fraction, new_turn, parsed, rounded, seconds, shown
from tertulia.timeline import Diarization, Turn

__all__ = ["dumps", "loads"]

_NEEDED = ("start", "end", "speaker")


def dumps(diarization: Diarization) -> str:
    """Write one row a turn."""
    known = bool(diarization.confidence)
    rows = [",".join([*_NEEDED, *["confidence"] * known])]
    for turn in rounded(diarization):
        row = [f"{turn.start:.3f}", f"{turn.end:.3f}", _quoted(turn.speaker)]
        if known:
            row.append("" if turn.confidence is None else f"{turn.confidence:.3f}")
        rows.append(",".join(row))
    return "\n".join(rows) + "\n"


def _quoted(name: str) -> str:
    # Not csv.writer: with line feeds between rows it leaves a carriage return in a name unquoted.
    return '"' + name.replace('"', '""') + '"' if re.search('[,"\r\n]', name) else name


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read the columns by their header, in any order and beside others; `name` is the file's, for messages.

    Raises `FormatError`.
    """
    return collect(parsed(_rows(text, name), _turn, name))


def _rows(text: str, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column.strip().lower() for column in next(reader, [])]
        if missing := [column for column in _NEEDED if column not in header]:
            raise at_line(name, 1, f"the header lacks {', '.join(missing)}; got {shown(','.join(header))}")
        for row in filter(None, reader):
            if len(row) != len(header):
                problem = f"a row needs {len(header)} values, as the header has; got {len(row)}"
                raise at_line(name, reader.line_num, problem)
            yield reader.line_num, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise at_line(name, reader.line_num, error) from None


def _turn(row: dict[str, str]) -> Turn | None:
    confidence = row.get("confidence", "").strip()
    return new_turn(
        seconds(row["start"]),
        seconds(row["end"]),
        row["speaker"],
        fraction(confidence) if confidence else None,
    )
