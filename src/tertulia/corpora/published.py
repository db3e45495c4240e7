"""VoxConverse, DIHARD and CALLHOME as their publishers ship them.

```
VoxConverse   dev/abjxc.rttm   test/aepyx.rttm   audio/abjxc.wav, audio/dev/…, voxconverse_test_wav/…
DIHARD        data/flac/x.flac   data/rttm/x.rttm   data/uem/x.uem or data/uem_scoring/{full,core}/all.uem
CALLHOME      fullref.rttm   wav/iaaa.wav or data/…/iaaa.sph   perhaps callhome1.list, callhome2.list
```
"""

from __future__ import annotations

import re
from pathlib import Path

from tertulia.corpora import folder
from tertulia.corpora.corpus import Corpus
from tertulia.corpora.files import is_audio, listed, walk
from tertulia.corpora.folder import assemble, found, with_extension
from tertulia.errors import InputError, unknown

__all__ = [
    "DIHARD_PARTITIONS",
    "is_callhome",
    "is_dihard",
    "is_voxconverse",
    "read_callhome",
    "read_dihard",
    "read_voxconverse",
]

# Videos go by five letters.
_CLIP = re.compile(r"[a-z]{5}")

DIHARD_PARTITIONS = ("full", "core")

# Results on CALLHOME are tuned on the first list and given for the second.
_CALLHOME_LISTS = {"callhome1": "dev", "callhome2": "test"}


def is_voxconverse(root: Path) -> bool:
    """Tell VoxConverse by references of clips in `dev` or `test`."""
    rttms = with_extension(walk(root), "rttm")
    places = {path.parent.name for path in rttms}
    return bool(places) and places <= {"dev", "test"} and all(_CLIP.fullmatch(path.stem) for path in rttms)


def read_voxconverse(root: Path) -> Corpus:
    """Read VoxConverse: splits are those of the references, wherever the audio lies."""
    return folder.read(root, "voxconverse")


def is_dihard(root: Path) -> bool:
    """Tell DIHARD by a folder `data` that has both `flac` and `rttm`."""
    places = {path.parent for path in walk(root) if path.parent.parent.name == "data"}
    return any(path.name == "flac" and path.with_name("rttm") in places for path in places)


def read_dihard(root: Path, partition: str = "") -> Corpus:
    """Read DIHARD, one release or a folder of them; `partition` is "full" or "core", by default full.

    Raises:
        UsageError: for another partition.
        InputError: if the folder cannot be read, or has no UEM for the core.
    """
    if partition and partition not in DIHARD_PARTITIONS:
        raise unknown("partition of DIHARD", partition, DIHARD_PARTITIONS)
    files = list(walk(root))
    scoring = [path for path in files if path.parts[-3:] == ("uem_scoring", partition or "full", "all.uem")]
    if partition == "core" and not scoring:
        raise InputError(f"{root} has no uem_scoring/core/all.uem, which says what the core is")
    everything = assemble(
        "dihard",
        root,
        audio=[(path.stem, found(path, root)) for path in files if is_audio(path)],
        references=with_extension(files, "rttm"),
        uems=scoring or [path for path in with_extension(files, "uem") if path.parent.name == "uem"],
    )
    if partition != "core":
        return everything
    core = {
        split: tuple(item for item in items if item.uem is not None)
        for split, items in everything.splits.items()
    }
    return Corpus(everything.name, "dihard", root, {split: items for split, items in core.items() if items})


def is_callhome(root: Path) -> bool:
    """Tell CALLHOME by the name of its reference, `fullref.rttm`."""
    return any(path.name == "fullref.rttm" for path in walk(root))


def read_callhome(root: Path) -> Corpus:
    """Read the CALLHOME part of NIST's speaker recognition evaluation of 2000.

    Raises:
        InputError: if the folder cannot be read, or there is not one `fullref.rttm`.
    """
    files = list(walk(root))
    references = [path for path in files if path.name == "fullref.rttm"]
    if len(references) != 1:
        raise InputError(f"CALLHOME has one fullref.rttm; {root} has {len(references)}")
    return assemble(
        "callhome",
        root,
        audio=[(path.stem, found(path, root)) for path in files if is_audio(path)],
        references=references,
        uems=with_extension(files, "uem"),
        lists={
            _CALLHOME_LISTS[path.stem]: listed(path)
            for path in files
            if path.stem in _CALLHOME_LISTS and path.suffix in {".list", ".lst", ".txt"}
        },
    )
