"""From a recording of one person to an `Entry` of a store, with the checks that keep a store clean."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tertulia.audio import Source
from tertulia.audio.source import name_of, rereadable
from tertulia.errors import InputError
from tertulia.identity.listening import Listener
from tertulia.identity.scoring import Scorer, default_scorer
from tertulia.identity.voiceprint import Voiceprint
from tertulia.pipeline import Pipeline
from tertulia.speakers import ANY, Speakers
from tertulia.timeline import Diarization, Timeline

__all__ = ["ENOUGH", "Ear", "checksum"]

ENOUGH = 10.0
"""Seconds of net speech from which a voice is known well."""

_SHOWN = 4  # turns of others that a message names


@dataclass(frozen=True)
class Ear:
    """Hears the voice of the one person in a recording.

    Args:
        diarizer: finds the speech, and whether it is one person's.
        listener: makes the voiceprint.
        scorer: tells whether two speakers that were found are one person after all.
        least: seconds of speech from which somebody else counts; shorter bits are left out of the voice.
    """

    diarizer: Pipeline
    listener: Listener
    scorer: Scorer
    least: float = 1.0

    @classmethod
    def load(cls, threads: int | None = None) -> Self:
        """Take the bundled networks."""
        import tertulia

        listener = Listener.load(threads)
        return cls(tertulia.load(threads=threads), listener, default_scorer(listener.model))

    def __call__(self, source: Source, *, one_speaker: bool = False, name: str = "") -> Voiceprint:
        """Return the voice of a recording.

        Args:
            source: the recording.
            one_speaker: whether it is known that only one person speaks; nothing is checked then.
            name: of the recording; by default told by the source.

        Raises:
            InputError: for too little speech, or that of several people, naming turns of the others.
            AudioError: when it cannot be read.
        """
        source, name = rereadable(source), name or name_of(source)
        found = self.diarizer(source, Speakers(1) if one_speaker else ANY, name=name)
        voices = self.listener.speakers(source, found)
        if not voices:
            seconds = found.speech.duration
            raise InputError(f"{name}: {seconds:.1f} s of speech is too little to know a voice by")
        main = max(voices, key=lambda speaker: found[speaker].duration)
        same = [s for s in voices if s == main or self._same(voices[main], voices[s])]
        self._refuse_mixture(found, set(same), name)
        whole = Diarization({main: found.merge(same, main)[main]}, duration=found.duration)
        return self.listener.speakers(source, whole)[main] if len(same) > 1 else voices[main]

    def _same(self, one: Voiceprint, other: Voiceprint) -> bool:
        return self.scorer.verify(one, other).accepted

    def _refuse_mixture(self, found: Diarization, same: set[str], name: str) -> None:
        others = {s: t for s, t in found.items() if s not in same and t.duration >= self.least}
        if others:
            turns = list(Timeline(segment for timeline in others.values() for segment in timeline))
            shown = ", ".join(f"{turn.start:.1f}–{turn.end:.1f} s" for turn in turns[:_SHOWN])
            more = ", …" if len(turns) > _SHOWN else ""
            raise InputError(
                f"{name}: more than one person speaks: somebody else at {shown}{more}. Cut these out, or if "
                "it is one person all the same, say so (--one-speaker)"
            )


def checksum(source: Source) -> str:
    """Return the SHA-256 of a recording in a file or in memory, so that it is known again; else nothing."""
    if isinstance(source, str | Path):
        try:
            with Path(source).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"{source}: cannot be opened: {error.strerror}") from error
    return hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else ""
