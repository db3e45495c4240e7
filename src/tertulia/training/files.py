"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tertulia.errors import OutputError

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path, note: str = "") -> Iterator[Path]:
    """Give the name of a draft beside `path`, which takes its place when all went well.

    Args:
        path: the file; its folder is made when missing.
        note: what the error goes on with.

    Raises:
        OutputError: when the draft cannot be written; `path` is as it was.
    """
    draft = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}{note}") from error
    finally:
        with suppress(OSError):
            draft.unlink()
