"""Where the key of a store is: in the keyring of the operating system, or in a file only its owner can read.

Never beside the store: a copy of the folder would be a copy of both.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Any, Literal

import platformdirs

from tertulia.errors import InputError, OutputError
from tertulia.identity.crypto import KEY_BYTES

__all__ = ["Place", "create", "default_path", "find"]

Place = Literal["keyring", "file", "none"]

_SERVICE = "tertulia voices"


def create(store: str, path: Path | None = None) -> tuple[bytes, Place]:
    """Make the key of a new store and keep it; returns where.

    Args:
        store: its id.
        path: a file to keep it in, or that holds one already; otherwise the keyring, and the user's
            configuration directory where there is no keyring.

    Raises:
        OutputError: if it cannot be kept.
    """
    if path is not None and path.exists():
        return _read(path), "file"
    key = secrets.token_bytes(KEY_BYTES)
    if path is None and _to_keyring(store, key):
        return key, "keyring"
    _write(path or default_path(store), key)
    return key, "file"


def find(store: str, place: Place, path: Path | None = None) -> bytes:
    """Return the key of a store.

    Raises:
        InputError: if it is not there, saying where it was looked for.
    """
    if path is not None:
        return _read(path)
    kept = _from_keyring(store) if place == "keyring" else None
    if kept is not None:
        return kept
    if default_path(store).exists():
        return _read(default_path(store))
    where = "the keyring of this user" if place == "keyring" else str(default_path(store))
    raise InputError(
        f"its key is missing: it belongs in {where}. Nothing was changed; bring the key back, or say where "
        "it is (--key FILE). Without it nobody can read the voices"
    )


def default_path(store: str) -> Path:
    """File that holds the key of a store when there is no keyring."""
    return platformdirs.user_config_path("tertulia") / "keys" / f"{store}.key"


def _read(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise InputError(f"the key {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        text = ""
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(f"the key {path} can be read by others than its owner; chmod 600 it first")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise InputError(f"{path} is no key: a key is {2 * KEY_BYTES} hexadecimal digits")
    return key


def _write(path: Path, key: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())  # a store whose key is lost in a power cut is lost with it
    except OSError as error:
        raise OutputError(f"the key cannot be kept in {path}: {error.strerror}") from error


def _keyring() -> Any:
    """Return the package `keyring` if it is installed and has a place to keep secrets in, else None."""
    try:
        import keyring
    except ImportError:
        return None
    return keyring if getattr(keyring.get_keyring(), "priority", 0) > 0 else None


def _to_keyring(store: str, key: bytes) -> bool:
    keyring = _keyring()
    if keyring is None:
        return False
    try:
        keyring.set_password(_SERVICE, store, key.hex())
    except keyring.errors.KeyringError:  # locked, or the user said no: the file is as good
        return False
    return _from_keyring(store) == key


def _from_keyring(store: str) -> bytes | None:
    keyring = _keyring()
    if keyring is None:
        return None
    try:
        kept = keyring.get_password(_SERVICE, store)
        return None if kept is None else bytes.fromhex(kept)
    except (keyring.errors.KeyringError, ValueError):
        return None
