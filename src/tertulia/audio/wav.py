"""WAV: a reader that trusts no header, and a writer.

The reader takes PCM of 8, 16, 24 and 32 bits and float of 32 and 64 bits, plain or extensible, in RIFF, RF64
and BW64 files and in streams whose writer could not go back to fill in the sizes. It reads forward only, so a
pipe will do, and never takes more memory than a block, whatever a header claims.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.decode import wav_header
from tertulia.audio.waveform import BLOCK_SAMPLES, Waveform
from tertulia.errors import AudioError, OutputError, UsageError

__all__ = ["Readable", "WavHeader", "read_blocks", "read_exactly", "read_header", "write_wav"]

Encoding = Literal["u1", "i2", "i3", "i4", "f4", "f8"]

_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_ENCODINGS: dict[tuple[int, int], Encoding] = {
    (_PCM, 8): "u1",
    (_PCM, 16): "i2",
    (_PCM, 24): "i3",
    (_PCM, 32): "i4",
    (_FLOAT, 32): "f4",
    (_FLOAT, 64): "f8",
}
# What follows the format tag in the sub-format GUID of an extensible header.
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")

_MAX_CHUNKS = 10_000
_SKIP_BYTES = 1 << 20


class Readable(Protocol):
    """Anything with bytes in it; a short read is no end, an empty one is."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to `size` bytes."""


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a WAV header says.

    Args:
        sample_rate: in Hz.
        channels: samples in a frame.
        encoding: how one sample is stored.
        data_bytes: size of the data chunk; None when it goes on to the end of the stream.
        fact: frames according to a `fact` chunk, if there is one.
    """

    sample_rate: int
    channels: int
    encoding: Encoding
    data_bytes: int | None = None
    fact: int | None = None

    @property
    def frame_bytes(self) -> int:
        """Size of one sample of every channel."""
        return self.channels * int(self.encoding[1])

    @property
    def frames(self) -> int | None:
        """How many frames the header promises, None when it does not say."""
        return self.fact if self.data_bytes is None else self.data_bytes // self.frame_bytes


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────


def read_header(file: Readable) -> WavHeader | None:
    """Read up to the first sample; None when this is no WAV, or one in an encoding left to other decoders.

    Raises:
        AudioError: for a WAV file that is broken beyond use.
    """
    head = read_exactly(file, 12)
    if head[:4] not in {b"RIFF", b"RF64", b"BW64"} or head[8:] != b"WAVE":
        return None
    riff_size = int.from_bytes(head[4:8], "little")
    form: tuple[int, int, Encoding] | None = None
    fact = wide_size = None
    at, size = len(head), 0
    for _ in range(_MAX_CHUNKS):
        head = _chunk_head(file, after_odd=size % 2 == 1)
        if len(head) < 8:
            raise AudioError(f"is a WAV file that ends before its samples; its chunks claim {at} bytes")
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        at += 8
        if kind == b"data":
            if form is None:
                raise AudioError("is a WAV file whose samples come before their format")
            more_follows = not _is_placeholder(riff_size) and riff_size + 8 > at
            known = more_follows if size == 0 else not _is_placeholder(size)
            return WavHeader(*form, data_bytes=wide_size or (size if known else None), fact=fact)
        body = read_exactly(file, min(size, 64) if kind in {b"fmt ", b"fact", b"ds64"} else 0)
        if kind == b"fmt ":
            form = _parse_format(body)
            if form is None:
                return None
        elif kind == b"fact":
            fact = int.from_bytes(body[:4], "little") or None
        elif kind == b"ds64":
            wide_size = int.from_bytes(body[8:16], "little") or None
        _skip(file, size - len(body))
        at += size + size % 2
    raise AudioError(f"is a WAV file with more than {_MAX_CHUNKS} chunks before its samples")


def read_blocks(file: Readable, header: WavHeader) -> Iterator[NDArray[np.float32]]:
    """Yield the samples after the header in blocks (channels, n) of at most 1 MiB, until header or file end.

    An incomplete last frame is dropped.
    """
    step = max(1, BLOCK_SAMPLES // header.channels) * header.frame_bytes
    left = header.data_bytes
    while left is None or left > 0:
        wanted = step if left is None else min(step, left)
        raw = read_exactly(file, wanted)
        whole = len(raw) // header.frame_bytes * header.frame_bytes
        if whole:
            flat = _to_float(raw[:whole], header.encoding)
            yield np.ascontiguousarray(flat.reshape(-1, header.channels).T)
        if len(raw) < wanted:
            return
        left = None if left is None else left - wanted


def read_exactly(file: Readable, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end."""
    first = file.read(size) or b""
    if len(first) in {0, size}:
        return first
    parts, left = [first], size - len(first)
    while left and (part := file.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _chunk_head(file: Readable, *, after_odd: bool) -> bytes:
    """Read the name and size of a chunk; some writers leave out the zero that pads an odd chunk."""
    head = read_exactly(file, 8)
    return head[1:] + read_exactly(file, 1) if after_odd and head[:1] == b"\0" else head


def _skip(file: Readable, size: int) -> None:
    if isinstance(file, io.IOBase) and file.seekable():
        file.seek(size, os.SEEK_CUR)
        return
    while size > 0 and (part := file.read(min(size, _SKIP_BYTES))):
        size -= len(part)


def _is_placeholder(size: int) -> bool:
    """Tell whether a size stands for "unknown".

    Writers that cannot seek back leave the largest number, 2³¹, or either rounded down to a block or less the
    length of the header.
    """
    return 0x7FFFF000 <= size <= 0x80000000 or size >= 0xFFFFF000


def _parse_format(body: bytes) -> tuple[int, int, Encoding] | None:
    """Sample rate, channels and encoding from the body of a fmt chunk; None for what others shall decode."""
    if len(body) < 16:
        raise AudioError(f"is a WAV file with a format of {len(body)} bytes; 16 or more are needed")
    tag, channels, rate, _, frame_bytes, bits = struct.unpack("<HHIIHH", body[:16])
    if tag == _EXTENSIBLE and body[26:40] == _GUID_TAIL:
        tag = int.from_bytes(body[24:26], "little")
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None or (channels and frame_bytes != channels * bits // 8):
        return None
    return rate, channels, encoding


def _to_float(raw: bytes, encoding: Encoding) -> NDArray[np.float32]:
    """Stored samples as float32, full scale at ±1; float64 beyond the range of float32 becomes infinite."""
    if encoding == "i3":
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        raw, encoding = wide.tobytes(), "i4"
    stored = np.frombuffer(raw, np.dtype(encoding).newbyteorder("<"))
    with np.errstate(over="ignore"):
        values = stored.astype(np.float32)
    if encoding == "u1":
        values -= 128
    if encoding[0] != "f":
        values *= np.float32(2.0 ** (1 - 8 * stored.itemsize))
    return values


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────


def write_wav(path: str | Path, waveform: Waveform, *, bits: Literal[16, 32] = 16) -> None:
    """Write 16-bit PCM, rounded and limited to full scale, or 32-bit float, exact.

    The file appears under its name when it is complete: it is written beside it and renamed.

    Raises:
        UsageError: for other bits, or samples that are NaN or infinite.
        OutputError: when it cannot be written, or would exceed the 4 GiB a WAV file can hold.
    """
    if bits not in {16, 32}:
        raise UsageError(f"WAV files are written with 16 or 32 bits; got {bits}")
    size = waveform.samples.size * bits // 8
    if size >= 0xFFFFF000:
        raise OutputError(f"{path}: {size} bytes of samples are more than a WAV file holds")
    target = Path(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with open(draft, "xb") as file:
            file.write(wav_header(waveform.sample_rate, waveform.channels, bits, len(waveform), size))
            for block in waveform.blocks():
                file.write(_to_stored(block, bits))
        draft.replace(target)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


def _to_stored(block: NDArray[np.float32], bits: int) -> bytes:
    if not np.isfinite(block).all():
        raise UsageError("a WAV file is not written with NaN or infinite samples")
    if bits == 32:
        return block.T.astype("<f4").tobytes()
    limited: NDArray[np.float32] = np.clip(np.rint(block.T * np.float32(2**15)), -(2**15), 2**15 - 1)
    return limited.astype("<i2").tobytes()
