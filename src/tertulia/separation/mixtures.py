"""A recording taken apart from beginning to end, without being told who speaks when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.audio import Source
from tertulia.audio.recording import Channels
from tertulia.audio.writing import writing
from tertulia.errors import OutputError
from tertulia.separation.base import Separator
from tertulia.separation.scratch import spooled
from tertulia.separation.sepformer import aligned

__all__ = ["separate", "separated"]

Samples = NDArray[np.float32]

_STRETCH, _SHARED = 60.0, 2.0  # seconds that are separated at once, and that two stretches share


def separate(
    source: Source,
    separator: Separator,
    folder: str | Path,
    *,
    prefix: str = "voice",
    extension: str = "wav",
    channels: Channels = "mix",
) -> list[Path]:
    """Write one file for every voice a separator finds, `folder/PREFIX_1.EXTENSION` and so on.

    Raises:
        AudioError: when the recording cannot be read.
        OutputError: when a file cannot be written.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {target}: {error.strerror}") from error
    files = [target / f"{prefix}_{number + 1}.{extension}" for number in range(separator.voices)]
    with (
        spooled(source, sample_rate=separator.sample_rate, channels=channels) as (samples, rate, _),
        ExitStack() as stack,
    ):
        writers = [stack.enter_context(writing(file, rate)) for file in files]
        for block in separated(samples, separator):
            for write, voice in zip(writers, block, strict=True):
                write(voice[None])
    return files


def separated(samples: Samples, separator: Separator) -> Iterator[Samples]:
    """Separate a recording (n,) stretch by stretch: blocks (voices, m) that follow one another."""
    rate = separator.sample_rate
    size, shared = round(_STRETCH * rate), round(_SHARED * rate)
    rise = np.linspace(0, 1, shared, dtype=np.float32)
    tail: Samples = np.zeros((separator.voices, 0), np.float32)
    start = 0
    while True:
        voices = aligned(separator(np.asarray(samples[start : start + size])), tail)
        reach = tail.shape[1]
        voices[:, :reach] = tail * (1 - rise[:reach]) + voices[:, :reach] * rise[:reach]
        if start + size >= len(samples):
            yield voices
            return
        tail = voices[:, size - shared :]
        yield voices[:, : size - shared]
        start += size - shared
