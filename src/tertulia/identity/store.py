"""`SpeakerStore`: people and their voices in one SQLite file, sealed, with consent and an end date.

Voiceprints are biometric data. Nothing is kept without a note of consent; everything has a date on which it
is deleted; what is deleted leaves no trace in the file; and no vector ever appears in a message.

Every change is one transaction: it happens as a whole or not at all, also when the process is killed, and
processes that use one store at once wait for each other.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import platformdirs

from tertulia.errors import InputError, UsageError
from tertulia.identity import database, exchange, keys
from tertulia.identity.crypto import AesGcm, Cipher, NoCipher
from tertulia.identity.gallery import Gallery
from tertulia.identity.records import Entry, Kept, Person, checked_name
from tertulia.identity.tables import Tables, people_of
from tertulia.identity.voiceprint import Voiceprint

__all__ = ["RETENTION", "SpeakerStore", "default_path"]

RETENTION = 365
"""Days after which a voice is deleted unless another number was given."""

_PROOF = b"tertulia voices"


def default_path() -> Path:
    """Where the store is when no path is given: the data directory of this user."""
    return platformdirs.user_data_path("tertulia") / "voices.sqlite"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SpeakerStore:
    """People and their voices. A context manager; one object is for one thread, the file for any number.

    Args:
        path: of the file; by default `default_path()`.
        key: a file that holds the key, or shall hold that of a new store; otherwise the keyring of the
            operating system or, where there is none, a file in the user's configuration directory.
        create: whether to make the store if it is not there.
        encrypt: whether a new store is encrypted. A store that is there stays as it is.
        clock: tells the time; voices whose date has passed are deleted when the store is opened or changed.

    Raises:
        InputError: when there is no store, it is damaged, of a newer version, or its key is wrong or missing.
        OutputError: when it cannot be created.
        MissingExtraError: when it is encrypted and the package for that is not installed.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        key: str | Path | None = None,
        create: bool = False,
        encrypt: bool = True,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.path = Path(path) if path is not None else default_path()
        self._clock = clock
        self._db = database.connect(self.path, create)
        try:
            with self._explained():
                self._open(Path(key) if key is not None else None, create, encrypt)
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the object cannot be used any more."""
        self._db.close()

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────

    @property
    def encrypted(self) -> bool:
        """Whether the content is sealed."""
        return self.key_place != "none"

    def people(self) -> tuple[Person, ...]:
        """Return everybody, sorted by name."""
        with self._explained():
            return people_of(self._tables.voices())

    def person(self, name: str) -> Person:
        """Return somebody; raises `UsageError` for a name that is not there."""
        with self._explained():
            (found,) = people_of(self._tables.voices(self._tables.require(name)))
            return found

    def voiceprints(self, name: str) -> tuple[Voiceprint, ...]:
        """Return the voiceprints of somebody; raises `UsageError` for a name that is not there."""
        with self._explained():
            return tuple(each for _, each in self._tables.voiceprints(self._tables.require(name)))

    def gallery(self, model: str) -> Gallery:
        """Return everybody as one matrix, for vectors of the network called `model`."""
        with self._explained():
            return Gallery.of(self._tables.voiceprints(), model)

    # ── changing: each is one transaction ────────────────────────────────────────────────────────────

    def enrol(self, name: str, entries: Sequence[Entry], *, days: int = RETENTION) -> tuple[int, ...]:
        """Add voices of one person, all of them or none; returns their numbers.

        Raises:
            UsageError: for an impossible name, no voice, or a recording that this person is known by already.
        """
        return self.replace({name: entries}, days=days)[checked_name(name)]

    def replace(
        self, entries: Mapping[str, Sequence[Entry]], *, recording: str = "", days: int = RETENTION
    ) -> dict[str, tuple[int, ...]]:
        """Add voices of several people; what was learned from `recording` before is dropped, whosever it was.

        Returns the numbers of the new voices by name. Raises what `enrol` raises.
        """
        if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= 36_500:
            raise UsageError(f"voices are kept for 1 to 36500 days; got {days!r}")
        named = {checked_name(name): each for name, each in entries.items()}
        if len(named) < len(entries) or not all(named.values()):
            raise UsageError("every person is named once, and comes with at least one voice")
        now = self._clock()
        with self._changing() as tables:
            if recording:
                tables.drop_learned(recording)
            numbers = {
                name: tuple(
                    tables.add(
                        tables.person(name), Kept(name, uuid.uuid4().hex, now, now + timedelta(days), entry)
                    )
                    for entry in each
                )
                for name, each in named.items()
            }
            tables.drop_voiceless()
            return numbers

    def rename(self, old: str, new: str) -> None:
        """Give somebody another name; raises `UsageError` if it is taken or `old` is not there."""
        new = checked_name(new)
        with self._changing() as tables:
            person = tables.require(old)
            tables.refuse(new, "merge the two if they are one person")
            tables.rename(person, new)

    def merge(self, names: Iterable[str], into: str) -> None:
        """Make several people one, who is called `into`, one of them or a new name."""
        chosen, into = {checked_name(name) for name in names}, checked_name(into)
        with self._changing() as tables:
            parts = [tables.require(name) for name in sorted(chosen - {into})]
            if into not in chosen:
                tables.refuse(into, "name it among those to be merged if it is the same person")
            target = tables.person(into)
            for part in parts:
                tables.move(part, target)
            tables.drop_voiceless()

    def split(self, name: str, numbers: Iterable[int], into: str) -> None:
        """Give some of a person's voices to a new person, who is called `into`."""
        into, chosen = checked_name(into), set(numbers)
        with self._changing() as tables:
            person = tables.require(name)
            there = {voice.number for _, voice in tables.voices(person)}
            if not chosen or not chosen < there:
                raise UsageError(
                    f"{name!r} has the voices {_listed(there)}; some, not all, can go to a new person; "
                    f"got {_listed(chosen) or 'none'}"
                )
            tables.refuse(into, "voices go to a new person")
            tables.move(person, tables.add_person(into), chosen)

    def forget(self, names: Iterable[str]) -> None:
        """Delete people, and every trace of them in the file and its log.

        Raises:
            UsageError: for a name that is not there; nobody is deleted then.
            OutputError: when another process keeps the log in use.
        """
        with self._changing() as tables:
            for person in [tables.require(name) for name in names]:
                tables.drop_person(person)
        with self._explained():
            database.scrub(self._db)

    # ── to and from other stores ─────────────────────────────────────────────────────────────────────

    def export(self, passphrase: str, names: Iterable[str] | None = None) -> bytes:
        """Return people, or everybody, as a file that only the passphrase opens; see `exchange.pack`."""
        with self._explained():
            people = [None] if names is None else [self._tables.require(name) for name in names]
            voices = [kept for person in people for kept in self._tables.kept(person)]
        return exchange.pack(voices, passphrase)

    def import_from(self, data: bytes, passphrase: str) -> dict[str, int]:
        """Add what `export` has written; voices that are here already are passed over.

        Returns how many voices each person got. Consent and end dates stay those of the file.

        Raises:
            InputError: for another passphrase, or something that is no such file.
        """
        voices = exchange.unpack(data, passphrase)
        added = dict.fromkeys((kept.name for kept in voices), 0)
        with self._changing() as tables:
            here = tables.uids()
            for kept in voices:
                if kept.uid not in here and kept.expires > self._clock():
                    tables.add(tables.person(kept.name), kept)
                    added[kept.name] += 1
        return added

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────

    def _open(self, key: Path | None, create: bool, encrypt: bool) -> None:
        self._db.row_factory = sqlite3.Row
        if database.is_new(self._db) and not create:
            raise InputError("nobody was ever enrolled here; 'tertulia enroll' does that")
        if database.is_outdated(self._db):
            with database.writing(self._db):  # another process may have been faster, so it looks again
                database.migrate(self._db)
                if self._db.execute("SELECT * FROM store").fetchone() is None:
                    self._found(key, encrypt)
        row = self._db.execute("SELECT * FROM store").fetchone()
        self.id: str = row["id"]
        self.key_place: keys.Place = row["key_place"]
        self._tables = Tables(self._db, self._cipher(key, row["proof"]), self._clock)
        if self._tables.any_expired() and database.is_writable(self._db):
            with self._changing():
                pass

    def _found(self, key: Path | None, encrypt: bool) -> None:
        """Write the first record of a new store: who it is, and a proof of its key."""
        store = uuid.uuid4().hex
        cipher: Cipher = NoCipher()
        place: keys.Place = "none"
        if encrypt:
            AesGcm(bytes(32))  # raises before a key is made that nothing could use
            secret, place = keys.create(store, key)
            cipher = AesGcm(secret)
        proof = cipher.seal(_PROOF, store.encode())
        self._db.execute("INSERT INTO store (id, key_place, proof) VALUES (?, ?, ?)", (store, place, proof))

    def _cipher(self, key: Path | None, proof: bytes) -> Cipher:
        if not self.encrypted:
            return NoCipher()
        cipher = AesGcm(keys.find(self.id, self.key_place, key))
        try:
            cipher.open(proof, self.id.encode())
        except InputError:
            where = f"in {key}" if key else "kept for it"
            raise InputError(f"the key {where} is not the key of this store; nothing was changed") from None
        return cipher

    @contextmanager
    def _changing(self) -> Iterator[Tables]:
        """One transaction, which begins by deleting what is due."""
        with self._explained():
            with database.writing(self._db):
                expired = self._tables.drop_expired()
                yield self._tables
            if expired:
                database.scrub(self._db)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Let errors about the store name it."""
        with database.translated(self.path):
            try:
                yield
            except InputError as error:
                if str(error).startswith(f"{self.path}: "):
                    raise
                raise type(error)(f"{self.path}: {error}") from error


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
