"""Who spoke when, as files: one module a format, one line a format in `FORMATS`.

Files carry milliseconds; `text` and `seg` hundredths, `console` whole seconds. A turn that rounds to nothing
is not written, one that has no length is not read. Speakers' names survive, save in `console`; a name that a
format cannot carry is an error, never another name. Confidence survives in `rttm`, `json`, `ctm` and `csv`,
traits in `seg` and `json`; the recording's name in `rttm`, `json`, `ctm` and `seg`, and otherwise it is the
file's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tertulia.errors import UsageError, unknown
from tertulia.formats import (
    audacity,
    audioseg,
    console,
    csv,
    ctm,
    elan,
    json,
    npy,
    pyannote_json,
    rttm,
    seg,
    segments,
    srt,
    text,
    textgrid,
    vtt,
)
from tertulia.formats._fields import only
from tertulia.formats._files import read_text, write_bytes, write_text
from tertulia.timeline import Diarization

__all__ = [
    "ARRAYS",
    "FORMATS",
    "ArrayFormat",
    "Format",
    "by_extension",
    "by_name",
    "read",
    "read_many",
    "stem",
    "write",
    "write_bytes",
    "write_text",
]


class Loads(Protocol):
    """Reads the text of a file called `name`; raises `FormatError` naming it and the line."""

    def __call__(self, text: str, name: str = ...) -> Diarization: ...


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write turns down, and to read them back."""

    name: str
    extension: str
    """Without the first dot; no two formats share one."""
    dumps: Callable[[Diarization], str]
    loads: Loads
    load_many: Callable[[Path], dict[str, Diarization]] | None = None
    """Reads a file of several recordings, where the format can hold them."""
    recognises: Callable[[str], bool] | None = None
    """Tells a file of this format that has the shorter extension of another, as Audacity's `.txt` labels."""


FORMATS: dict[str, Format] = {
    known.name: known
    for known in (
        Format("text", "txt", text.dumps, text.loads),
        Format("rttm", "rttm", rttm.dumps, rttm.loads, rttm.load_many),
        Format("json", "json", json.dumps, json.loads),
        Format(
            "pyannote-json",
            "pyannote.json",
            pyannote_json.dumps,
            pyannote_json.loads,
            recognises=pyannote_json.recognises,
        ),
        Format("srt", "srt", srt.dumps, srt.loads),
        Format("vtt", "vtt", vtt.dumps, vtt.loads),
        Format("textgrid", "TextGrid", textgrid.dumps, textgrid.loads),
        Format("audacity", "audacity.txt", audacity.dumps, audacity.loads, recognises=audacity.recognises),
        Format("ctm", "ctm", ctm.dumps, ctm.loads, ctm.load_many),
        Format("seg", "seg", seg.dumps, seg.loads, seg.load_many),
        Format("csv", "csv", csv.dumps, csv.loads),
        Format("elan", "eaf", elan.dumps, elan.loads),
        Format("console", "console.txt", console.dumps, console.loads, recognises=console.recognises),
        Format("segments", "segments.txt", segments.dumps, segments.loads, recognises=segments.recognises),
        Format("audioseg", "audioseg.txt", audioseg.dumps, audioseg.loads, recognises=audioseg.recognises),
    )
}


@dataclass(frozen=True, slots=True)
class ArrayFormat:
    """A way to write activity down as numbers, which is not read back."""

    name: str
    extension: str
    dumps: Callable[[Diarization], bytes]


ARRAYS: dict[str, ArrayFormat] = {"npy": ArrayFormat("npy", "npy", npy.dumps)}


def by_name(name: str) -> Format:
    """Return the format called `name`; raises `UsageError` listing the names there are."""
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    return FORMATS[name]


def by_extension(path: str | Path) -> Format | None:
    """Return the format with the longest extension that the file's name ends in, in any case."""
    name = Path(path).name.lower()
    fitting = [known for known in FORMATS.values() if name.endswith(f".{known.extension.lower()}")]
    return max(fitting, key=lambda known: len(known.extension), default=None)


def stem(path: str | Path) -> str:
    """Return the file's name without its extension, all of it: `a` for `a.pyannote.json`."""
    known = by_extension(path)
    return Path(path).name[: -len(known.extension) - 1] if known else Path(path).stem


def write(diarization: Diarization, path: str | Path, format: str | None = None) -> None:  # noqa: A002
    """Write a file whole or not at all, in the format called so or told by its extension.

    Raises:
        UsageError: for a format or extension that is not known.
        OutputError: if it cannot be written there, or a speaker's name does not fit the format.
    """
    write_text(path, _chosen(path, format).dumps(diarization))


def read(path: str | Path, format: str | None = None) -> Diarization:  # noqa: A002
    """Read a file that holds one recording, in the format called so or told by its extension and content.

    A recording that the format gives no name gets the file's.

    Raises:
        UsageError: for a format or extension that is not known.
        InputError: if the file cannot be opened.
        FormatError: naming file and line; also for several recordings, see `read_many`.
    """
    chosen, path = _chosen(path, format), Path(path)
    if chosen.load_many is not None:
        diarization = only(chosen.load_many(path), str(path))
    else:
        content = read_text(path)
        known = _recognised(chosen, content) if format is None else chosen
        diarization = known.loads(content, str(path))
    return diarization if diarization.uri else diarization.replace(uri=stem(path))


def read_many(path: str | Path, format: str | None = None) -> dict[str, Diarization]:  # noqa: A002
    """Read a file of any number of recordings: name → `Diarization`, in the order of the file.

    Formats that hold many recordings are read line by line; one without turns names no recording, so
    nothing comes back. Other formats give their one recording. Raises what `read` raises.
    """
    load_many = _chosen(path, format).load_many
    if load_many is not None:
        return load_many(Path(path))
    diarization = read(path, format)
    return {diarization.uri: diarization}


def _chosen(path: str | Path, name: str | None) -> Format:
    chosen = by_extension(path) if name is None else by_name(name)
    if chosen is None:
        extensions = ", ".join(f".{known.extension} ({known.name})" for known in FORMATS.values())
        raise UsageError(f"{Path(path).name!r} ends in no known extension; there is: {extensions}")
    return chosen


def _recognised(chosen: Format, content: str) -> Format:
    """Return the format that knows its own content under the shorter extension of the one chosen."""
    for other in FORMATS.values():
        longer = other.extension.endswith(f".{chosen.extension}")
        if longer and other.recognises is not None and other.recognises(content):
            return other
    return chosen
