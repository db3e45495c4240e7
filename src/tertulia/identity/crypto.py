"""Sealing what a store holds: AES-256 in Galois/Counter mode, or, when that was asked for, nothing at all.

Source: NIST SP 800-38D. Every record is sealed under a fresh random nonce of 96 bits, and bound to its place
by associated data, so that nobody can move a vector to another person without the key. Names are looked up
by a keyed hash (HMAC-SHA-256), so that the file does not tell who is in it.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from tertulia.errors import InputError, MissingExtraError

__all__ = ["AesGcm", "Cipher", "NoCipher", "derived_key"]

KEY_BYTES = 32
SCRYPT_COST = 1 << 17  # 128 MiB and some tenths of a second for every guess
_NONCE_BYTES = 12


class Cipher(Protocol):
    """Seals records, opens them again, and hides names."""

    def seal(self, content: bytes, place: bytes) -> bytes:
        """Seal a record that belongs to `place`."""

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Return the content of a record; raises `InputError` if it was not sealed so, for that place."""

    def hide(self, name: str) -> bytes:
        """Turn a name into what it is found by."""


@dataclass(frozen=True)
class NoCipher:
    """Keeps everything readable."""

    def seal(self, content: bytes, place: bytes) -> bytes:  # noqa: ARG002
        """Return the content as it is."""
        return content

    def open(self, sealed: bytes, place: bytes) -> bytes:  # noqa: ARG002
        """Return the content as it is."""
        return sealed

    def hide(self, name: str) -> bytes:
        """Return the name itself."""
        return name.encode()


@dataclass(frozen=True)
class AesGcm:
    """Seals under a key of 32 bytes (extra `identity`).

    Raises:
        MissingExtraError: without the package `cryptography`.
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _ciphers()

    def seal(self, content: bytes, place: bytes) -> bytes:
        """Return nonce and ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + bytes(self._cipher.encrypt(nonce, content, place))

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Return the content; raises `InputError` for another key, another place or a damaged record."""
        from cryptography.exceptions import InvalidTag

        try:
            return bytes(self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place))
        except (InvalidTag, ValueError):
            raise InputError("a record is damaged, or was sealed with another key") from None

    def hide(self, name: str) -> bytes:
        """Return the keyed hash of a name."""
        return hmac.digest(self._names, name.encode(), "sha256")

    @cached_property
    def _cipher(self) -> Any:
        return _ciphers().AESGCM(hmac.digest(self.key, b"records", "sha256"))

    @cached_property
    def _names(self) -> bytes:
        return hmac.digest(self.key, b"names", "sha256")


def derived_key(passphrase: str, salt: bytes) -> bytes:
    """Derive a key from a passphrase by scrypt (RFC 7914)."""
    import hashlib

    return hashlib.scrypt(
        passphrase.encode(), salt=salt, n=SCRYPT_COST, r=8, p=1, maxmem=1 << 28, dklen=KEY_BYTES
    )


def _ciphers() -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers import aead
    except ImportError as error:
        raise MissingExtraError(
            "voices are kept encrypted, which needs the package cryptography: pip install "
            "'tertulia[identity]'; a new store can do without, --no-encryption, and then whoever reads the "
            "file has the voices"
        ) from error
    return aead
