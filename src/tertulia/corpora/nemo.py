"""Manifests of NeMo: a line of JSON for each stretch of a recording.

`audio_filepath`, `rttm_filepath` and `uem_filepath` name files, `offset` and `duration` take a part,
`num_speakers` counts; other fields, such as `label` and `text`, are not looked at. Lines that take parts of
one audio file are one recording, of which these parts count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tertulia.corpora.corpus import Corpus, Item, in_splits
from tertulia.corpora.files import entries, split_in
from tertulia.corpora.manifests import first_record, json_lines, named, text_of
from tertulia.errors import FormatError, InputError
from tertulia.formats._turns import parsed, seconds, shown
from tertulia.timeline import Timeline

__all__ = ["read", "recognises"]


def recognises(path: Path) -> bool:
    """Tell manifests by what is in their first record."""
    return bool(_manifests(path))


def read(path: Path) -> Corpus:
    """Read a manifest, or a folder of them; a word of the name tells the split, as in `dev_manifest.json`.

    Raises:
        InputError: if there is nothing to read, or it cannot be read.
        FormatError: naming file and line.
    """
    manifests = [path] if path.is_file() else _manifests(path)
    if not manifests:
        raise InputError(f"{path} holds no manifests of NeMo: no .json whose lines have 'audio_filepath'")
    items = [(split_in(manifest.stem), item) for manifest in manifests for item in _items(manifest)]
    name = path.stem if path.is_file() else path.resolve().name
    return Corpus(name, "nemo", path, in_splits(items))


def _manifests(path: Path) -> list[Path]:
    candidates = [path / entry.name for entry in entries(path)] if path.is_dir() else [path]
    return [
        candidate
        for candidate in candidates
        if candidate.suffix.lower() in {".json", ".jsonl"} and "audio_filepath" in first_record(candidate)
    ]


def _items(manifest: Path) -> Iterable[Item]:
    merged: dict[Path, Item] = {}
    records = json_lines(manifest)
    for audio, item in parsed(records, partial(_item, folder=manifest.parent), str(manifest)):
        before = merged.setdefault(audio, item)
        if (before.reference, before.uem) != (item.reference, item.uem):
            raise FormatError(f"{manifest}: parts of {audio} need the same RTTM and UEM")
        merged[audio] = replace(
            item,
            part=before.part | item.part if before.part and item.part else None,
            num_speakers=item.num_speakers if item.num_speakers == before.num_speakers else None,
        )
    return merged.values()


def _item(record: dict[str, Any], folder: Path) -> tuple[Path, Item]:
    audio = named(text_of(record, "audio_filepath"), folder)
    count = record.get("num_speakers")
    if count is not None and (type(count) is not int or count < 0):
        raise ValueError(f"'num_speakers' needs to be a whole number or null; got {shown(count)}")
    reference, uem = (
        None if record.get(key) is None else named(text_of(record, key), folder)
        for key in ("rttm_filepath", "uem_filepath")
    )
    return audio, Item(audio.stem, audio, reference, uem, _part(record), count)


def _part(record: dict[str, Any]) -> Timeline | None:
    start = seconds(record.get("offset") or 0)
    if record.get("duration") is None:
        if start:
            raise ValueError("an 'offset' needs a 'duration' with it")
        return None
    return Timeline([(start, start + seconds(record["duration"]))])
