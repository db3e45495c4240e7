"""Sound on disk, to be read and written anywhere: long recordings need no more memory than short ones."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.audio import Source, open_audio
from tertulia.audio.recording import Channels

__all__ = ["file_name", "spooled"]

Samples = NDArray[np.float32]

_UNSAFE = re.compile(r"^\.|[^\w .+-]")


@contextmanager
def spooled(
    source: Source, *, sample_rate: int | None, channels: Channels = "mix", name: str = ""
) -> Iterator[tuple[Samples, int, Path]]:
    """Give one channel of a recording as samples (n,) that lie on disk, their rate, and a folder for more.

    Args:
        source: the recording.
        sample_rate: in Hz; None keeps the recording's own.
        channels: "mix", or the number of a channel.
        name: of the recording, for messages.

    Raises:
        AudioError: when it cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="tertulia-") as folder:
        path = Path(folder) / "samples.f32"
        with (
            open_audio(source, sample_rate=sample_rate, channels=channels, name=name) as recording,
            open(path, "wb") as file,
        ):
            rate = recording.sample_rate
            for block in recording:
                file.write(np.ascontiguousarray(block[0], np.float32).data)
        yield np.memmap(path, np.float32, "r"), rate, Path(folder)


def file_name(speaker: str) -> str:
    """Turn a name into that of a file: what file systems dislike becomes %XX, and no two names become one."""

    def escaped(match: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))

    return _UNSAFE.sub(escaped, speaker) or "%"
