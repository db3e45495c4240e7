"""`tertulia formats`: how results can be written."""

from __future__ import annotations

from tertulia.cli._terminal import put_table
from tertulia.formats import ARRAYS, FORMATS

__all__ = ["formats"]


def formats() -> int:
    """List the formats, with their extensions."""
    rows = [(known.name, f".{known.extension}") for known in FORMATS.values()]
    rows += [(known.name, f".{known.extension}") for known in ARRAYS.values()]
    piped = "".join("\t".join(row) + "\n" for row in rows)
    put_table(("format", "extension"), rows, piped)
    return 0
