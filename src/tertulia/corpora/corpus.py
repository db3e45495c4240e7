"""`Corpus`: a data set as a protocol, splits of recordings with their references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from tertulia.corpora.references import read_references, read_uem
from tertulia.errors import InputError, unknown
from tertulia.timeline import Diarization, Timeline

__all__ = ["Corpus", "Item", "in_splits"]

T = TypeVar("T")

# The only split of a corpus that has none, and what a corpus that has some leaves outside of them.
_WHOLE, _REST = "all", "other"
_ORDER = ("train", "dev", "test", _WHOLE, _REST)


@dataclass(frozen=True, slots=True)
class Item:
    """One recording of a corpus: where its files are; None stands for a file that there is not.

    Args:
        uri: name of the recording.
        audio: sound, or a video whose sound counts.
        reference: who speaks when: RTTM, or supervisions of lhotse. It may hold other recordings too.
        uem: which parts are scored. It may hold other recordings too.
        part: what a manifest takes of the recording; None is all of it.
        num_speakers: how many people a manifest says there are.
    """

    uri: str
    audio: Path | None = None
    reference: Path | None = None
    uem: Path | None = None
    part: Timeline | None = None
    num_speakers: int | None = None


@dataclass(frozen=True)
class Corpus:
    """Recordings in splits, `train`, `dev` and `test`, or `all` where there are none.

    Made by `tertulia.corpora.open_corpus`, which reads lists and manifests; references and scored parts are
    read when they are asked for.

    Args:
        name: what to call it.
        layout: key of `tertulia.corpora.LAYOUTS`.
        root: where it lies.
        splits: name of each split → its recordings.
    """

    name: str
    layout: str
    root: Path
    splits: Mapping[str, tuple[Item, ...]]
    _users: Counter[Path] = field(init=False, repr=False, compare=False)
    _cache: dict[Path, Mapping[str, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "splits", MappingProxyType(dict(self.splits)))
        uses = {(path, item.uri) for item in self.items() for path in (item.reference, item.uem) if path}
        object.__setattr__(self, "_users", Counter(path for path, _ in uses))

    def items(self, split: str | None = None) -> tuple[Item, ...]:
        """Return the recordings of a split, or of all; raises `UsageError` for a split that there is not."""
        if split is None:
            return tuple(item for items in self.splits.values() for item in items)
        if split not in self.splits:
            raise unknown("split", split, self.splits)
        return self.splits[split]

    def load_reference(self, item: Item) -> Diarization:
        """Read who speaks when in a recording.

        In a file of several recordings it goes by its name, and without turns there nobody speaks. In a file
        that no other recording uses, the only one there is meant, whatever its name.

        Raises:
            InputError: if there is no reference, or it cannot be opened.
            FormatError: naming file and line.
        """
        if item.reference is None:
            raise InputError(f"recording {item.uri!r} has no reference")
        found = self._of(item.uri, item.reference, read_references)
        return (found or Diarization()).replace(uri=item.uri)

    def load_uem(self, item: Item) -> Timeline | None:
        """Read which parts of a recording are scored, None if nothing says so; names work as for references.

        Raises:
            InputError: if its UEM cannot be opened, or does not know the recording.
            FormatError: naming file and line.
        """
        if item.uem is None:
            return item.part
        found = self._of(item.uri, item.uem, read_uem)
        if found is None:
            raise InputError(f"{item.uem} has no recording {item.uri!r}")
        return found if item.part is None else found & item.part

    def name_in(self, uri: str, path: Path, names: Iterable[str]) -> str | None:
        """Tell what a recording is called among the names that a file of its has; None if it is not there."""
        known = list(names)
        if uri in known:
            return uri
        return known[0] if len(known) == 1 and self._users[path] <= 1 else None

    def _of(self, uri: str, path: Path, read: Callable[[Path], Mapping[str, T]]) -> T | None:
        content: Mapping[str, T] = self._cache[path] if path in self._cache else read(path)
        if self._users[path] > 1:
            self._cache[path] = content
        name = self.name_in(uri, path, content)
        return None if name is None else content[name]


def in_splits(items: Iterable[tuple[str | None, Item]]) -> dict[str, tuple[Item, ...]]:
    """Group recordings by split, those of `None` under `all`, or under `other` where there are splits."""
    grouped: dict[str | None, list[Item]] = {}
    for split, item in items:
        grouped.setdefault(split, []).append(item)
    rest = _WHOLE if set(grouped) <= {None} else _REST
    named = {
        split or rest: tuple(sorted(found, key=lambda item: item.uri)) for split, found in grouped.items()
    }
    return {split: named[split] for split in sorted(named, key=_ORDER.index)}
