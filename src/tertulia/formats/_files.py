"""Text files in and out: decoding with errors that name the line, and writing that is whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from tertulia.errors import InputError, OutputError
from tertulia.formats._turns import at_line

__all__ = ["read_text", "write_bytes", "write_text"]


def read_text(path: Path) -> str:
    """Read UTF-8, or UTF-16 with a byte order mark (Praat and Windows write that).

    Raises:
        InputError: if the file cannot be opened.
        FormatError: naming file and line, for any other encoding.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    encoding = "UTF-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "UTF-8"
    try:
        return raw.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise at_line(str(path), line, f"this is not {encoding} text ({error.reason})") from None


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text as `write_bytes` does.

    Raises:
        OutputError: also for what is no text.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise OutputError(f"cannot write {path}: {error.object[error.start]!r} is not text") from error
    write_bytes(path, data)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write to a new file beside `path`, then put it in its place.

    Whoever reads `path` finds the old content or the new, never half of it. A link is followed; a device
    or pipe, which nothing can be put in the place of, is written to directly.

    Raises:
        OutputError: if that is not possible; nothing is left behind then.
    """
    path = Path(path)
    if os.path.isdir(path):  # unlike Path.is_dir, no error for a name that is too long
        raise OutputError(f"cannot write {path}: it is a directory")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _replace(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def _replace(target: Path, data: bytes) -> None:
    fresh = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        # Opened like any new file, so that the umask decides its permissions; `tempfile` would say 0600.
        with fresh.open("xb") as file:
            file.write(data)
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
