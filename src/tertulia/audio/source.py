"""From whatever was given as a recording to blocks of its own samples."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.child import Child, commands
from tertulia.audio.limits import Limits
from tertulia.audio.wav import Readable, WavHeader, read_blocks, read_exactly, read_header
from tertulia.audio.waveform import Waveform
from tertulia.errors import AudioError, UsageError

__all__ = ["Sound", "Source", "name_of", "open_source", "rereadable"]

Source = str | Path | bytes | BinaryIO | Waveform | tuple[Any, int]

_HEAD_BYTES = 1 << 16
_HINT = "m4a, mp4, mkv and more need `pip install 'tertulia[media]'` or ffmpeg on the PATH"


@dataclass(frozen=True, slots=True)
class Sound:
    """A source opened: blocks float32 (channels, n) at its own sample rate, to be read once.

    Args:
        frames: what the source says it holds, or None.
        exact: whether a few frames less than that are missed.
        report: what the decoder had to say, once the blocks are read.
    """

    sample_rate: int
    channels: int
    frames: int | None
    blocks: Iterator[NDArray[np.float32]]
    exact: bool = True
    report: Callable[[], tuple[str, ...]] = tuple


def name_of(source: Source) -> str:
    """What to call a source in messages."""
    if isinstance(source, str | Path):
        return str(source)
    if isinstance(source, bytes):
        return "bytes"
    if isinstance(source, Waveform | tuple):
        return "waveform"
    name = getattr(source, "name", None)
    return name.strip("<>") if isinstance(name, str) else "stream"


def rereadable(source: Source) -> Source:
    """Return a source that can be opened more than once: a file object becomes its bytes."""
    if isinstance(source, str | Path | bytes | Waveform | tuple):
        return source
    return source.read()


def open_source(source: Source, limits: Limits, stack: ExitStack) -> Sound:
    """Open a source; what has to be closed or deleted afterwards goes on the stack.

    Raises:
        AudioError: when it cannot be read as sound, without its name.
        UsageError: when it is no kind of source.
    """
    if isinstance(source, tuple) and len(source) == 2:
        source = Waveform.from_array(*source)
    if isinstance(source, Waveform):
        return Sound(source.sample_rate, source.channels, len(source), source.blocks())
    if isinstance(source, str | Path):
        return _open_path(Path(source), limits, stack)
    if isinstance(source, bytes | bytearray | memoryview):
        return _open_file(io.BytesIO(source), limits, stack)
    if hasattr(source, "read") and not isinstance(source.read(0), str):
        return _open_file(source, limits, stack)
    raise UsageError(
        "audio is a path, bytes, a binary file, a Waveform or an (array, sample rate) pair; "
        f"got {type(source).__name__}"
    )


def _open_path(path: Path, limits: Limits, stack: ExitStack) -> Sound:
    if os.path.isdir(path):
        raise AudioError("is a directory; a recording is a file")
    try:
        file = stack.enter_context(path.open("rb"))
        status = os.fstat(file.fileno())
    except FileNotFoundError:
        raise AudioError("does not exist") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise AudioError(f"cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(status.st_mode):
        return _open_file(file, limits, stack)
    if status.st_size == 0:
        raise AudioError("is empty")
    header = read_header(file)
    return _decode(path, limits, stack) if header is None else _wav(file, header, limits)


def _open_file(file: BinaryIO, limits: Limits, stack: ExitStack) -> Sound:
    """Open bytes that have no path. A pipe can be read once, so its first bytes decide which way it goes."""
    head = read_exactly(file, _HEAD_BYTES)
    if not head:
        raise AudioError("is empty")
    try:
        header = read_header(io.BytesIO(head))
    except AudioError:
        if len(head) < _HEAD_BYTES:
            raise
        header = None  # more of it may be needed
    if header is not None:
        whole = _Rejoined(head, file)
        read_header(whole)
        return _wav(whole, header, limits)
    return _open_path(_spool(_Rejoined(head, file), limits, stack), limits, stack)


class _Rejoined:
    """A file whose first bytes were read already."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head, self._rest = io.BytesIO(head), rest

    def read(self, size: int, /) -> bytes | None:
        return self._head.read(size) or self._rest.read(size)


def _spool(file: Readable, limits: Limits, stack: ExitStack) -> Path:
    """Copy a stream to a temporary file, which is deleted with the stack."""
    with tempfile.NamedTemporaryFile(prefix="tertulia-", suffix=".audio", delete=False) as copy:
        path = Path(copy.name)
        stack.callback(path.unlink, missing_ok=True)
        left = limits.spool_bytes
        while part := file.read(1 << 20):
            left -= len(part)
            if left < 0:
                raise AudioError(f"goes on past {limits.spool_bytes} bytes without being read")
            copy.write(part)
    return path


def _wav(file: Readable, header: WavHeader, limits: Limits) -> Sound:
    limits.check(header.sample_rate, header.channels)
    return Sound(header.sample_rate, header.channels, header.frames, read_blocks(file, header))


def _decode(path: Path, limits: Limits, stack: ExitStack) -> Sound:
    """Open with the first decoder that gives samples."""
    reasons: list[str] = []
    for command in commands(path, limits):
        child = Child(command, limits.stall_seconds)
        stack.callback(child.close)
        header = read_header(child)
        if header is not None:
            limits.check(header.sample_rate, header.channels)
            blocks = read_blocks(child, header)
            return Sound(
                header.sample_rate, header.channels, header.frames, blocks, exact=False, report=child.report
            )
        reasons += [line.replace(f"file:{os.path.abspath(path)}", "ffmpeg") for line in child.report()[-1:]]
    has_media = importlib.util.find_spec("av") is not None or shutil.which("ffmpeg") is not None
    said = f" ({'; '.join(reasons)})" if reasons else ""
    raise AudioError(f"is not audio that can be decoded{said}{'' if has_media else '; ' + _HINT}")
