"""Decode once: all sound of a training set as 16-bit samples in one file, which is mapped into memory.

Decoding FLAC or Opus anew in every epoch costs more than many networks do. It is also how damaged and silent
files are found before an hour of training has passed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import AudioError, InputError
from tertulia.formats import write_text
from tertulia.simulation.sounds import load
from tertulia.training.files import replacing

__all__ = ["MOST_BAD", "Pack", "Piece", "pack"]

Samples = NDArray[np.float32]
Piece = tuple[Path, float, float | None]
"""A file and the stretch of it that is wanted: start, and end or None, in seconds."""

MOST_BAD = 0.01
"""Share of pieces that may be damaged, silent or too short before training is refused."""

_RATE = 16_000
_SHORTEST = 0.1  # s
_SILENT = 1e-4  # root mean square, −80 dB of full scale
_DAY = 86_400.0


@dataclass(frozen=True, eq=False)
class Pack:
    """The sound of many pieces at 16 kHz.

    Attributes:
        samples: int16 (total,), mapped from the file.
        bounds: (pieces, 2), where each begins and ends in it; empty for those that cannot be used.
        bad: number of a piece → what is wrong with it.
    """

    samples: NDArray[np.int16]
    bounds: NDArray[np.int64]
    bad: dict[int, str]
    path: Path

    sample_rate = _RATE

    def __len__(self) -> int:
        return len(self.bounds)

    @property
    def digest(self) -> str:
        """What tells this sound from other sound, wherever its files lie: how long each piece is."""
        return hashlib.sha256(self.bounds.tobytes()).hexdigest()[:16]

    def length(self, piece: int) -> int:
        """Count the samples of a piece."""
        return int(self.bounds[piece, 1] - self.bounds[piece, 0])

    def read(self, piece: int, start: int = 0, count: int | None = None) -> Samples:
        """Return samples of a piece, float32 (≤ count,) in [-1, 1]."""
        first, last = self.bounds[piece].tolist()
        last = last if count is None else min(last, first + start + count)
        return self.samples[first + start : last].astype(np.float32) / np.float32(1 << 15)


def pack(
    pieces: Sequence[Piece], cache: Path, *, most_bad: float = MOST_BAD, report: Callable[[str], None]
) -> Pack:
    """Decode pieces into a file in `cache`, or find that it was done before.

    Args:
        pieces: what to decode; those of one file should follow one another.
        cache: folder; the file takes 115 MB an hour.
        most_bad: share of the pieces that may be of no use.
        report: told of every piece that is left out, and at the end how many there are.

    Raises:
        InputError: when there are no pieces, or more are bad than may be.
        OutputError: when the file cannot be written; what a former call wrote stays.
    """
    if not pieces:
        raise InputError("there is no sound to train on")
    target = cache / f"{_key(pieces)}.i16"
    index = target.with_suffix(".json")
    if not (target.exists() and index.exists()):
        _write(pieces, target, index)
    table = json.loads(index.read_text(encoding="utf-8"))
    bad = {int(piece): reason for piece, reason in table["bad"].items()}
    for piece, reason in bad.items():
        report(f"left out: {_named(pieces[piece])}: {reason}")
    if bad:
        report(f"{len(bad)} of {len(pieces)} left out")
    if len(bad) > most_bad * len(pieces):
        raise InputError(
            f"{len(bad)} of {len(pieces)} pieces of sound cannot be used, more than {most_bad:.0%}; "
            f"the first: {_named(pieces[min(bad)])}: {bad[min(bad)]}"
        )
    samples = np.memmap(target, np.int16, "r") if target.stat().st_size else np.empty(0, np.int16)
    bounds = np.asarray(table["bounds"], dtype=np.int64).reshape(-1, 2)
    return Pack(samples, bounds, bad, target)


def _key(pieces: Sequence[Piece]) -> str:
    """Tell a set of pieces by names, sizes and times of change of its files."""
    digest = hashlib.sha256()
    seen: dict[Path, str] = {}
    for path, start, end in pieces:
        if path not in seen:
            try:
                status = path.stat()
                seen[path] = f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"
            except OSError:
                seen[path] = f"{path.resolve()}|missing"
        digest.update(f"{seen[path]}|{start}|{end}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _write(pieces: Sequence[Piece], target: Path, index: Path) -> None:
    bounds, bad, end = [], {}, 0
    with replacing(target) as draft, draft.open("wb") as file:
        for number, samples in enumerate(_decoded(pieces)):
            if isinstance(samples, str):
                bad[number] = samples
            else:
                file.write(_whole_numbers(samples))
            count = 0 if isinstance(samples, str) else len(samples)
            bounds.append((end, end + count))
            end += count
    write_text(index, json.dumps({"bounds": bounds, "bad": bad}))


def _whole_numbers(samples: Samples) -> bytes:
    return np.clip(np.rint(samples * (1 << 15)), -(1 << 15), (1 << 15) - 1).astype("<i2").tobytes()


def _decoded(pieces: Sequence[Piece]) -> Iterator[Samples | str]:
    """Yield the samples (n,) of each piece, or what is wrong with it; a file is decoded once in a row."""
    last: Path | None = None
    whole: Samples | str = ""
    for path, start, end in pieces:
        if path != last:
            last, whole = path, _of_file(path)
        if isinstance(whole, str):
            yield whole
            continue
        part = whole[round(start * _RATE) : None if end is None else round(end * _RATE)]
        yield part if (fault := _fault(part)) is None else fault


def _of_file(path: Path) -> Samples | str:
    try:
        return load(path, _RATE, _DAY)
    except AudioError as error:
        return str(error).removeprefix(f"{path}: ")


def _fault(samples: Samples) -> str | None:
    if len(samples) < _SHORTEST * _RATE:
        return f"{len(samples) / _RATE:.2f} s are too short"
    if not np.isfinite(samples).all():
        return "it holds values that are no numbers"
    if np.sqrt(np.mean(np.square(samples, dtype=np.float64))) < _SILENT:
        return "it is silent"
    return None


def _named(piece: Piece) -> str:
    path, start, end = piece
    return str(path) if end is None else f"{path} ({start:.2f}–{end:.2f} s)"
