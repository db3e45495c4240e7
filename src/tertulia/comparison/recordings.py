"""The recordings that systems are compared on: those of a corpus that have both sound and a reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tertulia.corpora import Corpus, open_corpus
from tertulia.errors import InputError
from tertulia.timeline import Diarization, Timeline

__all__ = ["Recording", "find_recordings"]


@dataclass(frozen=True)
class Recording:
    """Sound, and who really spoke when in it.

    Attributes:
        name: no two recordings share it.
        subset: split of the corpus, or folder where the corpus is a plain folder; may be empty.
        audio: the file.
        reference: the truth.
        uem: which parts the corpus scores, if it says so.
    """

    name: str
    subset: str
    audio: Path
    reference: Diarization
    uem: Timeline | None = None


def find_recordings(data: Path) -> tuple[Recording, ...]:
    """Open a corpus as `tertulia.corpora.open_corpus` does; items without sound or reference are left out.

    Raises:
        InputError: when nothing is left, two recordings have one name, or there is no such corpus.
        FormatError: for a reference or list that does not follow its format, naming file and line.
    """
    corpus = open_corpus(data)
    found: dict[str, Recording] = {}
    for split in corpus.splits:
        for item in corpus.items(split):
            if item.audio is None or item.reference is None:
                continue
            if item.uri in found:
                raise InputError(f"recording {item.uri!r} is both {found[item.uri].audio} and {item.audio}")
            reference, uem = corpus.load_reference(item), corpus.load_uem(item)
            subset = _subset(corpus, split, item.audio)
            found[item.uri] = Recording(item.uri, subset, item.audio, reference, uem)
    if not found:
        raise InputError(f"{data} holds no recording that has both audio and a reference")
    return tuple(found.values())


def _subset(corpus: Corpus, split: str, audio: Path) -> str:
    if corpus.layout != "folder" or len(corpus.splits) > 1:
        return split
    folder = audio.parent.relative_to(corpus.root).as_posix() if audio.is_relative_to(corpus.root) else ""
    return "" if folder == "." else folder
