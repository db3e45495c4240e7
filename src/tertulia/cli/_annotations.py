"""Annotation files as the commands take them: recordings by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tertulia import formats
from tertulia.errors import InputError
from tertulia.timeline import Diarization, Timeline

__all__ = ["read_folder", "read_recordings", "read_regions"]


def read_recordings(path: Path, format_name: str | None = None) -> dict[str, Diarization]:
    """Read a file: name of each recording in it → its turns.

    Without turns, it is one recording called like the file in which nobody speaks.
    """
    try:
        path.stat()  # what is not there is said to be so, before anything about its extension
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    stem = formats.stem(path)
    return formats.read_many(path, format_name) or {stem: Diarization(uri=stem)}


def read_folder(folder: Path) -> dict[str, Diarization]:
    """Read a folder and those in it: a file that holds one recording names it, several have their own names.

    RTTM files count, or where there are none those of the one format that is there.

    Raises:
        InputError: when that leaves nothing, a choice of formats, or a name twice.
        FormatError: naming file and line.
    """
    recordings: dict[str, Diarization] = {}
    origin: dict[str, Path] = {}
    for path in _annotation_files(folder):
        found = read_recordings(path)
        if len(found) == 1:
            found = {formats.stem(path): next(iter(found.values()))}
        for name, diarization in found.items():
            if name in origin:
                raise InputError(f"recording {name!r} is both in {origin[name]} and in {path}")
            recordings[name], origin[name] = diarization, path
    return recordings


def _annotation_files(folder: Path) -> list[Path]:
    by_format: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        known = formats.by_extension(path)
        if known is not None and path.is_file() and not path.name.startswith("."):
            by_format.setdefault(known.name, []).append(path)
    if not by_format:
        extensions = ", ".join(f".{known.extension}" for known in formats.FORMATS.values())
        raise InputError(f"{folder} holds no annotation files; they end in: {extensions}")
    if "rttm" in by_format:
        return by_format["rttm"]
    if len(by_format) > 1:
        raise InputError(f"{folder} holds no RTTM but {' and '.join(sorted(by_format))}; leave one of them")
    return next(iter(by_format.values()))


def read_regions(uem: Path, references: Mapping[str, Diarization]) -> dict[str, Timeline]:
    """Read the scored parts of each reference, which go by its name or the name inside its file."""
    from tertulia.formats.uem import read

    files = sorted(uem.rglob("*.uem")) if os.path.isdir(uem) else [uem]
    if not files:
        raise InputError(f"{uem} holds no UEM files; they end in: .uem")
    parts: dict[str, Timeline] = {}
    for file in files:
        for name, timeline in read(file).items():
            parts[name] = parts.get(name, Timeline()) | timeline
    found = {name: parts.get(name, parts.get(turns.uri)) for name, turns in references.items()}
    return {name: timeline for name, timeline in found.items() if timeline is not None}
