"""Checkpoints as ONNX files: converted once, by torch, and kept in the cache folder of the user."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tertulia.errors import InputError, MissingExtraError, OutputError

__all__ = ["cache", "keep", "needing_torch", "sha256_of"]


def cache() -> Path:
    """Return the folder that converted networks are kept in."""
    import platformdirs

    return platformdirs.user_cache_path("tertulia") / "networks"


def sha256_of(path: Path) -> str:
    """Checksum of a file, by which its conversion is found again.

    Raises:
        InputError: when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


@contextmanager
def needing_torch(given: Path, instead: str) -> Iterator[None]:
    """Import what converts `given` under this: without torch the error tells what works `instead`.

    Raises:
        MissingExtraError: when torch is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"converting {given}, once, needs torch: pip install 'tertulia[train]'; {instead}"
        ) from error


def keep(target: Path, make: Callable[[Path], object], complete: Callable[[], bool]) -> None:
    """Make a file or folder beside its place and then rename it, so that it is never seen half written.

    Args:
        target: its place.
        make: writes it to the path that it is given, which is not there yet.
        complete: tells whether it is in its place, when another process was faster.

    Raises:
        OutputError: when it cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            fresh = Path(scratch) / f"fresh{target.suffix}"
            make(fresh)
            fresh.replace(target)
    except OSError as error:
        if complete():
            return
        raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from error
