"""When one known person speaks in a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from tertulia.audio import Source
from tertulia.identity.enrolment import Ear
from tertulia.identity.voiceprint import Voiceprint
from tertulia.timeline import Timeline

__all__ = ["Presenter"]


@dataclass(frozen=True)
class Presenter:
    """Finds the turns of one known voice: speakers are told apart first, then each is compared with it.

    Args:
        voice: of the presenter.
        ear: tells speakers apart and compares voices.
        false_accept: share of strangers who may be taken for the presenter.
    """

    voice: Voiceprint
    ear: Ear
    false_accept: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.false_accept < 1:
            raise ValueError(f"false_accept lies between 0 and 1; got {self.false_accept}")

    @classmethod
    def enrol(
        cls,
        source: Source,
        *,
        one_speaker: bool = False,
        false_accept: float = 0.01,
        threads: int | None = None,
    ) -> Self:
        """Learn the voice of the one person in a recording; arguments and errors are those of `Ear`."""
        ear = Ear.load(threads)
        return cls(ear(source, one_speaker=one_speaker), ear, false_accept)

    def __call__(self, source: Source, *, channels: Literal["mix"] | int = "mix", name: str = "") -> Timeline:
        """Return when the presenter speaks in a recording, a source that can be opened more than once."""
        found = self.ear.diarizer(source, channels=channels, name=name)
        when = Timeline()
        for speaker, voice in self.ear.listener.speakers(source, found, channels=channels).items():
            if self.ear.scorer.verify(self.voice, voice, self.false_accept).accepted:
                when = when | found[speaker]
        return when
