"""Examples that are made once and kept on disk, because making them costs more than learning from them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import OutputError

__all__ = ["Example", "Kept"]

Example = dict[str, NDArray[Any]]


class Kept:
    """Examples by number, mapped from their files; those that are not there yet are made.

    Several processes may make and read at the same time, as every number is the same whoever makes it.

    Args:
        folder: has a folder for each number.
        make: number → arrays by name.
    """

    def __init__(self, folder: Path, make: Callable[[int], Example]) -> None:
        self.folder, self._make = folder, make

    def __call__(self, number: int) -> Example:
        """Map an example into memory.

        Raises:
            OutputError: when it cannot be written.
        """
        place = self.folder / f"{number:06d}"
        if not place.is_dir():
            self._write(place, self._make(number))
        return {path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in place.iterdir()}

    def _write(self, place: Path, example: Example) -> None:
        draft = place.with_name(f".{os.getpid()}.{place.name}")
        try:
            draft.mkdir(parents=True, exist_ok=True)
            for name, array in example.items():
                np.save(draft / f"{name}.npy", array, allow_pickle=False)
            if not place.is_dir():  # another process may have been quicker
                draft.rename(place)
        except OSError as error:
            if not place.is_dir():
                raise OutputError(f"cannot write {place}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
