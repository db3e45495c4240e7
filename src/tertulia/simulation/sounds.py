"""Raw material: audio files of a folder, their level, their speech, and endless beds of noise or music."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tertulia.audio import open_audio
from tertulia.audio.resample import resampled
from tertulia.errors import AudioError, InputError

__all__ = [
    "Bed",
    "ColouredNoise",
    "Convolver",
    "SampleBed",
    "audio_files",
    "decibels",
    "load",
    "rms",
    "speech_of",
]

Samples = NDArray[np.float32]

_EXTENSIONS = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3"})
_FRAMES_A_SECOND = 50
_SPEECH_FLOOR = 0.03  # of the loudest frames: −30 dB
_KEPT_AROUND = 4  # frames: silence inside an utterance is shortened to twice that
_CROSSFADE = 0.05


def audio_files(folder: Path) -> list[Path]:
    """List the audio files in a folder and those in it, sorted; raises `InputError` when there is none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _EXTENSIONS)
    if not files:
        raise InputError(f"{folder} holds no audio files; they end in: {', '.join(sorted(_EXTENSIONS))}")
    return files


def load(path: Path, rate: int, most: float) -> Samples:
    """Read the first `most` seconds of a file as mono samples (n,) at `rate` Hz; raises `AudioError`.

    FLAC and Ogg are decoded in this process: a conversation is made of hundreds of utterances, and a child
    process for each, as for recordings of unknown origin, would cost more than all the rest.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(4)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror}") from error
    if head in (b"fLaC", b"OggS"):
        blocks: Iterator[Samples] = iter([_decoded(path, rate, most)])
    else:
        blocks = open_audio(path, sample_rate=rate)
    wanted, parts = int(most * rate), []
    for block in blocks:
        parts.append(block[0])
        wanted -= block.shape[1]
        if wanted <= 0:
            break
    return np.concatenate(parts)[: int(most * rate)]


def _decoded(path: Path, rate: int, most: float) -> Samples:
    """Mono samples (1, n)."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            samples = file.read(int(most * file.samplerate), dtype="float32", always_2d=True)
            source_rate = file.samplerate
    except (OSError, RuntimeError) as error:
        raise AudioError(f"{path}: cannot be read as sound: {error}") from error
    mono = samples.mean(axis=1, dtype=np.float32)[np.newaxis]
    return np.concatenate([mono[:, :0], *resampled([mono], source_rate, rate, 1)], axis=1)


def rms(samples: Samples) -> float:
    """Root of the mean square; 0 for none."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0


def decibels(level: float) -> float:
    """Turn a level in dB into an amplitude."""
    return float(10 ** (level / 20))


def speech_of(samples: Samples, rate: int) -> Samples:
    """Cut away silence: all of it at both ends, inside what is beyond 160 ms; (n,) → (m,), m ≤ n.

    Silence is what lies 30 dB under the loudest twentieth of the frames of 20 ms.
    """
    size = rate // _FRAMES_A_SECOND
    frames = samples[: len(samples) // size * size].reshape(-1, size)  # (frames, size)
    levels = np.sqrt(np.square(frames).mean(axis=1))
    if not levels.any():
        return samples[:0]
    loud = np.flatnonzero(levels > _SPEECH_FLOOR * np.quantile(levels, 0.95))
    kept = np.zeros(len(frames), dtype=bool)
    for shift in range(-_KEPT_AROUND, _KEPT_AROUND + 1):
        kept[np.clip(loud + shift, loud[0], loud[-1])] = True
    return frames[kept].ravel()


class Bed(Protocol):
    """Endless sound of unit power."""

    def take(self, n: int) -> Samples:
        """Return the next samples (n,)."""


class SampleBed:
    """Sounds one after the other without end, each of unit power, in a new random order each time round.

    Raises:
        AudioError: when a file cannot be read, or all of them are silent.
    """

    def __init__(self, paths: Sequence[Path], rate: int, rng: Generator, most: float = 600.0) -> None:
        self._paths, self._rate, self._rng, self._most = paths, rate, rng, most
        self._parts = self._joined()
        self._rest = np.zeros(0, np.float32)

    def take(self, n: int) -> Samples:
        """Return the next samples (n,)."""
        parts = [self._rest]
        missing = n - len(self._rest)
        while missing > 0:
            parts.append(next(self._parts))
            missing -= len(parts[-1])
        whole = np.concatenate(parts)
        self._rest = whole[n:]
        return whole[:n]

    def _joined(self) -> Iterator[Samples]:
        """Yield the sounds with crossfades of equal power, the end of each held back for the next."""
        tail = np.zeros(0, np.float32)
        for sound in self._sounds():
            fade = min(int(_CROSSFADE * self._rate), len(sound) // 2)
            phase = np.linspace(0, np.pi / 2, fade, dtype=np.float32)
            overlapped = min(fade, len(tail))
            yield tail[: len(tail) - overlapped]
            if overlapped:
                sound[:overlapped] *= np.sin(phase[:overlapped])
                sound[:overlapped] += tail[len(tail) - overlapped :]
            tail = sound[len(sound) - fade :] * np.cos(phase)
            yield sound[: len(sound) - fade]

    def _sounds(self) -> Iterator[Samples]:
        while True:
            silent = True
            for i in self._rng.permutation(len(self._paths)):
                sound = load(self._paths[i], self._rate, self._most)
                level = rms(sound)
                if level > 0:
                    silent = False
                    yield sound / np.float32(level)
            if silent:
                raise AudioError(f"{self._paths[0].parent}: there is nothing but silence")


class ColouredNoise:
    """Gaussian noise of unit power whose power falls with frequency as f to the power of −`slope`."""

    def __init__(self, slope: float, rate: int, rng: Generator) -> None:
        taps = 1024
        frequencies = np.maximum(np.fft.rfftfreq(taps, 1 / rate), 50.0)
        shape = np.roll(np.fft.irfft(frequencies ** (-slope / 2)), taps // 2) * np.hanning(taps)
        self._filter = Convolver(shape / np.sqrt((shape**2).sum()))
        self._rng = rng
        self._filter(rng.standard_normal(taps, dtype=np.float32))  # past its onset

    def take(self, n: int) -> Samples:
        """Return the next samples (n,)."""
        return self._filter(self._rng.standard_normal(n, dtype=np.float32))


class Convolver:
    """A stream through an impulse response: what rings on is kept for the next block.

    Args:
        response: impulse response (taps,).
    """

    def __init__(self, response: NDArray[np.floating]) -> None:
        self._response = response.astype(np.float32)
        self._tail = np.zeros(len(response) - 1, np.float32)

    @property
    def rings(self) -> bool:
        """Whether silence in would still give sound out."""
        return bool(self._tail.any())

    def __call__(self, block: Samples) -> Samples:
        """Take a block (n,) and return one (n,)."""
        from scipy.signal import oaconvolve

        out: Samples = oaconvolve(block, self._response).astype(np.float32)  # (n + taps − 1,)
        out[: len(self._tail)] += self._tail
        self._tail = out[len(block) :].copy()
        return out[: len(block)]
