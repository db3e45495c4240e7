"""What manifests of all kinds need: lines of JSON, fields of the right kind, paths."""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Collection, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from tertulia.corpora.files import require_file
from tertulia.errors import FormatError, InputError, UsageError, unknown
from tertulia.formats._turns import at_line, shown

__all__ = ["chosen", "first_record", "is_json_lines", "json_lines", "named", "text_of"]

_EXTENSIONS = (".jsonl", ".jsonl.gz", ".json")
# A line is read whole before it is understood; the longest of real manifests are some kilobytes.
_LONGEST_LINE = 1 << 24
# JSON can spell what is no text; what stands for the bytes of a file name, U+DC80 to U+DCFF, is.
_SURROGATE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def is_json_lines(path: Path) -> bool:
    """Tell whether the file's name is one of JSON lines."""
    return path.name.lower().endswith(_EXTENSIONS)


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Stream the objects of a file, one a line, numbered from 1; `.gz` is unpacked on the way.

    Raises:
        InputError: if it is not a file, or cannot be opened.
        FormatError: naming file and line.
    """
    require_file(path)
    number = 0
    try:
        with _opened(path) as file:
            while line := file.readline(_LONGEST_LINE + 1):
                number += 1
                if len(line) > _LONGEST_LINE:
                    raise at_line(str(path), number, f"a line of more than {_LONGEST_LINE} bytes")
                if line.strip():
                    yield number, _object(line, path, number)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FormatError(f"{path}: not a whole gzip file: {error}") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")


def _object(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise at_line(str(path), number, f"this is not JSON: {error}") from None
    if not isinstance(record, dict):
        raise at_line(str(path), number, f"a manifest has one object a line; got {shown(record)}")
    return record


def first_record(path: Path) -> dict[str, Any]:
    """Return the first object of a file, to tell its kind by; nothing if it is no file of JSON lines."""
    try:
        return next((record for _, record in json_lines(path)), {})
    except InputError:
        return {}


def text_of(record: dict[str, Any], key: str) -> str:
    """Return a field that has to be text; raises `ValueError`."""
    value = record.get(key)
    if not isinstance(value, str) or not value or _SURROGATE.search(value):
        raise ValueError(f"{key!r} needs to be text; got {shown(value)}")
    return value


def named(path: str, folder: Path) -> Path:
    """Return the file that a manifest in `folder` names: there, or else in the working directory."""
    beside = folder / path
    return beside if os.path.exists(beside) or not os.path.exists(path) else Path(path)


def chosen(path: Path, layout: str, choice: str, names: Collection[str]) -> str:
    """Return which of several corpora in one place is meant; the only one need not be named.

    Raises `UsageError` listing what there is.
    """
    if not choice and len(names) == 1:
        return next(iter(names))
    layouts = sorted(f"{layout}:{name}" for name in names)
    if not choice:
        raise UsageError(f"{path} holds several corpora; choose by the layout: {', '.join(layouts)}")
    if choice not in names:
        raise unknown("layout", f"{layout}:{choice}", layouts)
    return choice
