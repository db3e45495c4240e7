"""Voices: which utterances there are of whom, and one voice as an endless stream of speech."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator

from tertulia.errors import AudioError, FormatError, InputError, UsageError
from tertulia.simulation.sounds import Samples, audio_files, load, rms, speech_of

__all__ = ["Utterances", "Voice", "read_voices", "without"]

Utterances = Mapping[str, Sequence[Path]]
"""Speaker → the files in which nobody else speaks."""

_MOST = 60.0  # s read of one file


def read_voices(source: str | Path) -> dict[str, tuple[Path, ...]]:
    """List utterances: speaker → files, both sorted.

    Args:
        source: a manifest with tab-separated columns, `path` (relative to it) and `speaker` among them, or a
            folder in which every audio file is in a folder called like its speaker, however deep.

    Raises:
        InputError: when it cannot be read or lists nothing.
        FormatError: for a manifest without those columns or with an empty field, naming the line.
    """
    source = Path(source)
    if source.is_dir():
        pairs = [(path.parent.name, path) for path in audio_files(source) if path.parent != source]
    else:
        pairs = _manifest(source)
    if not pairs:
        raise InputError(f"{source} lists no utterances; a folder needs them as speaker/utterance")
    voices: dict[str, list[Path]] = {}
    for speaker, path in sorted(pairs):
        voices.setdefault(speaker, []).append(path)
    return {speaker: tuple(paths) for speaker, paths in voices.items()}


def _manifest(source: Path) -> list[tuple[str, Path]]:
    try:
        with open(source, encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if missing := {"path", "speaker"} - set(rows.fieldnames or ()):
                raise FormatError(
                    f"{source}:1: a manifest has tab-separated columns, path and speaker among them; "
                    f"missing: {', '.join(sorted(missing))}"
                )
            pairs = []
            for row in rows:
                if not row["path"] or not row["speaker"]:
                    raise FormatError(f"{source}:{rows.line_num}: path and speaker cannot be empty")
                pairs.append((row["speaker"], source.parent / row["path"]))
            return pairs
    except OSError as error:
        raise InputError(f"cannot read {source}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{source}: this is not UTF-8 text ({error.reason})") from error


def without(
    voices: Utterances, names: Iterable[str], named_elsewhere: Iterable[str] | None = None
) -> dict[str, Sequence[Path]]:
    """Leave speakers out.

    Args:
        voices: speaker → files.
        names: speakers, all of whom have to be there: a slip in a name must not let a voice through.
        named_elsewhere: further ones, such as the speakers of references; at least one has to be there.

    Raises:
        UsageError: when they are not, or nobody is left.
    """
    names, elsewhere = set(names), set(named_elsewhere or ())
    if unheard := sorted(names - set(voices)):
        raise UsageError(f"cannot exclude {', '.join(map(repr, unheard))}: no voice is called so")
    if elsewhere and not elsewhere & set(voices):
        some = ", ".join(sorted(elsewhere)[:5])
        raise UsageError(f"none of the {len(elsewhere)} speakers to exclude ({some} …) is among the voices")
    left = {speaker: paths for speaker, paths in voices.items() if speaker not in names | elsewhere}
    if not left:
        raise UsageError(f"all {len(voices)} voices are excluded")
    return left


class Voice:
    """One voice: its utterances without their silences, one after the other, each of unit power.

    No utterance is heard a second time before all have been; then they come in a new random order.

    Attributes:
        used: the files heard so far, in order.

    Raises:
        AudioError: when a file cannot be read, or there is no sound in any.
    """

    def __init__(self, paths: Sequence[Path], rate: int, rng: Generator) -> None:
        self._paths, self._rate, self._rng = paths, rate, rng
        self._waiting: deque[Path] = deque()
        self._rest = np.zeros(0, np.float32)
        self.used: list[Path] = []

    def ahead(self) -> Samples:
        """Return what will be heard next, (n,) with n > 0, without taking it."""
        silent = 0
        while not self._rest.size:
            if silent == len(self._paths):
                raise AudioError(f"{self._paths[0].parent}: there is nothing but silence")
            if not self._waiting:
                self._waiting.extend(self._shuffled())
            path = self._waiting.popleft()
            speech = speech_of(load(path, self._rate, _MOST), self._rate)
            silent += 1
            if speech.size:
                self._rest = speech / np.float32(rms(speech))
                self.used.append(path)
        return self._rest

    def take(self, n: int) -> Samples:
        """Return the next samples (n,)."""
        parts, missing = [np.zeros(0, np.float32)], n
        while missing > 0:
            rest = self.ahead()
            parts.append(rest[:missing])
            self._rest = rest[missing:]
            missing -= len(parts[-1])
        return np.concatenate(parts)

    def _shuffled(self) -> list[Path]:
        order = [self._paths[i] for i in self._rng.permutation(len(self._paths))]
        if len(order) > 1 and self.used and order[0] == self.used[-1]:
            order.append(order.pop(0))  # not twice in a row
        return order
