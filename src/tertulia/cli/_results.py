"""Where results go: to standard output, to one file, or into a folder."""

from __future__ import annotations

import os
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

import typer

from tertulia import formats
from tertulia.cli._batch import Name
from tertulia.cli._terminal import put, put_bytes
from tertulia.errors import OutputError, UsageError, unknown
from tertulia.formats import ARRAYS, FORMATS, ArrayFormat, Format, json, pyannote_json
from tertulia.timeline import Diarization

__all__ = ["FormatOption", "OutputOption", "Results", "results"]

_IN_FOLDER = "rttm"
_ON_STDOUT = "text"

AnyFormat = Format | ArrayFormat

# Without indentation: one object a line.
_OBJECTS: dict[str, Callable[[Diarization], str]] = {
    "json": lambda diarization: json.dumps(diarization, indent=None),
    "pyannote-json": lambda diarization: pyannote_json.dumps(diarization, indent=None),
}
_LINES = ("text", "console", "segments", "audioseg")

OutputOption = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="Folder for the results, created when missing; with one input and one format also a file that "
        "ends in the extension of a format. Without it they go to standard output.",
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME[,NAME...]",
        help=f"How to write them: {', '.join([*FORMATS, *ARRAYS])}. By default {_ON_STDOUT} on standard "
        f"output, {_IN_FOLDER} in a folder, and what the extension of a file says.",
    ),
]


class Results(Protocol):
    """Takes the result of every input."""

    def prepare(self, names: Sequence[Name]) -> None:
        """Raise `OutputError` if the results of these inputs could not be written."""

    def __call__(self, diarization: Diarization, name: Name) -> list[Path]:
        """Write one result; returns the files it is in."""


def results(output: str | None, format_names: str | None, names: Sequence[Name]) -> Results:
    """Choose where the results of these inputs go, from the values of `-o` and `--format`.

    Raises:
        UsageError: for an unknown format, two inputs with one stem, or what standard output cannot carry.
    """
    stem, count = Counter(name.stem for name in names).most_common(1)[0]
    if count > 1:
        raise UsageError(f"{count} inputs are called {stem!r}; every result needs a name of its own")
    chosen = None if format_names is None else _by_names(format_names)
    if output is None:
        return _Stdout.of(chosen or _by_names(_ON_STDOUT), several=len(names) > 1)
    path = Path(output)
    is_folder = output.endswith(("/", os.sep)) or os.path.isdir(path)
    by_extension = ARRAYS.get(path.suffix.lower().removeprefix(".")) or formats.by_extension(path)
    if by_extension and not is_folder and len(names) == 1 and (chosen is None or len(chosen) == 1):
        return _File(chosen[0] if chosen else by_extension, path)
    return _Folder(chosen or _by_names(_IN_FOLDER), path)


def _by_names(listed: str) -> tuple[AnyFormat, ...]:
    names = dict.fromkeys(name.strip() for name in listed.split(","))
    known: dict[str, AnyFormat] = {**FORMATS, **ARRAYS}
    for name in names:
        if name not in known:
            raise unknown("format", name, known)
    return tuple(known[name] for name in names)


def _write(path: Path, data: str | bytes) -> None:
    if isinstance(data, bytes):
        formats.write_bytes(path, data)
    else:
        formats.write_text(path, data)


@dataclass(frozen=True, slots=True)
class _Stdout:
    format: AnyFormat
    several: bool

    @classmethod
    def of(cls, chosen: tuple[AnyFormat, ...], several: bool) -> _Stdout:
        if len(chosen) > 1:
            raise UsageError(f"standard output takes one format; got {len(chosen)}: write them with -o")
        only = chosen[0]
        alone = isinstance(only, ArrayFormat) or not (
            only.name in _OBJECTS or only.name in _LINES or only.load_many
        )
        if several and alone:
            raise UsageError(f"{only.name} holds one recording: write several with -o, each to its file")
        return cls(only, several)

    def prepare(self, names: Sequence[Name]) -> None:
        """Nothing is needed."""

    def __call__(self, diarization: Diarization, name: Name) -> list[Path]:
        if isinstance(self.format, ArrayFormat):
            put_bytes(self.format.dumps(diarization))
            return []
        dumps = self.format.dumps
        if self.several:
            dumps = _OBJECTS.get(self.format.name, dumps)
        text = dumps(diarization)
        if self.several and self.format.name in _LINES:
            text = "".join(f"{name.shown}: {line}\n" for line in text.split("\n")[:-1])
        put(text)
        return []


@dataclass(frozen=True, slots=True)
class _File:
    format: AnyFormat
    path: Path

    def prepare(self, names: Sequence[Name]) -> None:  # noqa: ARG002
        _make_writable(self.path.parent)
        _check_place(self.path)

    def __call__(self, diarization: Diarization, name: Name) -> list[Path]:  # noqa: ARG002
        _write(self.path, self.format.dumps(diarization))
        return [self.path]


@dataclass(frozen=True, slots=True)
class _Folder:
    formats: tuple[AnyFormat, ...]
    path: Path

    def prepare(self, names: Sequence[Name]) -> None:
        _make_writable(self.path)
        for name in names:
            for file in self._files(name):
                _check_place(file)

    def __call__(self, diarization: Diarization, name: Name) -> list[Path]:
        files = self._files(name)
        contents = [known.dumps(diarization) for known in self.formats]  # all of them before any is written
        for file, content in zip(files, contents, strict=True):
            _write(file, content)
        return files

    def _files(self, name: Name) -> list[Path]:
        # Recordings inside an annotation file have names that need not be fit for files.
        if Path(name.stem).name != name.stem or name.stem in ("", "..") or "\0" in name.stem:
            raise OutputError(f"a recording called {name.stem!r} cannot give a file its name")
        return [self.path / f"{name.stem}.{known.extension}" for known in self.formats]


def _make_writable(folder: Path) -> None:
    """Create a folder where there is none; raises `OutputError` unless files can be made in it."""
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise OutputError(f"cannot write into {folder}: it is not a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass  # permission bits say little: a file system can be read-only, a user almighty
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror}") from error


def _check_place(file: Path) -> None:
    """Raise `OutputError` unless there is no such file yet, or one that can be replaced."""
    try:
        mode = os.stat(file).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"cannot write {file}: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise OutputError(f"cannot write {file}: it is a directory")
