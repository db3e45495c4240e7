"""What a store holds, as values: `Person`, `Voice`, and `Entry`, a voiceprint to be added."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from tertulia.errors import UsageError
from tertulia.identity.voiceprint import Voiceprint

__all__ = ["Entry", "Kept", "Origin", "Person", "Voice", "checked_name", "stamp"]

Origin = Literal["enrolled", "learned", "linked"]

_LONGEST = 200
_RESERVED = re.compile(r"SPEAKER_\d+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A voiceprint to be kept, and why it may be.

    Args:
        voiceprint: the voice.
        source: name of the recording it comes from.
        consent: how the person agreed to this; not empty.
        recording: checksum of that recording, so that it is not counted twice; empty when unknown.
        origin: whether the person was enrolled, learned from a corrected result, or found by linking.
    """

    voiceprint: Voiceprint
    source: str
    consent: str
    recording: str = ""
    origin: Origin = "enrolled"

    def __post_init__(self) -> None:
        if not self.consent.strip():
            raise UsageError(
                "a voiceprint is kept only with a note of how the person agreed to it; the note is empty"
            )


@dataclass(frozen=True, slots=True)
class Kept:
    """An `Entry` as a store keeps it.

    Args:
        name: of the person.
        uid: the same in every store that this voice was copied to.
        created, expires: dates and times, UTC.
        entry: the voice.
    """

    name: str
    uid: str
    created: datetime
    expires: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class Voice:
    """One voiceprint in a store, without its vector.

    Attributes:
        number: what it is called in commands.
        created, expires: dates and times, UTC.
        seconds: net speech it is made of.
        model: the network that made it.
        source, consent, recording, origin: as in `Entry`.
    """

    number: int
    created: datetime
    expires: datetime
    seconds: float
    model: str
    source: str
    consent: str
    recording: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a store, with the voices it knows them by, in the order they were added."""

    name: str
    voices: tuple[Voice, ...]

    @property
    def seconds(self) -> float:
        """Net speech of all voices together."""
        return sum(voice.seconds for voice in self.voices)


def checked_name(name: str) -> str:
    """Return a name in the one form that is stored (Unicode NFC, no space around it).

    Raises:
        UsageError: for an empty name, a very long one, control characters, or a label of unknown speakers.
    """
    clean = unicodedata.normalize("NFC", name).strip()
    if not clean or len(clean) > _LONGEST or any(unicodedata.category(c) in ("Cc", "Cs") for c in clean):
        raise UsageError(f"a name has 1 to {_LONGEST} characters without line breaks; got {name!r}")
    if _RESERVED.fullmatch(clean):
        raise UsageError(f"{clean} is what unknown speakers are called; choose another name")
    return clean


def stamp(moment: datetime) -> str:
    """Write a moment so that text sorts like time, to the second, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
