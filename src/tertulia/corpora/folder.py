"""Any folder of audio and RTTM, perhaps UEM: files belong together by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tertulia.corpora.corpus import Corpus, Item, in_splits
from tertulia.corpora.files import is_audio, listed, rank, split_in, split_lists, split_of, walk
from tertulia.corpora.references import read_references, read_uem
from tertulia.errors import InputError

__all__ = ["Found", "assemble", "found", "read", "with_extension"]


class Found(NamedTuple):
    """A file and the split that its place tells."""

    split: str | None
    path: Path


Index = Mapping[str, Sequence[Found]]
"""Name of a recording → the files it has of one kind."""


def read(root: Path, layout: str = "folder") -> Corpus:
    """Read a folder whose audio and RTTM have the same names, in folders of any kind.

    Splits come from lists (`train.txt`, `dev.lst`, also in `lists/`), else from the names of folders.

    Raises:
        InputError: if it cannot be read, holds neither audio nor RTTM, or two references of one recording.
    """
    files = list(walk(root))
    return assemble(
        layout,
        root,
        audio=[(path.stem, found(path, root)) for path in files if is_audio(path)],
        references=with_extension(files, "rttm"),
        uems=with_extension(files, "uem"),
        lists={split: listed(path) for split, path in split_lists(files, root).items()},
    )


def found(path: Path, root: Path) -> Found:
    """Return a file with the split that its place below `root` tells."""
    return Found(split_of(path, root), path)


def with_extension(files: Iterable[Path], extension: str) -> list[Path]:
    """Keep the files with an extension, in any case."""
    return [path for path in files if path.suffix.lower() == f".{extension}"]


def assemble(
    layout: str,
    root: Path,
    *,
    audio: Iterable[tuple[str, Found]],
    references: Iterable[Path],
    uems: Iterable[Path] = (),
    lists: Mapping[str, Iterable[str]] | None = None,
) -> Corpus:
    """Put a corpus together from the files there are.

    Args:
        layout: name of the layout.
        root: its folder.
        audio: recordings and their audio files; of several kinds of file the best is taken.
        references: RTTM of one recording, called like it, or of several.
        uems: UEM, likewise.
        lists: split → recordings; without them the places of the files tell.

    Raises:
        InputError: without audio and references, or for two references or UEM of one recording.
    """
    sounds: dict[str, list[Found]] = {}
    for uri, file in audio:
        sounds.setdefault(uri, []).append(file)
    spoken = _by_recording(references, root, sounds, read_references)
    if not sounds and not spoken:
        raise InputError(f"{root} holds neither audio nor RTTM")
    scored = _by_recording(uems, root, sounds.keys() | spoken.keys(), read_uem)
    if lists:
        pairs: list[tuple[str | None, str]] = [(split, uri) for split, uris in lists.items() for uri in uris]
        sounds, spoken, scored = map(_anywhere, (sounds, spoken, scored))
    else:
        pairs = [
            (split, uri) for uri in sounds.keys() | spoken.keys() for split in _splits(uri, sounds, spoken)
        ]
    items = (
        (split, Item(uri, path, _only(uri, split, spoken), _only(uri, split, scored)))
        for split, uri in sorted(pairs, key=lambda pair: (pair[0] or "", pair[1]))
        for path in _best(_fitting(sounds.get(uri, ()), split))
    )
    return Corpus(root.resolve().name, layout, root, in_splits(items))


def _by_recording(
    paths: Iterable[Path],
    root: Path,
    known: Collection[str],
    read_file: Callable[[Path], Mapping[str, object]],
) -> dict[str, list[Found]]:
    """Index annotation files: one called like a recording is that recording's, any other is looked into."""
    index: dict[str, list[Found]] = {}
    for path in paths:
        file = found(path, root)
        if path.stem in known:
            index.setdefault(path.stem, []).append(file)
            continue
        shared = Found(split_in(path.stem) or file.split, path)
        for uri in _recordings(path, known, read_file):
            index.setdefault(uri, []).append(shared)
    return index


def _recordings(
    path: Path, known: Collection[str], read_file: Callable[[Path], Mapping[str, object]]
) -> Collection[str]:
    try:
        names = read_file(path).keys()
    except InputError:
        return [path.stem]  # whoever loads it gets the error, and `check` tells of it with all others
    several = len(names) > 1 or any(name in known for name in names)
    return names if several else [path.stem]


def _anywhere(index: Index) -> dict[str, list[Found]]:
    """Forget what the places of files tell: the lists know better."""
    return {uri: [Found(None, file.path) for file in files] for uri, files in index.items()}


def _splits(uri: str, *indexes: Index) -> set[str | None]:
    """Tell the splits that the files of a recording are in: None if none of them is in any."""
    splits = {file.split for index in indexes for file in index.get(uri, ())}
    return splits - {None} or {None}


def _fitting(files: Iterable[Found], split: str | None) -> list[Path]:
    return [file.path for file in files if file.split in (split, None)]


def _best(paths: Sequence[Path]) -> Sequence[Path | None]:
    """Keep the best kind of file, None without any; several of it are several recordings of one name."""
    return [path for path in paths if rank(path) == min(map(rank, paths))] or [None]


def _only(uri: str, split: str | None, index: Index) -> Path | None:
    paths = _fitting(index.get(uri, ()), split)
    if len(paths) > 1:
        raise InputError(f"recording {uri!r} is both in {paths[0]} and in {paths[1]}")
    return paths[0] if paths else None
