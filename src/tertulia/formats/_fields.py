"""Formats of the NIST family: one record a line, fields parted by white space, `;;` comments.

A name may hold what such a line cannot, so names are percent-encoded, and only where they have to be:
white space, control characters, byte order marks and lone surrogates become the `%XX` of their UTF-8
bytes; so do a `%` that two hexadecimal digits follow, and the first character of a name that begins with
`;;` or is `<NA>`. Every other name is written as it is. The empty name is written `<NA>`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tertulia.errors import FormatError, InputError
from tertulia.formats._turns import Collector, at_line, parsed
from tertulia.timeline import Diarization, Turn

__all__ = ["NA", "Record", "Source", "decode", "encode", "load_many", "only", "records"]

NA = "<NA>"

_UNSAFE = re.compile("[\\s\x00-\x1f\x7f-\x9f\ufeff\ud800-\udfff]|%(?=[0-9A-Fa-f]{2})|^;(?=;)|^<(?=NA>$)")
_ENCODED = re.compile("(?:%[0-9A-Fa-f]{2})+")
# Not str.split(): that would cut names at no-break spaces and the like.
_FIELD = re.compile(r"[^ \t\r\n\f\v]+")

Source = str | Path | Iterable[str]
"""The text itself, the path of a file, or lines from anywhere."""

Record = tuple[str, Turn]
"""The name of a recording and one of its turns."""


def load_many(
    source: Source, parse: Callable[[list[str]], Record | None], name: str | None
) -> dict[str, Diarization]:
    """Read every recording, line by line, in 24 bytes of memory a turn.

    Args:
        source: the text itself (`str`), a file (`Path`), or any iterable of lines.
        parse: makes a record of the fields of a line, None where there is no turn; raises `ValueError`.
        name: what to call the source in messages; by default its path, or `<text>`.

    Returns:
        Name of each recording → its turns, in the order of the file.

    Raises:
        InputError: if the file cannot be opened.
        FormatError: naming file and line.
    """
    name = name or (str(source) if isinstance(source, Path) else "<text>")
    recordings: defaultdict[str, Collector] = defaultdict(Collector)
    for uri, turn in parsed(records(source, name), parse, name):
        recordings[uri].add(turn)
    return {uri: collector.diarization(uri) for uri, collector in recordings.items()}


def only(recordings: dict[str, Diarization], name: str) -> Diarization:
    """Return the one recording; raises `FormatError` if the file called `name` holds several."""
    if len(recordings) > 1:
        some = ", ".join(list(recordings)[:5]) + (", …" if len(recordings) > 5 else "")
        raise FormatError(f"{name}: this holds {len(recordings)} recordings ({some}); use formats.read_many")
    return next(iter(recordings.values()), Diarization())


def records(source: Source, name: str) -> Iterator[tuple[int, list[str]]]:
    """Stream the fields of each line, numbered from 1, without blank lines and comments.

    Raises:
        InputError: if the file cannot be opened.
        FormatError: naming file and line, for text that is not UTF-8.
    """
    for number, line in enumerate(_lines(source, name), 1):
        if number == 1:
            line = line.removeprefix("\ufeff")
        fields = line.split() if line.isascii() else _FIELD.findall(line)
        if fields and not fields[0].startswith(";;"):
            yield number, fields


def _lines(source: Source, name: str) -> Iterator[str]:
    if isinstance(source, str):
        yield from source.split("\n")
    elif isinstance(source, Path):
        try:
            with source.open("rb") as file:
                for number, line in enumerate(file, 1):
                    try:
                        yield line.decode()
                    except UnicodeDecodeError as error:
                        raise at_line(name, number, f"this is not UTF-8 text ({error.reason})") from None
        except OSError as error:
            raise InputError(f"cannot read {name}: {error.strerror}") from error
    else:
        yield from source


def encode(name: str) -> str:
    """Write a name as one field; see the module's page."""
    return _UNSAFE.sub(_percent, name) or NA


def decode(field: str) -> str:
    """Read a name from a field; `%XX` that is no UTF-8 stays as it is."""
    if field == NA:
        return ""
    return _ENCODED.sub(_unpercent, field) if "%" in field else field


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _unpercent(match: re.Match[str]) -> str:
    try:
        return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return match[0]
