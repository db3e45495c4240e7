"""A collection of recordings linked with a store: known people keep their names, unnamed ones their ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tertulia.errors import UsageError
from tertulia.identity.gallery import Gallery
from tertulia.identity.linking import LinkedPerson, Linker, Voices, link_by_program
from tertulia.identity.records import Entry
from tertulia.identity.scoring import Scorer
from tertulia.identity.store import RETENTION, SpeakerStore

__all__ = ["Linked", "Original", "link", "remember"]

UNNAMED = re.compile(r"PERSON_\d+")

_ENROLLED = ""  # what enrolled people are heard in when everything is clustered at once


@dataclass(frozen=True, slots=True)
class Original:
    """File that a recording of a collection comes from: its name, and the checksum it is known again by."""

    source: str
    checksum: str


@dataclass(frozen=True, slots=True)
class Linked:
    """Who is who in a collection.

    Attributes:
        names: (recording, speaker) → name of an enrolled person, or `PERSON_0001` and so on.
        merged: ids of earlier runs that turned out to be somebody else's → whose.
        before: names and ids that were known before.
    """

    names: Mapping[tuple[str, str], str]
    merged: Mapping[str, str]
    before: frozenset[str]


def link(
    voices: Voices, gallery: Gallery, scorer: Scorer, *, false_accept: float, at_once: bool = False
) -> Linked:
    """Link the speakers of recordings with one another and with those who are known.

    Args:
        voices: (recording, speaker) → voice, recordings in the order in which they are to be linked.
        gallery: the people who are known, those without a name among them.
        scorer: compares voices.
        false_accept: share of new people who may be taken for somebody else.
        at_once: whether to cluster the whole collection by integer linear programming; otherwise one
            recording is added after the other.
    """
    if at_once:
        return Linked(_program(voices, gallery, scorer, false_accept), {}, frozenset(gallery.names))
    known = tuple(
        LinkedPerson(name, gallery.voiceprint(i), known=not UNNAMED.fullmatch(name))
        for i, name in enumerate(gallery.names)
    )
    linker = Linker(scorer, known, false_accept)
    for recording in dict.fromkeys(recording for recording, _ in voices):
        mine = {speaker: each for (heard_in, speaker), each in voices.items() if heard_in == recording}
        linker = linker.add(recording, mine)
    merged = {old: new for old, new in linker.merged.items() if old in gallery.names}
    return Linked(linker.names, merged, frozenset(gallery.names))


def remember(
    store: SpeakerStore,
    linked: Linked,
    voices: Voices,
    originals: Mapping[str, Original],
    *,
    consent: str,
    days: int = RETENTION,
) -> dict[str, int]:
    """Keep the voices of people without a name, so that they have the same ids in later runs.

    Returns how many voices each of them got. A recording that a person is known by already is passed over.

    Args:
        store: where they go.
        linked: who is who.
        voices: (recording, speaker) → voice.
        originals: where each recording comes from.
        consent: how these people agreed.
        days: after which the voices are deleted.

    Raises:
        UsageError: when somebody else has given the same new ids in the meantime.
    """
    there = {p.name: {voice.recording for voice in p.voices} for p in store.people()}
    if taken := sorted(set(linked.names.values()) & there.keys() - linked.before):
        raise UsageError(
            f"{taken[0]} was given to somebody else in the meantime; nothing was kept: link again"
        )
    for old, new in linked.merged.items():
        store.merge([old, new], new)
    entries: dict[str, list[Entry]] = {}
    for (recording, speaker), voiceprint in voices.items():
        name, original = linked.names[recording, speaker], originals[recording]
        if UNNAMED.fullmatch(name) and original.checksum not in there.get(name, ()):
            entry = Entry(voiceprint, original.source, consent, original.checksum, "linked")
            entries.setdefault(name, []).append(entry)
    store.replace(entries, days=days)
    return {name: len(each) for name, each in entries.items()}


def _program(
    voices: Voices, gallery: Gallery, scorer: Scorer, false_accept: float
) -> dict[tuple[str, str], str]:
    enrolled = {(_ENROLLED, name): gallery.voiceprint(i) for i, name in enumerate(gallery.names)}
    ids = link_by_program({**enrolled, **voices}, scorer, false_accept=false_accept)
    names = {ids[heard]: heard[1] for heard in enrolled}
    fresh = (number for number in range(1, len(ids) + 1) if f"PERSON_{number:04d}" not in gallery.names)
    for heard in voices:
        if ids[heard] not in names:
            names[ids[heard]] = f"PERSON_{next(fresh):04d}"
    return {heard: names[ids[heard]] for heard in voices}
