"""Sound files written as a stream."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tertulia.errors import OutputError
from tertulia.simulation.sounds import Samples

__all__ = ["write_stream"]

_SUBTYPES = {"flac": "PCM_16", "wav": "PCM_16", "ogg": "OPUS"}
_MOST_WAV_BYTES = 0xFFFFF000


def write_stream(path: Path, blocks: Iterable[Samples], rate: int, samples: int) -> None:
    """Write blocks (n,) to a file of the format its extension says: 16-bit FLAC or WAV, or Opus in Ogg.

    The file appears under its name when it is complete.

    Raises:
        OutputError: when it cannot be written, or a WAV file cannot hold that many samples.
    """
    import soundfile

    form = path.suffix[1:]
    if form == "wav" and 2 * samples > _MOST_WAV_BYTES:
        raise OutputError(
            f"{path}: {2 * samples} bytes of samples are more than a WAV file holds; FLAC holds them"
        )
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with soundfile.SoundFile(draft, "w", rate, 1, _SUBTYPES[form], format=form.upper()) as file:
            for block in blocks:
                file.write(np.clip(block, -1, 1))
        draft.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise OutputError(f"{path}: cannot be written: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
