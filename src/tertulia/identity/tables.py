"""The records of a store: rows that are sealed when they are written and opened when they are read."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import numpy as np

from tertulia.errors import InputError, UsageError
from tertulia.identity.crypto import Cipher
from tertulia.identity.records import Entry, Kept, Person, Voice, checked_name, stamp
from tertulia.identity.voiceprint import Voiceprint

__all__ = ["Tables", "people_of"]


@dataclass(frozen=True)
class Tables:
    """People and voices in an open database; every call is a part of somebody else's transaction.

    Voices whose date has passed are not there any more, whether or not they have been deleted yet.
    """

    db: sqlite3.Connection
    cipher: Cipher
    clock: Callable[[], datetime]

    # ── people ───────────────────────────────────────────────────────────────────────────────────────

    def find(self, name: str) -> int | None:
        """Return the row of a person, or None."""
        tag = self.cipher.hide(checked_name(name))
        row = self.db.execute("SELECT id FROM people WHERE tag = ?", (tag,)).fetchone()
        return None if row is None else int(row["id"])

    def require(self, name: str) -> int:
        """Return the row of a person; raises `UsageError` if there is none."""
        found = self.find(name)
        if found is None:
            raise UsageError(f"nobody is called {name!r}; 'tertulia speakers list' says who is there")
        return found

    def refuse(self, name: str, hint: str) -> None:
        """Raise `UsageError` if somebody has this name."""
        if self.find(name) is not None:
            raise UsageError(f"there is {name!r} already; {hint}")

    def add_person(self, name: str) -> int:
        """Insert a person; returns the row."""
        uid = uuid.uuid4().hex
        values = uid, self.cipher.hide(name), self.cipher.seal(name.encode(), _name_place(uid))
        return self._inserted("INSERT INTO people (uid, tag, name) VALUES (?, ?, ?)", values)

    def person(self, name: str) -> int:
        """Return the row of a person, inserted if there is none."""
        found = self.find(name)
        return self.add_person(name) if found is None else found

    def rename(self, person: int, name: str) -> None:
        """Give a person another name."""
        uid = self._uid(person)
        values = self.cipher.hide(name), self.cipher.seal(name.encode(), _name_place(uid)), person
        self.db.execute("UPDATE people SET tag = ?, name = ? WHERE id = ?", values)

    def drop_person(self, person: int) -> None:
        """Delete a person and its voices."""
        self.db.execute("DELETE FROM people WHERE id = ?", (person,))

    def any_expired(self) -> bool:
        """Whether there are voices whose date has passed."""
        query = "SELECT EXISTS (SELECT 1 FROM voices WHERE expires <= ?) AS found"
        return bool(self.db.execute(query, (stamp(self.clock()),)).fetchone()["found"])

    def drop_expired(self) -> int:
        """Delete the voices whose date has passed, and whoever has none left; returns how many voices."""
        gone = self.db.execute("DELETE FROM voices WHERE expires <= ?", (stamp(self.clock()),)).rowcount
        self.drop_voiceless()
        return int(gone)

    def drop_voiceless(self) -> None:
        """Delete people without a voice."""
        self.db.execute("DELETE FROM people WHERE id NOT IN (SELECT person FROM voices)")

    # ── voices ───────────────────────────────────────────────────────────────────────────────────────

    def uids(self) -> set[str]:
        """What the voices are called in all stores."""
        return {row["uid"] for row in self.db.execute("SELECT uid FROM voices")}

    def kept(self, person: int | None = None) -> Iterable[Kept]:
        """Yield the voices of a person, or of everybody, oldest first."""
        for row in self._rows(person):
            about = json.loads(self._open(row, "about"))
            entry = Entry(self._voiceprint(row), **about)
            yield Kept(self._name(row), row["voice"], _moment(row["created"]), _moment(row["expires"]), entry)

    def voices(self, person: int | None = None) -> Iterable[tuple[str, Voice]]:
        """Yield names and voices, oldest first."""
        for row in self._rows(person):
            about = json.loads(self._open(row, "about"))
            dates = _moment(row["created"]), _moment(row["expires"])
            yield self._name(row), Voice(row["number"], *dates, row["seconds"], row["model"], **about)

    def voiceprints(self, person: int | None = None) -> Iterable[tuple[str, Voiceprint]]:
        """Yield names and voiceprints, oldest first."""
        for row in self._rows(person):
            yield self._name(row), self._voiceprint(row)

    def add(self, person: int, kept: Kept) -> int:
        """Insert a voice; returns its number.

        Raises:
            UsageError: when the person is known by this recording and network already.
        """
        asked = kept.entry.recording, kept.entry.voiceprint.model
        again = [v for _, v in self.voices(person) if v.recording and (v.recording, v.model) == asked]
        if again:
            raise UsageError(
                f"{kept.name!r} is known by this recording already (voice {again[0].number}, "
                f"{again[0].created:%Y-%m-%d})"
            )
        return self._insert(person, kept)

    def move(self, person: int, to: int, numbers: Container[int] | None = None) -> None:
        """Give a person's voices, or some, to another: sealed anew, since they are bound to people."""
        uid = self._uid(to)
        for row in self._rows(person):
            if numbers is None or row["number"] in numbers:
                place = _voice_place(uid, row)
                sealed = [self.cipher.seal(self._open(row, column), place) for column in ("vector", "about")]
                values = to, *sealed, row["number"]
                self.db.execute("UPDATE voices SET person = ?, vector = ?, about = ? WHERE id = ?", values)

    def drop_learned(self, recording: str) -> None:
        """Delete what was learned from a recording, whosever it was."""
        learned = [v for _, v in self.voices() if v.origin == "learned" and v.recording == recording]
        for voice in learned:
            self.db.execute("DELETE FROM voices WHERE id = ?", (voice.number,))

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────

    def _insert(self, person: int, kept: Kept) -> int:
        entry = kept.entry
        plain = {
            "voice": kept.uid,
            "created": stamp(kept.created),
            "expires": stamp(kept.expires),
            "seconds": entry.voiceprint.seconds,
            "model": entry.voiceprint.model,
        }
        about = {
            "source": entry.source,
            "consent": entry.consent,
            "recording": entry.recording,
            "origin": entry.origin,
        }
        place = _voice_place(self._uid(person), plain)
        vector = self.cipher.seal(entry.voiceprint.vector.astype("<f4").tobytes(), place)
        described = self.cipher.seal(json.dumps(about).encode(), place)
        return self._inserted(
            "INSERT INTO voices (person, uid, created, expires, seconds, model, vector, about) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (person, *plain.values(), vector, described),
        )

    def _inserted(self, statement: str, values: tuple[Any, ...]) -> int:
        return cast("int", self.db.execute(statement, values).lastrowid)

    def _rows(self, person: int | None = None) -> list[Any]:
        mine = "" if person is None else "AND person = ?"
        return self.db.execute(
            "SELECT voices.id AS number, voices.uid AS voice, people.uid AS uid, created, expires, seconds, "
            "model, vector, about, name FROM voices JOIN people ON people.id = person "
            f"WHERE expires > ? {mine} ORDER BY voices.id",
            (stamp(self.clock()), *([] if person is None else [person])),
        ).fetchall()

    def _uid(self, person: int) -> str:
        return str(self.db.execute("SELECT uid FROM people WHERE id = ?", (person,)).fetchone()["uid"])

    def _name(self, row: Any) -> str:
        return self.cipher.open(row["name"], _name_place(row["uid"])).decode()

    def _voiceprint(self, row: Any) -> Voiceprint:
        try:
            return Voiceprint(np.frombuffer(self._open(row, "vector"), "<f4"), row["seconds"], row["model"])
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"voice {row['number']} is damaged") from None

    def _open(self, row: Any, column: str) -> bytes:
        try:
            return self.cipher.open(row[column], _voice_place(row["uid"], row))
        except InputError as error:
            raise InputError(f"voice {row['number']}: {error}") from None


def people_of(voices: Iterable[tuple[str, Voice]]) -> tuple[Person, ...]:
    """Gather voices by person, sorted by name."""
    found: dict[str, list[Voice]] = {}
    for name, voice in voices:
        found.setdefault(name, []).append(voice)
    return tuple(Person(name, tuple(found[name])) for name in sorted(found))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _name_place(uid: str) -> bytes:
    return f"name {uid}".encode()


def _voice_place(uid: str, row: Any) -> bytes:
    """What a sealed voice is bound to: its person, and what is written about it in the open."""
    plain = [row[key] for key in ("voice", "created", "expires", "seconds", "model")]
    return json.dumps([uid, *plain]).encode()
