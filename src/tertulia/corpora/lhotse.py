"""Manifests of lhotse: `corpus_recordings_dev.jsonl.gz` with `corpus_supervisions_dev.jsonl.gz` beside it.

Recordings need one file each: a source that is a command, an address or bytes is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tertulia.corpora.corpus import Corpus, Item, in_splits
from tertulia.corpora.files import entries, split_in
from tertulia.corpora.manifests import chosen, first_record, json_lines, named, text_of
from tertulia.errors import InputError
from tertulia.formats._turns import parsed, shown

__all__ = ["read", "recognises"]

_RECORDINGS = re.compile(r"(?:(?P<prefix>.+)_)?recordings(?:[_-](?P<split>.+))?\.jsonl(?:\.gz)?")


def recognises(path: Path) -> bool:
    """Tell manifests by their names and what is in the first record of one."""
    manifests = _manifests(path)
    return bool(manifests) and "sources" in first_record(manifests[0])


def read(path: Path, prefix: str = "") -> Corpus:
    """Read a manifest of recordings, or a folder of them; `prefix` chooses the corpus if there are several.

    Raises:
        UsageError: if the folder holds several corpora and none of them is chosen.
        InputError: if there is nothing to read, or it cannot be read.
        FormatError: naming file and line.
    """
    by_prefix: dict[str, list[Path]] = {}
    for manifest in _manifests(path):
        by_prefix.setdefault(_parts(manifest)["prefix"] or "", []).append(manifest)
    if not by_prefix:
        raise InputError(f"{path} holds no manifests of lhotse; they are called like recordings_dev.jsonl.gz")
    name = chosen(path, "lhotse", prefix, by_prefix)
    items = [item for manifest in by_prefix[name] for item in _items(manifest)]
    return Corpus(name or path.resolve().name, "lhotse", path, in_splits(items))


def _manifests(path: Path) -> list[Path]:
    candidates = [path / entry.name for entry in entries(path)] if path.is_dir() else [path]
    return [candidate for candidate in candidates if _RECORDINGS.fullmatch(candidate.name)]


def _parts(manifest: Path) -> dict[str, str | None]:
    match = _RECORDINGS.fullmatch(manifest.name)
    return match.groupdict() if match else {}


def _items(manifest: Path) -> Iterator[tuple[str | None, Item]]:
    supervisions = _supervisions(manifest)
    split = split_in(_parts(manifest)["split"] or "")
    for uri, audio in parsed(
        json_lines(manifest), partial(_recording, folder=manifest.parent), str(manifest)
    ):
        yield split, Item(uri, audio, supervisions)


def _supervisions(manifest: Path) -> Path | None:
    prefix, separator, rest = manifest.name.rpartition("recordings")
    path = manifest.with_name(f"{prefix}supervisions{rest}")
    return path if separator and path.exists() else None


def _recording(record: dict[str, Any], folder: Path) -> tuple[str, Path]:
    sources = record.get("sources")
    if not isinstance(sources, Sequence) or len(sources) != 1 or not isinstance(sources[0], dict):
        raise ValueError(f"'sources' needs to be a list of one file; got {shown(sources)}")
    if sources[0].get("type") != "file":
        raise ValueError(f"a source needs the type 'file'; got {shown(sources[0].get('type'))}")
    return text_of(record, "id"), named(text_of(sources[0], "source"), folder)
