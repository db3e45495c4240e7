"""The SQLite file of a store: opening it, its schema, transactions, and errors that say what to do.

Source for the behaviour relied on: sqlite.org, "Write-Ahead Logging", "PRAGMA secure_delete", "VACUUM".
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tertulia.errors import InputError, OutputError, UsageError

__all__ = ["connect", "is_new", "is_outdated", "is_writable", "migrate", "scrub", "translated", "writing"]

APPLICATION = 0x74657274  # "tert"
PATIENCE = 30.0  # seconds that one process waits for another

_SCHEMA = """
CREATE TABLE store (
    id TEXT NOT NULL,
    key_place TEXT NOT NULL CHECK (key_place IN ('keyring', 'file', 'none')),
    proof BLOB NOT NULL
);
CREATE TABLE people (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    tag BLOB NOT NULL UNIQUE,
    name BLOB NOT NULL
);
CREATE TABLE voices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    person INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    created TEXT NOT NULL,
    expires TEXT NOT NULL,
    seconds REAL NOT NULL,
    model TEXT NOT NULL,
    vector BLOB NOT NULL,
    about BLOB NOT NULL
);
CREATE INDEX voices_of_person ON voices (person);
CREATE INDEX voices_by_expiry ON voices (expires);
"""


def _first(db: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";\n"):  # not `executescript`, which would commit
        db.execute(statement)


# Entry n brings a database of schema n to n + 1, inside one transaction. Once released, none is ever changed.
MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_first,)


def connect(path: Path, create: bool) -> sqlite3.Connection:
    """Open the database, or create an empty one that only its owner can read.

    Raises:
        InputError: if it is not there, or is something else.
        OutputError: if it cannot be created.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a directory; a store of voices is a file")
    if create:
        _create(path)
    elif not path.exists():
        raise InputError(f"there is no store of voices at {path}; 'tertulia enroll' makes one")
    try:
        return _open(path)
    except sqlite3.Error as error:
        raise _explained(error, path) from error


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into those of this package, which say what became of the store."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(error, path) from error


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """One transaction, from the first look to the last change: all of it happens, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def is_new(db: sqlite3.Connection) -> bool:
    """Whether nothing was ever written to the database."""
    return bool(db.execute("SELECT count(*) = 0 FROM sqlite_master").fetchone()[0])


def migrate(db: sqlite3.Connection) -> None:
    """Bring the schema up to date; call inside `writing`.

    Raises:
        InputError: for a database of something else, or of a newer version of this package.
    """
    version = _version(db)
    for step in MIGRATIONS[version:]:
        step(db)
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def is_outdated(db: sqlite3.Connection) -> bool:
    """Whether `migrate` has something to do; raises what it raises."""
    return _version(db) < len(MIGRATIONS)


def is_writable(db: sqlite3.Connection) -> bool:
    """Whether changes can be made."""
    return not db.execute("PRAGMA query_only").fetchone()[0]


def scrub(db: sqlite3.Connection) -> None:
    """Leave nothing of deleted records in the files: rewrite the database, then empty its log.

    Raises:
        OutputError: when another process keeps the log in use all the time.
    """
    db.execute("VACUUM")
    deadline = time.monotonic() + PATIENCE
    while db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > deadline:
            raise OutputError(
                "what was deleted is gone from the store, but may still be in its log (-wal), which another "
                "process keeps in use: close that, and run 'tertulia speakers list' once"
            )
        time.sleep(0.05)


def _create(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))  # SQLite would take the umask's
    except FileExistsError:
        pass
    except OSError as error:
        raise OutputError(f"a store of voices cannot be made at {path}: {error.strerror}") from error


def _open(path: Path) -> sqlite3.Connection:
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    if os.name == "posix" and path.stat().st_mode & 0o077 and path.stat().st_uid == os.geteuid():
        path.chmod(0o600)
    modes = ["mode=rw"] if writable else ["mode=ro"]
    log = path.with_name(f"{path.name}-wal")
    if not writable and not (log.exists() and log.stat().st_size):
        modes.append("immutable=1")  # a log cannot be opened in a folder nothing can be written to
    for mode in modes:
        # The time to wait for others is set here, before the first statement that could meet them.
        db = sqlite3.connect(f"file:{quote(str(path))}?{mode}", PATIENCE, isolation_level=None, uri=True)
        try:
            _prepare(db, writable)
        except sqlite3.Error:
            db.close()
            if mode == modes[-1]:
                raise
        else:
            break
    return db


def _prepare(db: sqlite3.Connection, writable: bool) -> None:
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA temp_store = MEMORY")  # VACUUM's copy stays out of shared folders
    db.execute("PRAGMA secure_delete = ON")
    db.execute("PRAGMA synchronous = FULL")
    db.execute(f"PRAGMA query_only = {int(not writable)}")
    mode = db.execute("PRAGMA journal_mode").fetchone()[0]
    deadline = time.monotonic() + PATIENCE
    while writable and mode != "wal":
        # Of all locks, the one for this change is not waited for by SQLite.
        try:
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    db.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _version(db: sqlite3.Connection) -> int:
    application = int(db.execute("PRAGMA application_id").fetchone()[0])
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if application != APPLICATION and not is_new(db):
        raise InputError("is a database of something else, not a store of voices; nothing was changed")
    if version > len(MIGRATIONS):
        raise InputError(
            f"was written by a newer tertulia (schema {version}; this one knows {len(MIGRATIONS)}): update "
            "tertulia to open it; nothing was changed"
        )
    return version


def _explained(error: sqlite3.Error, path: Path) -> InputError:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL"):
        return OutputError(f"{path}: the disk is full; nothing was changed")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return OutputError(f"{path}: cannot be written here (read-only file or folder); nothing was changed")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return OutputError(f"{path}: another process has kept it locked for {PATIENCE:.0f} s; try again")
    if name.startswith("SQLITE_NOTADB"):
        return InputError(f"{path}: is not a store of voices; nothing was changed")
    if name.startswith("SQLITE_CORRUPT"):
        return InputError(
            f"{path}: is damaged; nothing was changed. Restore a copy, or move it away and enrol again"
        )
    return InputError(f"{path}: {error}")
