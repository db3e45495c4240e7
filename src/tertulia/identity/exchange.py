"""Voices as a file that goes from one store to another: sealed with a passphrase, never in the open.

Layout: a line that names the format, 16 bytes of salt for scrypt, then the sealed JSON document. Consent
notes and end dates go with the voices.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import numpy as np

from tertulia.errors import InputError, OutputError, UsageError
from tertulia.identity.crypto import AesGcm, derived_key
from tertulia.identity.records import Entry, Kept, checked_name, stamp
from tertulia.identity.voiceprint import Voiceprint

__all__ = ["pack", "unpack", "write_owner_only"]

_HEAD = b"tertulia voices 1\n"
_SALT_BYTES = 16


def pack(voices: Iterable[Kept], passphrase: str) -> bytes:
    """Seal voices with a passphrase.

    Raises:
        UsageError: for an empty passphrase.
        MissingExtraError: without the extra `identity`.
    """
    if not passphrase:
        raise UsageError("a file of voices needs a passphrase")
    salt = os.urandom(_SALT_BYTES)
    document = json.dumps([_written(kept) for kept in voices]).encode()
    return _HEAD + salt + AesGcm(derived_key(passphrase, salt)).seal(document, _HEAD)


def unpack(data: bytes, passphrase: str) -> list[Kept]:
    """Open what `pack` has sealed; raises `InputError` for anything else, or another passphrase."""
    if not data.startswith(_HEAD):
        raise InputError("is not a file of voices that 'tertulia speakers export' wrote")
    salt, sealed = data[len(_HEAD) :][:_SALT_BYTES], data[len(_HEAD) + _SALT_BYTES :]
    try:
        document = AesGcm(derived_key(passphrase, salt)).open(sealed, _HEAD)
    except InputError:
        raise InputError("the passphrase is another one, or the file is damaged") from None
    return [_read(item) for item in json.loads(document)]


def write_owner_only(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read; raises `OutputError`, also when it is there already."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def _written(kept: Kept) -> dict[str, object]:
    entry = {key: value for key, value in asdict(kept.entry).items() if key != "voiceprint"}
    voiceprint = kept.entry.voiceprint
    return {
        "name": kept.name,
        "uid": kept.uid,
        "created": stamp(kept.created),
        "expires": stamp(kept.expires),
        "seconds": voiceprint.seconds,
        "model": voiceprint.model,
        "vector": base64.b64encode(voiceprint.vector.astype("<f4").tobytes()).decode(),
        "entry": entry,
    }


def _read(item: dict[str, object]) -> Kept:
    match item:
        case {
            "name": str(name),
            "uid": str(uid),
            "created": str(created),
            "expires": str(expires),
            "seconds": float(seconds),
            "model": str(model),
            "vector": str(vector),
            "entry": dict(entry),
        }:
            values = np.frombuffer(base64.b64decode(vector), "<f4")
            dates = datetime.fromisoformat(created), datetime.fromisoformat(expires)
            voiceprint = Voiceprint(values, seconds, model)
            return Kept(checked_name(name), uid, *dates, Entry(voiceprint, **entry))
    raise InputError("the file of voices holds something that this version does not know")
