"""What the commands about known voices share: the options of a store, and what they say."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tertulia.cli._terminal import say
from tertulia.errors import InputError, UsageError

if TYPE_CHECKING:
    from tertulia.identity import Gallery, SpeakerStore

__all__ = [
    "ConsentOption",
    "FalseAcceptOption",
    "KeepOption",
    "KeyOption",
    "StoreOption",
    "checked_rate",
    "gallery_of",
    "opened",
    "passphrase",
]

_PASSPHRASE = "TERTULIA_PASSPHRASE"

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store", metavar="PATH", help="The file that holds the voices; by default one of this user's."
    ),
]
KeyOption = Annotated[
    Path | None,
    typer.Option(
        "--key", metavar="FILE", help="The file that holds its key, when that is not where it usually is."
    ),
]
KeepOption = Annotated[
    int | None, typer.Option("--keep", metavar="DAYS", help="Delete the voices after so many days (365).")
]
ConsentOption = Annotated[
    str | None,
    typer.Option(
        "--consent", metavar="NOTE", help="How the person agreed to be recognised; kept with the voice."
    ),
]
FalseAcceptOption = Annotated[
    float,
    typer.Option("--false-accept", metavar="RATE", help="Share of strangers who may be taken for somebody."),
]


def opened(
    store: Path | None, key: Path | None, *, create: bool = False, encrypt: bool = True
) -> SpeakerStore:
    """Open a store; raises `UsageError` when one that is there is to be without the encryption it has."""
    from tertulia.identity import SpeakerStore

    found = SpeakerStore(store, key=key, create=create, encrypt=encrypt)
    if found.encrypted and not encrypt:
        found.close()
        raise UsageError(f"{found.path} is encrypted already; --no-encryption is for a new store")
    return found


def gallery_of(store: SpeakerStore, model: str) -> Gallery:
    """Return the people of a store, and say who cannot be recognised."""
    gallery = store.gallery(model)
    if gallery.incomparable:
        say(f"not looked for: {', '.join(gallery.incomparable)}, enrolled with another network; enrol again")
    return gallery


def checked_rate(rate: float) -> float:
    """Return a share; raises `UsageError` unless it lies between 0 and 1."""
    if not 0 < rate < 1:
        raise UsageError(f"a rate of false accepts lies between 0 and 1, such as 0.01; got {rate:g}")
    return rate


def passphrase(file: Path | None, *, twice: bool) -> str:
    """Read a passphrase from a file, from the environment, or from the terminal."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not UTF-8 text"
            raise InputError(f"the passphrase cannot be read: {file}: {reason}") from error
    if _PASSPHRASE in os.environ:
        return os.environ[_PASSPHRASE]
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"a passphrase is needed: --passphrase-file FILE, or the variable {_PASSPHRASE}")
    from getpass import getpass

    typed = getpass("Passphrase: ")
    if twice and getpass("Once more: ") != typed:
        raise UsageError("these are two different passphrases")
    return typed
