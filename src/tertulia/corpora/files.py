"""Finding the files of a corpus: by walking, never by patterns, so that names may hold any character."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tertulia.errors import InputError
from tertulia.formats._files import read_text

__all__ = [
    "entries",
    "is_audio",
    "listed",
    "rank",
    "read_list",
    "require_file",
    "split_in",
    "split_lists",
    "split_of",
    "walk",
]

# By preference, where a recording is there in several: what loses nothing, what loses, videos.
_AUDIO = (
    *("wav", "flac", "sph", "w64", "aiff", "aif", "au", "caf"),
    *("opus", "ogg", "mp3", "m4a", "aac", "amr", "wma"),
    *("mp4", "mkv", "mov", "webm", "avi", "mpg", "m4v"),
)
_RANKS = {f".{extension}": rank for rank, extension in enumerate(_AUDIO)}

_SPLITS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("dev", "development", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "eval", "evaluation"), "test"),
}
_LIST_FOLDERS = {".", "list", "lists", "lst", "splits"}
_LIST_EXTENSIONS = {".txt", ".lst", ".list"}


def is_audio(path: Path) -> bool:
    """Tell whether the file's name is one of sound or video."""
    return path.suffix.lower() in _RANKS


def rank(path: Path) -> int:
    """Order the kinds of audio files, the best first."""
    return _RANKS[path.suffix.lower()]


def require_file(path: Path) -> None:
    """Raise `InputError` unless there is a plain file: a device or a pipe could be read without end."""
    if not os.path.isfile(path):  # unlike Path.is_file, no error for a name that no file can have
        raise InputError(f"{path} is not a file" if os.path.exists(path) else f"{path} does not exist")


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder in order of names; raises `InputError` if that is not possible."""
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror}") from error


def walk(root: Path) -> Iterator[Path]:
    """Find all files below a folder in order of their names, but hidden ones; links to folders are followed.

    Raises `InputError` if a folder cannot be read.
    """
    yield from _walk(root, set())


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in seen:  # a link can lead back to where it is
        return
    seen.add(real)
    for entry in entries(folder):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(folder / entry.name, seen)
        elif entry.is_file() or entry.is_symlink():  # a link to nowhere is a file that is missing
            yield folder / entry.name


def split_in(name: str) -> str | None:
    """Tell the split that a name has among its words, as `voxconverse_test_wav` has; the last of several."""
    words = re.split(r"[\W_]+", name.lower())
    return next((_SPLITS[word] for word in reversed(words) if word in _SPLITS), None)


def split_of(path: Path, root: Path) -> str | None:
    """Tell the split that the folders of a file, below `root`, speak of: the innermost that does."""
    folders = reversed(path.relative_to(root).parts[:-1])
    return next((split for split in map(split_in, folders) if split), None)


def split_lists(files: Iterable[Path], root: Path) -> dict[str, Path]:
    """Find the lists of recordings, `train.txt` or `lists/dev.meetings.lst`: split → file.

    Raises `InputError` for two lists of one split.
    """
    found: dict[str, Path] = {}
    for path in files:
        split = _SPLITS.get(path.name.split(".")[0].lower())
        folder = path.parent.relative_to(root).as_posix().lower()
        is_list = path.suffix.lower() in _LIST_EXTENSIONS and folder in _LIST_FOLDERS
        if split is None or not is_list:
            continue
        if split in found:
            raise InputError(f"split {split!r} has two lists: {found[split]} and {path}")
        found[split] = path
    return found


def read_list(path: Path) -> tuple[str, ...]:
    """Read a list of recordings: the first field of each line, each once.

    Raises:
        InputError: if it is not a file, or cannot be opened.
        FormatError: naming file and line, for what is not text.
    """
    require_file(path)
    return tuple(dict.fromkeys(line.split()[0] for line in read_text(path).splitlines() if line.strip()))


def listed(path: Path) -> tuple[str, ...]:
    """Read a list of recordings that goes by names or by audio files; raises what `read_list` raises."""
    names = (Path(field.replace("\\", "/")) for field in read_list(path))
    return tuple(dict.fromkeys(name.stem if is_audio(name) else name.name for name in names))
