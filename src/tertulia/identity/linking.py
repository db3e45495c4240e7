"""The same people in many recordings: `Linker` adds one recording at a time and keeps the names it gave.

A person is the sum of the voices it has been heard by. A new recording is compared with the people, not with
all recordings before it: its speakers go one-to-one to those they match, and who matches nobody becomes
somebody new. Whoever has been heard anew may now be close to another person, so these are merged, the closest
first. That makes up for most of what the order of recordings would do otherwise: two halves of one person
that began apart join as soon as enough has been heard of both.

`link_by_program` clusters a whole collection at once instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import InputError
from tertulia.identity.assignment import best_pairs
from tertulia.identity.scoring import FALSE_ACCEPT, Scorer
from tertulia.identity.voiceprint import Voiceprint

__all__ = ["LinkedPerson", "Linker", "Voices", "link_by_program"]

Array = NDArray[np.float64]
Heard = tuple[str, str]
"""A recording, and what a speaker is called in it."""
Voices = Mapping[Heard, Voiceprint]

_PREFIX = "PERSON_"


@dataclass(frozen=True, slots=True)
class LinkedPerson:
    """Somebody in a collection.

    Attributes:
        id: enrolled name, or `PERSON_0001` and so on, in the order in which people are first heard.
        voiceprint: of all that was heard of it.
        heard: recording → what it is called there; a person is one speaker of a recording at most.
        known: whether it is enrolled; two enrolled people are never merged.
    """

    id: str
    voiceprint: Voiceprint
    heard: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    known: bool = False

    def joined(self, other: Self) -> Self:
        """Return one person made of two, called as this one."""
        voiceprint = Voiceprint.combine([self.voiceprint, other.voiceprint])
        return replace(self, voiceprint=voiceprint, heard=MappingProxyType({**self.heard, **other.heard}))

    def may_be(self, other: Self) -> bool:
        """Whether nothing but the voice speaks against the two being one."""
        return (
            self is not other and not (self.known and other.known) and not (self.heard.keys() & other.heard)
        )


@dataclass(frozen=True)
class Linker:
    """State of a collection; `add` returns the next.

    Args:
        scorer: compares voices.
        people: who is known before: enrolled people, and unnamed ones of an earlier run.
        false_accept: share of new people who may be taken for somebody else.
        merged: ids that are gone, and into whom.
        count: how many unnamed people there have been.
    """

    scorer: Scorer
    people: tuple[LinkedPerson, ...] = ()
    false_accept: float = FALSE_ACCEPT
    merged: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    count: int = 0

    def __post_init__(self) -> None:
        ids = [person.id for person in self.people]
        if len(set(ids)) < len(ids):
            raise InputError("two people of a collection have the same id")
        numbers = [int(i.removeprefix(_PREFIX)) for i in ids if i.removeprefix(_PREFIX).isdecimal()]
        object.__setattr__(self, "count", max([self.count, *numbers]))

    @property
    def names(self) -> dict[Heard, str]:
        """Id of every speaker of every recording."""
        return {heard: person.id for person in self.people for heard in person.heard.items()}

    @property
    def recordings(self) -> frozenset[str]:
        """All in which somebody was heard."""
        return frozenset().union(*(person.heard for person in self.people))

    def add(self, recording: str, voices: Mapping[str, Voiceprint]) -> Self:
        """Link the speakers of one more recording.

        Args:
            recording: its name.
            voices: speaker → voice; two speakers of one recording are two people.

        Raises:
            InputError: when the recording is in the collection already, or a voice of another network.
        """
        if recording in self.recordings:
            raise InputError(f"{recording} is in the collection already")
        prints = list(voices.values())
        gains = self._gains(prints, self.people)
        people, count = list(self.people), self.count
        touched = []
        matches = dict(best_pairs(gains))
        for voice, (speaker, voiceprint) in enumerate(voices.items()):
            new = LinkedPerson("", voiceprint, MappingProxyType({recording: speaker}))
            if voice in matches:
                people[matches[voice]] = people[matches[voice]].joined(new)
                touched.append(people[matches[voice]].id)
            else:
                count += 1
                people.append(replace(new, id=f"{_PREFIX}{count:04d}"))
                touched.append(people[-1].id)
        return replace(self, people=tuple(people), count=count)._settled(touched)

    def _settled(self, touched: Iterable[str]) -> Self:
        """Merge those who have been heard anew with whom they match, the best match first."""
        state, waiting = self, set(touched)
        while (pair := state._best_match(waiting)) is not None:
            state, survivor = state._merge(*pair)
            waiting = {survivor} | (waiting - state.merged.keys())
        return state

    def _best_match(self, waiting: set[str]) -> tuple[int, int] | None:
        """Find who of those waiting, and who of all, are most surely one person."""
        rows = [i for i, person in enumerate(self.people) if person.id in waiting]
        gains = self._gains([self.people[row].voiceprint for row in rows], self.people)
        found = np.argwhere(gains >= 0)
        for row, column in found[np.argsort(-gains[gains >= 0], kind="stable")].tolist():
            if self.people[rows[row]].may_be(self.people[column]):
                return rows[row], column
        return None

    def _merge(self, a: int, b: int) -> tuple[Self, str]:
        """Make one of two people: who is enrolled, or was there first, keeps the id."""
        first, second = sorted((a, b), key=lambda i: (not self.people[i].known, i))
        stays, goes = self.people[first], self.people[second]
        people = [person for person in self.people if person is not goes]
        people[people.index(stays)] = stays.joined(goes)
        moved = {old: stays.id if into == goes.id else into for old, into in self.merged.items()}
        merged = MappingProxyType({**moved, goes.id: stays.id})
        return replace(self, people=tuple(people), merged=merged), stays.id

    def _gains(self, prints: list[Voiceprint], people: tuple[LinkedPerson, ...]) -> Array:
        """Llr above what it takes to be taken for one, (prints, people)."""
        others = [person.voiceprint for person in people]
        required = self.scorer.required(prints, others, self.false_accept, max(len(people), 1))
        return self.scorer.ratios(prints, others) - required


def link_by_program(
    voices: Voices, scorer: Scorer, *, false_accept: float = FALSE_ACCEPT, time_limit: float = 20.0
) -> dict[Heard, str]:
    """Link a whole collection at once by integer linear programming (`cluster_by_ilp`), whatever the order.

    The distance of two voices is the probability that they are two people, were it even at the threshold of
    `Linker`; two speakers of one recording are two people.

    Args:
        voices: all voices of all recordings.
        scorer: compares voices.
        false_accept: share of new people who may be taken for somebody else.
        time_limit: seconds, after which clustering is agglomerative.

    Returns:
        Id of every speaker of every recording, numbered in the order of `voices`.
    """
    from tertulia.clustering.ilp import cluster_by_ilp

    heard, prints = list(voices), list(voices.values())
    if not prints:
        return {}
    gains = scorer.ratios(prints, prints) - scorer.required(prints, prints, false_accept, len(prints))
    distances = 1 / (1 + np.exp(np.clip(gains, -50, 50)))
    recordings = np.array([recording for recording, _ in heard])
    distances[recordings[:, None] == recordings] = 1.0
    np.fill_diagonal(distances, 0.0)
    labels = cluster_by_ilp((distances + distances.T) / 2, 0.5, time_limit=time_limit).labels
    numbers = {label: i for i, label in enumerate(dict.fromkeys(labels.tolist()), 1)}
    return {
        each: f"{_PREFIX}{numbers[label]:04d}" for each, label in zip(heard, labels.tolist(), strict=True)
    }
