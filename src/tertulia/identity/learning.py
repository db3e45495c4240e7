"""Learning from a corrected result: what somebody said in it becomes another voice of that person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tertulia.audio import Source
from tertulia.audio.source import name_of, rereadable
from tertulia.errors import UsageError
from tertulia.identity.enrolment import checksum
from tertulia.identity.listening import Listener
from tertulia.identity.records import Entry, checked_name
from tertulia.identity.store import RETENTION, SpeakerStore
from tertulia.timeline import Diarization

__all__ = ["Lesson", "learn"]

_UNKNOWN = re.compile(r"(SPEAKER|PERSON)_\d+")


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learned.

    Attributes:
        learned: name → seconds of speech of the new voice.
        short: people who say too little.
        strangers: people who are not enrolled, and for whom no consent was given.
    """

    learned: Mapping[str, float]
    short: tuple[str, ...]
    strangers: tuple[str, ...]


def learn(
    store: SpeakerStore,
    source: Source,
    corrected: Diarization,
    listener: Listener,
    *,
    consent: str = "",
    days: int = RETENTION,
    least: float = 3.0,
) -> Lesson:
    """Keep the voices of a recording whose speakers have been named rightly.

    What was learned from the same recording before is replaced, so that correcting a correction leaves
    nothing wrong behind. Speakers called SPEAKER_nn or PERSON_nn are passed over.

    Args:
        store: where the voices go.
        source: the recording.
        corrected: who speaks when in it.
        listener: makes the voiceprints.
        consent: how people who are not enrolled yet agreed; they are passed over when it is empty. For those
            who are, the newest note stands.
        days: after which the new voices are deleted.
        least: seconds of net speech from which a voice is learned.

    Raises:
        UsageError: when nobody in the recording has a name.
    """
    source = rereadable(source)
    named = [speaker for speaker in corrected.speakers if not _UNKNOWN.fullmatch(speaker)]
    if not named:
        raise UsageError(f"nobody has a name here; there is: {', '.join(corrected.speakers) or 'nobody'}")
    notes = {person.name: person.voices[-1].consent for person in store.people()}
    if consent:
        notes |= {checked_name(name): consent for name in named}
    strangers = [name for name in named if checked_name(name) not in notes]
    voices = listener.speakers(source, corrected)
    long = {name for name in voices if voices[name].seconds >= least and name not in strangers}
    recording, title = checksum(source), Path(name_of(source)).name
    entries = {
        checked_name(name): [Entry(voices[name], title, notes[checked_name(name)], recording, "learned")]
        for name in named
        if name in long
    }
    store.replace(entries, recording=recording, days=days)
    return Lesson(
        {name: voices[name].seconds for name in named if name in long},
        tuple(name for name in named if name not in long and name not in strangers),
        tuple(strangers),
    )
