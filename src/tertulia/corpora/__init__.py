"""Data sets as protocols: train, dev and test of recordings with references.

`open_corpus` recognises how a corpus lies on the disk: one line a layout in `LAYOUTS`. `check` tells what is
wrong with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tertulia.corpora import ami, database_yml, folder, lhotse, nemo, published
from tertulia.corpora.check import Check, Problem, Summary, check
from tertulia.corpora.corpus import Corpus, Item
from tertulia.errors import InputError, UsageError, unknown

__all__ = ["LAYOUTS", "Check", "Corpus", "Item", "Layout", "Problem", "Summary", "check", "open_corpus"]


@dataclass(frozen=True, slots=True)
class Layout:
    """A way in which a corpus lies on the disk."""

    name: str
    summary: str
    recognises: Callable[[Path], bool]
    read: Callable[..., Corpus]
    """Takes the path, and the choice that the name of the layout may go on with."""
    choice: str = ""
    """What the choice is of; empty where there is none."""
    manifest: bool = False
    """Whether a file can be such a corpus, not only a folder."""


# The first that recognises a path reads it; `folder` takes what is left.
LAYOUTS: dict[str, Layout] = {
    known.name: known
    for known in (
        Layout(
            "pyannote",
            "database.yml of pyannote",
            database_yml.recognises,
            database_yml.read,
            "a protocol",
            manifest=True,
        ),
        Layout(
            "lhotse",
            "manifests of lhotse",
            lhotse.recognises,
            lhotse.read,
            "a prefix of the manifests",
            manifest=True,
        ),
        Layout("nemo", "manifests of NeMo", nemo.recognises, nemo.read, manifest=True),
        Layout("ami", "AMI", ami.recognises, ami.read, f"a microphone: {', '.join(ami.MICROPHONES)}"),
        Layout(
            "dihard",
            "DIHARD",
            published.is_dihard,
            published.read_dihard,
            f"a partition: {', '.join(published.DIHARD_PARTITIONS)}",
        ),
        Layout("callhome", "CALLHOME of NIST 2000", published.is_callhome, published.read_callhome),
        Layout("voxconverse", "VoxConverse", published.is_voxconverse, published.read_voxconverse),
        Layout("folder", "any folder of audio and RTTM", Path.is_dir, folder.read),
    )
}


def open_corpus(path: str | Path, layout: str | None = None) -> Corpus:
    """Open a corpus: a folder, a manifest or a `database.yml`.

    Args:
        path: where it lies.
        layout: key of `LAYOUTS`, by default whichever recognises the path; some go on with a choice behind a
            colon, as `ami:array`, `dihard:core` or `pyannote:AMI.SpeakerDiarization.only_words`.

    Raises:
        UsageError: for an unknown layout or choice.
        InputError: for a path that is not there or holds no corpus of that layout.
        FormatError: naming file and line, for lists and manifests that do not follow their format.
        MissingExtraError: for a `database.yml` without PyYAML.
    """
    path = Path(path)
    if not os.path.exists(path):  # unlike Path.exists, no error for a name that no file can have
        raise InputError(f"{path} does not exist")
    name, _, choice = (layout or "").partition(":")
    if layout is not None and name not in LAYOUTS:
        raise unknown("layout", name, LAYOUTS)
    known = LAYOUTS[name] if layout is not None else _recognised(path)
    if choice and not known.choice:
        raise UsageError(f"layout {name!r} has nothing to choose; got {layout!r}")
    return known.read(path, choice) if choice else known.read(path)


def _recognised(path: Path) -> Layout:
    for known in LAYOUTS.values():
        if (known.manifest or path.is_dir()) and known.recognises(path):
            return known
    raise InputError(f"{path} is neither a folder nor a manifest; layouts are: {', '.join(sorted(LAYOUTS))}")
