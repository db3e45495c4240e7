"""Augmentation on the fly: what happens to speech between a mouth and a file.

Everything is drawn from the generator that the caller gives, so that an example of an epoch is the same
whoever makes it, and whenever.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tertulia.errors import UsageError, unknown
from tertulia.simulation.channel import TELEPHONE_RATE, exactly, telephone, through
from tertulia.simulation.rooms import draw_room, image_response
from tertulia.simulation.settings import CODECS
from tertulia.simulation.sounds import ColouredNoise, decibels, rms
from tertulia.training.pack import Pack

__all__ = ["Augmentation", "Augmenter", "at_speed", "fitted"]

Samples = NDArray[np.float32]

_TELEPHONE = "telephone"
_SLOPES = (0.0, 2.0)  # white to brown
_RT60 = (0.15, 0.7)  # s


@dataclass(frozen=True)
class Augmentation:
    """What is done to waveforms. Shares are of the examples, levels in dB; ranges are (lowest, highest).

    Args:
        rooms: share that is heard through a room.
        responses: how many impulse responses of generated rooms there are to choose from.
        noise: share that has noise, coloured or from the noises given, half and half.
        snr: of speech over noise.
        babble: share that has other people's speech behind it.
        babble_snr: of speech over that.
        codec: share that went through one of `codecs`.
        codecs: `telephone` (300 to 3400 Hz, mu-law, 8 kHz), `mulaw`, `opus`, `vorbis` or `mp3`.
        gain: change of the level of every example.
    """

    rooms: float = 0.0
    responses: int = 0
    noise: float = 0.0
    snr: tuple[float, float] = (0.0, 0.0)
    babble: float = 0.0
    babble_snr: tuple[float, float] = (0.0, 0.0)
    codec: float = 0.0
    codecs: tuple[str, ...] = ()
    gain: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("rooms", "noise", "babble", "codec"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"augmentation.{name} is a share in [0, 1]; got {getattr(self, name)}")
        for name in ("snr", "babble_snr", "gain"):
            value = getattr(self, name)
            if len(value) != 2 or not all(isinstance(x, int | float) for x in value) or value[0] > value[1]:
                raise UsageError(f"augmentation.{name} is a range, lowest and highest; got {value}")
        known = (_TELEPHONE, *CODECS[1:])
        for codec in self.codecs:
            if codec not in known:
                raise unknown("codec", codec, known)
        if self.codec and not self.codecs:
            raise UsageError(f"augmentation.codecs needs at least one of: {', '.join(known)}")
        if self.rooms and self.responses < 1:
            raise UsageError("augmentation.rooms needs responses, one or more")


class Augmenter:
    """Augmentation with its rooms built and its noises at hand.

    Args:
        settings: what to do.
        noises: recordings to take noise from, or None for coloured noise alone.
        speech: where babble comes from.
        rate: sample rate in Hz.
        seed: of the rooms.
    """

    def __init__(
        self, settings: Augmentation, noises: Pack | None, speech: Pack | None, rate: int, seed: int
    ) -> None:
        self.settings, self.rate = settings, rate
        self._noises, self._speech = noises, speech
        rng = np.random.default_rng([seed, 1])
        self._responses = [_response(rate, rng) for _ in range(settings.responses if settings.rooms else 0)]

    def __call__(self, samples: Samples, rng: Generator) -> Samples:
        """Augment samples (n,) → (n,)."""
        settings = self.settings
        if rng.random() < settings.rooms:
            samples = _reverberated(samples, self._responses[int(rng.integers(len(self._responses)))])
        if rng.random() < settings.babble and self._speech is not None:
            people = [_stretch(self._speech, len(samples), rng) for _ in range(int(rng.integers(1, 5)))]
            samples = _mixed(samples, np.sum(people, axis=0), rng.uniform(*settings.babble_snr))
        if rng.random() < settings.noise:
            samples = _mixed(samples, self._noise(len(samples), rng), rng.uniform(*settings.snr))
        samples = samples * np.float32(decibels(rng.uniform(*settings.gain)))
        if rng.random() < settings.codec:
            samples = self._coded(samples, settings.codecs[int(rng.integers(len(settings.codecs)))])
        clipped: Samples = np.clip(samples, -1, 1).astype(np.float32)
        return clipped

    def _noise(self, count: int, rng: Generator) -> Samples:
        if self._noises is not None and rng.random() < 0.5:
            return _stretch(self._noises, count, rng)
        return ColouredNoise(rng.uniform(*_SLOPES), self.rate, rng).take(count)

    def _coded(self, samples: Samples, codec: str) -> Samples:
        if codec == _TELEPHONE:
            from soxr import resample

            narrow = np.concatenate(list(telephone([samples], self.rate)))
            blocks = [resample(narrow, TELEPHONE_RATE, self.rate)]
        else:
            blocks = list(through(codec, [samples], self.rate))
        return np.concatenate(list(exactly(blocks, len(samples))))


def at_speed(samples: Samples, speed: float, rate: int) -> Samples:
    """Play samples (n,) faster or slower, pitch and all, → (about n / speed,)."""
    from soxr import resample

    return samples if speed == 1 else resample(samples, rate * speed, rate).astype(np.float32)


def fitted(samples: Samples, count: int, rng: Generator) -> Samples:
    """Take `count` samples from anywhere; what is shorter is repeated, in the time domain, until it fits."""
    if len(samples) < count:
        return np.resize(samples, count)
    start = int(rng.integers(len(samples) - count + 1))
    return samples[start : start + count]


def _stretch(pack: Pack, count: int, rng: Generator) -> Samples:
    """Take a stretch of a random usable piece."""
    piece = int(rng.integers(len(pack)))
    while pack.length(piece) == 0:
        piece = int(rng.integers(len(pack)))
    start = int(rng.integers(max(1, pack.length(piece) - count + 1)))
    return np.resize(pack.read(piece, start, count), count)


def _mixed(samples: Samples, other: Samples, snr: float) -> Samples:
    """Add something so far below the speech."""
    level = rms(other)
    if level == 0:
        return samples
    return samples + other * np.float32(rms(samples) * decibels(-snr) / level)


def _response(rate: int, rng: Generator) -> Samples:
    """Impulse response (taps,) of some room, from its direct sound on."""
    room = draw_room(1, rng.uniform(*_RT60), rng)
    response = image_response(room, 0, rate)
    return response[int(np.argmax(np.abs(response))) :].astype(np.float32)


def _reverberated(samples: Samples, response: Samples) -> Samples:
    """Convolve, keeping length, level and onset."""
    from scipy.signal import oaconvolve

    wet = oaconvolve(samples, response)[: len(samples)].astype(np.float32)
    level = rms(wet)
    return wet * np.float32(rms(samples) / level) if level else samples
