"""Files of features, read in place of audio: HTK, SPro 4 and 5, plain text (also gzipped).

They are told apart by their content. Plain text is one frame a line, its numbers parted by white space,
commas or semicolons; LIUM calls it `gztxt` when gzipped.

Sources: S. Young et al., "The HTK Book" (3.4), section 5.10; G. Gravier, "SPro: speech signal processing
toolkit", section 3.1.2.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import FormatError, InputError, UsageError

__all__ = ["Features", "is_feature_file", "parse", "read"]

Array = NDArray[np.float32]

_TEXT_STEP = 0.01
_EXTENSIONS = (".htk", ".mfc", ".mfcc", ".plp", ".fea", ".prm", ".spro", ".spro4", ".gz")
_GZIP = b"\x1f\x8b"
_HEAD = 4096  # bytes that tell what a file is
_MOST = 1 << 30  # bytes after decompression

# HTK's parameter kinds (table 5.1): the base, and qualifiers that change how the file is laid out.
_BASE, _COMPRESSED, _CHECKED = 0o77, 0o2000, 0o10000
_NO_FEATURES = {0: "a waveform", 5: "16-bit reflection coefficients", 10: "discrete symbols"}
_LAST_KIND = 11
_HTK_HEADER = 12

_SPRO_BEGIN, _SPRO_END = b"<header>", b"</header>\n"
# The flags are a C `long`: four bytes where SPro was written, eight where it is often compiled today.
_SPRO_HEADERS = ("<HIf", "<HQf")
_SPRO_FLAGS = 1 << 6


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Features of a recording: `values` float32 (frames, dim), finite, a frame every `step` seconds."""

    values: Array
    step: float

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not self.values.shape[1] or not 0 < self.step < 1:
            raise UsageError(
                f"features have shape (frames, dim) and a step in (0, 1) s; got {self.values.shape} and "
                f"{self.step}"
            )
        bad = np.flatnonzero(~np.isfinite(self.values).all(axis=1))
        if len(bad):
            raise UsageError(f"features are finite numbers; {len(bad)} frames are not, the first is {bad[0]}")

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.values) * self.step


def read(path: str | Path) -> Features:
    """Read a file of features.

    Raises:
        InputError: if it cannot be opened.
        FormatError: naming the file, and for text the line, if it holds no features.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return parse(data, str(path))


def is_feature_file(path: str | Path) -> bool:
    """Tell features from audio, by the usual extensions of features or else by the content.

    False for what cannot be opened: whoever reads it will say so.
    """
    if Path(path).suffix.lower() in _EXTENSIONS:
        return True
    try:
        with Path(path).open("rb") as file:
            head, size = file.read(_HEAD), file.seek(0, io.SEEK_END)
    except OSError:
        return False
    return (
        head.startswith(_GZIP)
        or _is_text(head)
        or _htk_order(head, size) is not None
        or _spro_layout(head, size) is not None
    )


def parse(data: bytes, name: str = "<bytes>") -> Features:
    """Read features from the bytes of a file called `name`; raises `FormatError`."""
    try:
        data = _gunzipped(data)
        with np.errstate(all="ignore"):  # numbers that overflow are refused as not finite
            return _parsed(data)
    except ValueError as error:
        raise FormatError(f"{name}:{' ' if not str(error)[:1].isdigit() else ''}{error}") from None


def _parsed(data: bytes) -> Features:
    if _is_text(data):
        return Features(_text(data), _TEXT_STEP)
    if (order := _htk_order(data, len(data))) is not None:
        return _htk(data, order)
    if (layout := _spro_layout(data, len(data))) is not None:
        return _spro(data, *layout)
    raise ValueError(_puzzled(data))


def _gunzipped(data: bytes) -> bytes:
    if not data.startswith(_GZIP):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            content = file.read(_MOST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"is damaged gzip: {error}") from None
    if len(content) > _MOST:
        raise ValueError(f"holds more than {_MOST >> 20} MiB once decompressed")
    return content


def _puzzled(data: bytes) -> str:
    """Say what is wrong with what is neither."""
    if not data:
        return "is empty"
    if data.startswith(_SPRO_BEGIN):
        return "has an SPro header, but its vectors do not fit it: truncated?"
    if len(data) > _HTK_HEADER and _htk_size(data, ">"):
        return f"looks like HTK features, but has {len(data)} bytes where {_htk_size(data, '>')} are promised"
    return "holds no features of HTK, SPro or plain text"


# ── plain text ───────────────────────────────────────────────────────────────────────────────────────────


def _is_text(data: bytes) -> bool:
    """Whether there is something, and its beginning is printable and no SPro header."""
    head = data[:_HEAD]
    return bool(head) and not head.translate(None, bytes([9, 10, 13, *range(32, 127)])) and head[:1] != b"<"


def _text(data: bytes) -> Array:
    rows: list[list[float]] = []
    for number, line in enumerate(data.replace(b",", b" ").replace(b";", b" ").split(b"\n"), 1):
        fields = line.split()
        if not fields or fields[0].startswith(b"#"):
            continue
        try:
            row = [float(field) for field in fields]
        except ValueError:
            raise ValueError(f"{number}: a frame is numbers; got {line[:60]!r}") from None
        if not np.isfinite(row).all():
            raise ValueError(f"{number}: a frame is finite numbers; got {line[:60]!r}")
        if rows and len(row) != len(rows[0]):
            raise ValueError(f"{number}: frames have one size; got {len(row)} numbers after {len(rows[0])}")
        rows.append(row)
    if not rows:
        raise ValueError("holds no frames")
    return np.array(rows, dtype=np.float32)


# ── HTK ──────────────────────────────────────────────────────────────────────────────────────────────────


def _htk_order(data: bytes, total: int) -> str | None:
    """Byte order of an HTK file of so many bytes that begins with `data`; None when it is none."""
    return next((order for order in (">", "<") if 0 < _htk_size(data, order) == total), None)


def _htk_size(data: bytes, order: str) -> int:
    """Bytes that an HTK file with this header has, or 0 when it cannot be the header of one."""
    if len(data) < _HTK_HEADER:
        return 0
    samples, period, size, kind = struct.unpack(f"{order}iihH", data[:_HTK_HEADER])
    if samples <= 0 or period <= 0 or size <= 0 or kind & _BASE > _LAST_KIND:
        return 0
    return int(_HTK_HEADER + samples * size + (2 if kind & _CHECKED else 0))


def _htk(data: bytes, order: str) -> Features:
    samples, period, size, kind = struct.unpack(f"{order}iihH", data[:_HTK_HEADER])
    if kind & _BASE in _NO_FEATURES:
        raise ValueError(f"holds {_NO_FEATURES[kind & _BASE]}, no features")
    if kind & _COMPRESSED:
        values = _htk_compressed(data, order, samples, size // 2)
    else:
        if size % 4:
            raise ValueError(f"an HTK vector is 4-byte numbers; got vectors of {size} bytes")
        values = np.frombuffer(data, f"{order}f4", samples * size // 4, _HTK_HEADER).reshape(samples, -1)
    return Features(values.astype(np.float32), period * 1e-7)


def _htk_compressed(data: bytes, order: str, samples: int, dim: int) -> Array:
    """Undo x_short = A · x − B (HTK Book, section 5.10.1); A and B stand in the place of four vectors."""
    frames = samples - 4
    if frames <= 0 or not dim:
        raise ValueError("is compressed HTK without a vector")
    scale, offset = np.frombuffer(data, f"{order}f4", 2 * dim, _HTK_HEADER).reshape(2, dim)
    if not (scale != 0).all():
        raise ValueError("is compressed HTK with a scale of zero")
    shorts = np.frombuffer(data, f"{order}i2", frames * dim, _HTK_HEADER + 8 * dim).reshape(frames, dim)
    return np.asarray((shorts + offset) / scale, dtype=np.float32)


# ── SPro ─────────────────────────────────────────────────────────────────────────────────────────────────


def _spro_layout(data: bytes, total: int) -> tuple[int, int, float] | None:
    """Where vectors begin, their size and how many there are a second; None when this is no SPro file.

    Args:
        data: the beginning of the file, all of its header.
        total: bytes in the whole file.
    """
    begin = 0
    if data.startswith(_SPRO_BEGIN):
        begin = data.find(_SPRO_END) + len(_SPRO_END)
        if begin < len(_SPRO_END):
            return None
    for header in _SPRO_HEADERS:
        at = begin + struct.calcsize(header)
        if len(data) < at or total == at:
            continue
        dim, flags, rate = struct.unpack(header, data[begin:at])
        if dim and flags < _SPRO_FLAGS and 1 < rate <= 10_000 and (total - at) % (4 * dim) == 0:
            return at, dim, rate
    return None


def _spro(data: bytes, at: int, dim: int, rate: float) -> Features:
    return Features(np.frombuffer(data, "<f4", offset=at).reshape(-1, dim).astype(np.float32), 1 / rate)
