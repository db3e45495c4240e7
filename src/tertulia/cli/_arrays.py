"""Arrays as files beside the results."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import OutputError

__all__ = ["write_array"]


def write_array(folder: Path, stem: str, array: NDArray[Any]) -> Path:
    """Write `<stem>.npy` into a folder, whole or not at all; raises `OutputError`."""
    path = folder / f"{stem}.npy"
    draft = folder / f".{stem}.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(draft, "wb") as file:
            np.save(file, array, allow_pickle=False)
        draft.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    finally:
        if draft.exists():
            draft.unlink()
    return path
