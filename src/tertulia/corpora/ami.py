"""AMI: the meetings as the AMI consortium ships them, references and lists as AMI-diarization-setup does.

```
amicorpus/ES2002a/audio/ES2002a.Mix-Headset.wav       or  ES2002a.Array1-01.wav
amicorpus/ES2002a/video/ES2002a.Overhead1.mp4
only_words/rttms/train/ES2002a.rttm                   uems/train/ES2002a.uem        lists/train.meetings.txt
```

The folders may lie in each other or side by side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tertulia.corpora.corpus import Corpus
from tertulia.corpora.files import is_audio, listed, split_in, walk
from tertulia.corpora.folder import Found, assemble, with_extension
from tertulia.errors import unknown

__all__ = ["MICROPHONES", "read", "recognises"]

_MEETING = re.compile(r"(?:ES|IS|TS|EN|IB|IN)[0-9]{4}[a-z]?")

# What can stand for a meeting, by preference. One person's headset cannot.
MICROPHONES = {
    "headset": re.compile(r"Mix-Headset\.[a-z0-9]+", re.IGNORECASE),
    "lapel": re.compile(r"Mix-Lapel\.[a-z0-9]+", re.IGNORECASE),
    "array": re.compile(r"Array1-01\.[a-z0-9]+", re.IGNORECASE),
    "plain": re.compile(r"[a-z0-9]+", re.IGNORECASE),
    "video": re.compile(r"(?:[a-z0-9_-]+\.)?(?:mp4|mkv|webm|mov|avi|m4v)", re.IGNORECASE),
}

# The annotations are there twice: of words, as most published results are, and with other vocal sounds.
_WORDS = "only_words"


def recognises(root: Path) -> bool:
    """Tell AMI by its folder of annotations, or by audio in the folders that the consortium's server has."""
    return any(
        _meeting(path) is not None
        and (_WORDS in path.parts or (is_audio(path) and path.parts[-3:-1] == (_meeting(path), "audio")))
        for path in walk(root)
    )


def read(root: Path, microphone: str = "") -> Corpus:
    """Read AMI with the sound of one kind of microphone, by default for each meeting the best there is.

    Raises:
        UsageError: for a microphone that is not in `MICROPHONES`.
        InputError: if the folder cannot be read or holds no meetings.
    """
    if microphone and microphone not in MICROPHONES:
        raise unknown("microphone", microphone, MICROPHONES)
    files = list(walk(root))
    rttms = with_extension(files, "rttm")
    return assemble(
        "ami",
        root,
        audio=_recordings(files, [microphone] if microphone else list(MICROPHONES)),
        references=[path for path in rttms if _WORDS in path.parts] or rttms,
        uems=with_extension(files, "uem"),
        lists={
            split: listed(path)
            for path in files
            if path.name.endswith(".meetings.txt") and (split := split_in(path.name)) is not None
        },
    )


def _meeting(path: Path) -> str | None:
    name = path.name.split(".")[0]
    return name if _MEETING.fullmatch(name) else None


def _recordings(files: Iterable[Path], microphones: Sequence[str]) -> Iterator[tuple[str, Found]]:
    """Choose for each meeting the sound of the first of the microphones that there is."""
    choice: dict[str, tuple[int, Path]] = {}
    for path in filter(is_audio, files):
        uri, rest = _meeting(path), path.name.partition(".")[2]
        for order, microphone in enumerate(microphones):
            if uri is not None and MICROPHONES[microphone].fullmatch(rest):
                choice[uri] = min(choice.get(uri, (order, path)), (order, path))
    return ((uri, Found(None, path)) for uri, (_, path) in choice.items())
