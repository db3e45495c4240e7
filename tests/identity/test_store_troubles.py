"""Stores that cannot be used: a clear message each, and nothing lost."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tertulia.errors import InputError, MissingExtraError, OutputError, UsageError
from tertulia.identity import SpeakerStore, crypto, database, keys


@pytest.fixture
def filled(path, entry):
    """Path of an encrypted store with Ada in it."""
    with SpeakerStore(path, create=True) as store:
        store.enrol("Ada", [entry(1)])
    return path


def key_file(home: Path) -> Path:
    (found,) = home.rglob("*.key")
    return found


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


# ── opening ──────────────────────────────────────────────────────────────────────────────────────────────


def test_no_store(path):
    with pytest.raises(
        InputError, match=r"there is no store of voices at .*voices.sqlite; 'tertulia enroll'"
    ):
        SpeakerStore(path)
    assert not path.exists()


def test_a_file_nothing_was_written_to(path):
    path.touch()
    with pytest.raises(InputError, match="nobody was ever enrolled here"):
        SpeakerStore(path)


def test_a_folder(tmp_path):
    with pytest.raises(UsageError, match="is a directory; a store of voices is a file"):
        SpeakerStore(tmp_path, create=True)


@pytest.mark.parametrize("create", [True, False])
def test_something_else(path, create):
    path.write_bytes(b"this is a letter, and no database at all. " * 100)
    before = bytes_of(path)
    with pytest.raises(InputError, match=r"voices.sqlite: is not a store of voices; nothing was changed"):
        SpeakerStore(path, create=create)
    assert bytes_of(path) == before


@pytest.mark.parametrize("create", [True, False])
def test_a_database_of_something_else(path, create):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE birds (name TEXT)")
    db.close()
    with pytest.raises(InputError, match="is a database of something else, not a store of voices"):
        SpeakerStore(path, create=create)


def test_a_newer_schema(filled):
    db = sqlite3.connect(filled)
    db.execute("PRAGMA user_version = 9")
    db.close()
    before = bytes_of(filled)
    with pytest.raises(
        InputError, match=r"written by a newer tertulia \(schema 9; this one knows 1\): update"
    ):
        SpeakerStore(filled)
    assert bytes_of(filled) == before


def test_an_older_schema_is_brought_up_to_date(filled, monkeypatch):
    def second(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE people ADD COLUMN pronouns TEXT")

    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, second))
    with SpeakerStore(filled) as store:
        assert [person.name for person in store.people()] == ["Ada"]
    db = sqlite3.connect(filled)
    assert db.execute("PRAGMA user_version").fetchone() == (2,)
    assert db.execute("SELECT pronouns FROM people").fetchall() == [(None,)]
    db.close()


def test_a_migration_that_fails_changes_nothing(filled, monkeypatch):
    def second(db: sqlite3.Connection) -> None:
        db.execute("DROP TABLE voices")
        db.execute("nonsense")

    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, second))
    with pytest.raises(InputError, match="syntax error"):
        SpeakerStore(filled)
    monkeypatch.undo()
    db = sqlite3.connect(filled)
    assert db.execute("SELECT count(*) FROM voices").fetchone() == (1,)
    db.close()


@pytest.mark.parametrize("part", ["a page", "the end"])
def test_a_damaged_file(filled, part):
    content = bytearray(bytes_of(filled))
    if part == "a page":
        content[4096 : 4 * 4096] = bytes(3 * 4096)
    else:
        del content[len(content) // 2 :]
    filled.write_bytes(content)
    with pytest.raises(InputError, match=r"voices.sqlite: is damaged; nothing was changed. Restore a copy"):
        SpeakerStore(filled).people()
    assert bytes_of(filled) == bytes(content)


def test_a_damaged_record(filled, entry):
    db = sqlite3.connect(filled)
    (vector,) = db.execute("SELECT vector FROM voices").fetchone()
    db.execute("UPDATE voices SET vector = ?", (vector[:-1] + bytes([vector[-1] ^ 1]),))
    db.commit()
    db.close()
    with (
        SpeakerStore(filled) as store,
        pytest.raises(InputError, match="voice 1: a record is damaged, or was sealed with another key"),
    ):
        store.voiceprints("Ada")


def test_a_damaged_record_of_a_plain_store(path, entry):
    with SpeakerStore(path, create=True, encrypt=False) as store:
        store.enrol("Ada", [entry(1)])
    with sqlite3.connect(path) as db:
        db.execute("UPDATE voices SET vector = x'0011'")
    db.close()
    with SpeakerStore(path) as store, pytest.raises(InputError, match="voice 1 is damaged"):
        store.gallery("network")


def test_nobody_can_move_a_voice_to_somebody_else_without_the_key(filled, entry):
    with SpeakerStore(filled) as store:
        store.enrol("Bob", [entry(2)])
    with sqlite3.connect(filled) as db:
        db.execute("UPDATE voices SET person = 2 WHERE id = 1")
    db.close()
    with SpeakerStore(filled) as store, pytest.raises(InputError, match="voice 1: a record is damaged"):
        store.voiceprints("Bob")


@pytest.mark.parametrize("column", ["seconds = 99", "expires = '2999-01-01T00:00:00Z'", "model = 'other'"])
def test_nobody_can_change_what_is_in_the_open_without_the_key(filled, column):
    with sqlite3.connect(filled) as db:
        db.execute(f"UPDATE voices SET {column}")
    db.close()
    with SpeakerStore(filled) as store, pytest.raises(InputError, match="a record is damaged"):
        store.people()


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_key(filled, home):
    away = key_file(home).rename(home / "away")
    before = bytes_of(filled)
    with pytest.raises(InputError, match=r"its key is missing: it belongs in .*\.key. Nothing was changed"):
        SpeakerStore(filled)
    assert bytes_of(filled) == before
    with SpeakerStore(filled, key=away) as store:
        assert store.person("Ada").name == "Ada"


def test_a_wrong_key(filled, home):
    key_file(home).write_text("00" * 32)
    with pytest.raises(InputError, match="the key kept for it is not the key of this store"):
        SpeakerStore(filled)
    with pytest.raises(InputError, match=r"the key in .*\.key is not the key of this store"):
        SpeakerStore(filled, key=key_file(home))


@pytest.mark.parametrize("content", ["", "00", "zz" * 32, "00" * 33, "Schl\u00fcssel"])
def test_what_is_no_key(filled, home, content):
    key_file(home).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="is no key: a key is 64 hexadecimal digits"):
        SpeakerStore(filled)


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_a_key_that_others_can_read(filled, home):
    key_file(home).chmod(0o640)
    with pytest.raises(InputError, match=r"can be read by others than its owner; chmod 600 it first"):
        SpeakerStore(filled)


def test_a_key_file_that_is_not_there(filled, tmp_path):
    with pytest.raises(InputError, match=r"the key .*nowhere cannot be read: No such file"):
        SpeakerStore(filled, key=tmp_path / "nowhere")


def test_a_new_store_takes_the_key_it_is_given(path, tmp_path, home, entry):
    mine = tmp_path / "my.key"
    with SpeakerStore(path, key=mine, create=True) as store:
        store.enrol("Ada", [entry(1)])
    assert len(bytes.fromhex(mine.read_text())) == 32
    assert not list(home.rglob("*.key"))
    with SpeakerStore(tmp_path / "second.sqlite", key=mine, create=True) as store:
        assert store.key_place == "file"
    with pytest.raises(InputError, match="its key is missing"):
        SpeakerStore(path)


class Keyring:
    """A keyring in memory, as much of the package `keyring` as is used."""

    class errors:  # noqa: N801
        class KeyringError(Exception):
            pass

    def __init__(self, locked: bool = False) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = locked

    def set_password(self, service: str, name: str, secret: str) -> None:
        if self.locked:
            raise self.errors.KeyringError
        self.kept[service, name] = secret

    def get_password(self, service: str, name: str) -> str | None:
        if self.locked:
            raise self.errors.KeyringError
        return self.kept.get((service, name))


def test_the_key_goes_into_the_keyring_where_there_is_one(path, home, entry, monkeypatch):
    ring = Keyring()
    monkeypatch.setattr(keys, "_keyring", lambda: ring)
    with SpeakerStore(path, create=True) as store:
        store.enrol("Ada", [entry(1)])
        assert store.key_place == "keyring"
        assert list(ring.kept) == [("tertulia voices", store.id)]
    assert not list(home.rglob("*.key"))
    with SpeakerStore(path) as store:
        assert store.person("Ada")
    ring.locked = True
    with pytest.raises(InputError, match="its key is missing: it belongs in the keyring of this user"):
        SpeakerStore(path)
    monkeypatch.setattr(keys, "_keyring", lambda: None)
    with pytest.raises(InputError, match="its key is missing: it belongs in the keyring of this user"):
        SpeakerStore(path)


def test_a_locked_keyring_leaves_the_key_to_a_file(path, home, monkeypatch):
    monkeypatch.setattr(keys, "_keyring", lambda: Keyring(locked=True))
    with SpeakerStore(path, create=True) as store:
        assert store.key_place == "file"
    assert key_file(home)


def test_the_real_package_is_taken_for_a_keyring_only_if_it_has_a_place_for_secrets(monkeypatch):
    keyring = pytest.importorskip("keyring")
    monkeypatch.undo()
    for backend, usable in ((keyring.backends.fail.Keyring(), False), (_InMemory(), True)):
        monkeypatch.setattr(keyring, "get_keyring", lambda backend=backend: backend)
        assert (keys._keyring() is not None) == usable


class _InMemory:
    priority = 5


def test_without_the_extra(path, home, entry, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tertulia\[identity\]'; .*--no-encryption"):
        SpeakerStore(path, create=True)
    assert not list(home.rglob("*.key")), "no key that nothing could use"
    with SpeakerStore(path, create=True, encrypt=False) as store:
        store.enrol("Ada", [entry(1)])
        with pytest.raises(MissingExtraError, match="cryptography"):
            store.export("secret")


def test_an_encrypted_store_needs_the_extra(filled, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(MissingExtraError, match="cryptography"):
        SpeakerStore(filled)


def test_a_sealed_record_opens_only_in_its_place():
    cipher = crypto.AesGcm(bytes(32))
    sealed = cipher.seal(b"content", b"here")
    assert cipher.open(sealed, b"here") == b"content"
    assert sealed != cipher.seal(b"content", b"here"), "a fresh nonce every time"
    for wrong, place, key in (
        (sealed, b"there", bytes(32)),
        (sealed, b"here", b"k" * 32),
        (b"", b"here", bytes(32)),
    ):
        with pytest.raises(InputError, match="damaged, or was sealed with another key"):
            crypto.AesGcm(key).open(wrong, place)
    assert "AesGcm()" in repr(cipher)


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_disk_loses_nothing(path, entry):
    with SpeakerStore(path, create=True) as store:
        store.enrol("Ada", [entry(1)])
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own way to a full disk
        with pytest.raises(OutputError, match=r"voices.sqlite: the disk is full; nothing was changed"):
            store.enrol("Bob", [entry(seed) for seed in range(50)])
        assert [person.name for person in store.people()] == ["Ada"]
        store._db.execute("PRAGMA max_page_count = 1000000")
        store.enrol("Bob", [entry(2)])
    with SpeakerStore(path) as store:
        assert [person.name for person in store.people()] == ["Ada", "Bob"]


def test_a_store_that_somebody_else_keeps_locked(filled, entry, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    other = sqlite3.connect(filled, isolation_level=None)
    with SpeakerStore(filled) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutputError, match="another process has kept it locked"):
            store.enrol("Bob", [entry(2)])
        assert store.person("Ada"), "reading goes on"
        other.execute("ROLLBACK")
        store.enrol("Bob", [entry(2)])
    other.close()


def test_a_log_that_somebody_else_keeps_in_use_is_said_to_hold_traces(path, entry, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    with SpeakerStore(path, create=True, encrypt=False) as store:
        store.enrol("Ada", [entry(1)])
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM voices").fetchone()
        with pytest.raises(OutputError, match="gone from the store, but may still be in its log"):
            store.forget(["Ada"])
        reader.execute("COMMIT")
        reader.close()
        assert not store.people()


@pytest.fixture
def as_nobody(tmp_path_factory):
    """Become a user who may write nowhere, while the block lasts."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("needs root, to become somebody who may not write")

    @contextmanager
    def become():
        os.setresuid(65534, 65534, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)

    return become


@pytest.fixture
def public_folder():
    """A folder that everybody can read, and only its owner write to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_folder_that_cannot_be_written_to(public_folder, entry, as_nobody):
    path, new = public_folder / "voices.sqlite", public_folder / "new.sqlite"
    with SpeakerStore(path, create=True, encrypt=False) as store:
        store.enrol("Ada", [entry(1)])
    os.chown(path, 65534, 65534)
    with as_nobody():
        with SpeakerStore(path) as store:
            assert [person.name for person in store.people()] == ["Ada"], "reading works"
            with pytest.raises(OutputError, match=f"{path}: cannot be written here .*; nothing was changed"):
                store.rename("Ada", "Eve")
        with pytest.raises(OutputError, match=f"cannot be made at {new}: Permission denied"):
            SpeakerStore(new, create=True)
    assert [file.name for file in public_folder.iterdir()] == ["voices.sqlite"]


def test_voices_that_have_ended_are_not_seen_where_they_cannot_be_deleted(
    public_folder, entry, clock, as_nobody
):
    path = public_folder / "voices.sqlite"
    with SpeakerStore(path, create=True, encrypt=False, clock=clock) as store:
        store.enrol("Ada", [entry(1)], days=1)
        store.enrol("Bob", [entry(2)])
    os.chown(path, 65534, 65534)
    clock.pass_days(2)
    with as_nobody(), SpeakerStore(path, clock=clock) as store:
        assert [person.name for person in store.people()] == ["Bob"]


def test_a_key_that_cannot_be_kept(path, home):
    home.mkdir()
    (home / "config").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match=r"the key cannot be kept in .*\.key: Not a directory"):
        SpeakerStore(path, create=True)
    with pytest.raises(InputError, match="nobody was ever enrolled here"):
        SpeakerStore(path)
