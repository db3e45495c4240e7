"""Sound files written block by block."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import OutputError, UsageError, unknown

__all__ = ["ENCODINGS", "writing"]

ENCODINGS = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "rf64": ("RF64", "FLOAT")}
"""Extension → container and encoding. RF64 is WAV without its limit of 4 GiB, and here without rounding."""

_MOST_WAV_BYTES = 0xFFFFF000


@contextmanager
def writing(
    path: Path, sample_rate: int, channels: int = 1
) -> Iterator[Callable[[NDArray[np.float32]], None]]:
    """Give a function that appends a block, float32 (channels, n), to a file of what its extension says.

    The file appears under its name when the context is left without an error; what lies beyond full scale is
    limited where it is rounded to 16 bits.

    Raises:
        UsageError: for another extension than those of `ENCODINGS`.
        OutputError: when it cannot be written, or grows beyond what a WAV file holds.
    """
    import soundfile

    extension = path.suffix[1:].lower()
    if extension not in ENCODINGS:
        raise unknown("kind of sound file", extension, ENCODINGS)
    container, encoding = ENCODINGS[extension]
    room = _MOST_WAV_BYTES // (2 * channels) if container == "WAV" else None
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with soundfile.SoundFile(draft, "w", sample_rate, channels, encoding, format=container) as file:

            def append(block: NDArray[np.float32]) -> None:
                if block.ndim != 2 or len(block) != channels:
                    raise UsageError(f"blocks need shape ({channels}, n); got {block.shape}")
                if room is not None and file.frames + block.shape[1] > room:
                    raise OutputError(f"{path}: more than a WAV file holds; FLAC holds it")
                file.write(block.T if encoding == "FLOAT" else np.clip(block.T, -1, 1))

            yield append
        draft.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise OutputError(f"{path}: cannot be written: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
