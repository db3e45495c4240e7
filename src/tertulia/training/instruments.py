"""Instruments that a few numbers make: bowed, blown, struck and plucked ones, bells, organs, drums.

No two of a kind sound alike: strength of harmonics, body, attack, vibrato and number of players are drawn.

Sources: K. Karplus, A. Strong, "Digital synthesis of plucked-string and drum timbres" (Computer Music
Journal 7(2), 1983); J. M. Chowning, "The synthesis of complex audio spectra by means of frequency
modulation" (Journal of the Audio Engineering Society 21(7), 1973).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["Bell", "Body", "Instrument", "Kit", "Plucked", "Voice", "hum", "reverberated"]

Samples = NDArray[np.float32]

Instrument = Callable[[float, float, float], Samples]
"""Plays a note: pitch in Hz, seconds, force from 0 to 1 → samples, which may ring on."""

_TABLE = 2048  # samples of one period of a wave
_HIGHEST = 0.46  # of the sample rate: nothing is made above
_MOST_HARMONICS = 80
_LONGEST = 5.0  # seconds that a note rings
_CUT = 60.0  # dB
_RINGS = 1024  # samples that a body rings at most


class Body:
    """How strongly a thing resounds at each frequency: a smooth curve, drawn once.

    Args:
        depth: standard deviation in dB from third to third of an octave.
        rng: draws it.
        highest: frequency in Hz above which next to nothing sounds.
    """

    _LOW, _POINTS = 4.0, 30  # 16 Hz, in thirds of an octave

    def __init__(self, depth: float, rng: Generator, highest: float = np.inf) -> None:
        self._highest = highest
        self._octaves = self._LOW + np.arange(self._POINTS) / 3
        curve = np.convolve(rng.normal(0, depth, self._POINTS + 2), [0.5, 0.7, 0.5], "valid")
        self._decibels = np.clip(curve, -30, 20)

    def __call__(self, frequencies: NDArray[np.floating]) -> NDArray[np.float64]:
        """Amplitudes at frequencies in Hz, of the same shape."""
        octaves = np.log2(np.maximum(frequencies, 1.0))
        decibels = np.interp(octaves, self._octaves, self._decibels) - _CUT * (frequencies > self._highest)
        return np.asarray(10 ** (decibels / 20))

    def filter(self, samples: Samples, rate: int) -> Samples:
        """Let samples (n,) sound through it, (n,)."""
        from scipy import fft

        size = fft.next_fast_len(len(samples) + _RINGS, real=True)
        spectrum = fft.rfft(samples, size)
        spectrum *= self(np.fft.rfftfreq(size, 1 / rate)).astype(np.float32)
        filtered: Samples = fft.irfft(spectrum, size)[: len(samples)]
        return filtered


class Voice:
    """Whatever has harmonics: strings, winds, brass, organs, pianos, synthesisers.

    A note is read from two tables of one period, a bright and a dark one, between which its force and its age
    decide; several players are never quite in tune, nor is their vibrato in step.

    Args:
        rate: sample rate in Hz.
        rng: draws the instrument, and then what differs from note to note.
        held: sounds as long as the note lasts, rather than dying away.
        players: at most; an orchestra's strings are many.
    """

    def __init__(self, rate: int, rng: Generator, *, held: bool, players: int = 3) -> None:
        self._rate, self._rng = rate, rng
        self._slope = (
            rng.uniform(0.4, 1.6),
            rng.uniform(0.3, 2.0),
        )  # of the bright table, and more of the dark
        self._even = float(rng.choice([1.0, 1.0, 1.0, 0.5, 0.1]))  # 0.1 as in a clarinet
        self._body = Body(rng.uniform(2, 9), rng)
        self._phases = rng.uniform(0, 2 * np.pi, _MOST_HARMONICS)
        self._attack = rng.uniform(0.005, 0.15) if held else rng.uniform(0.001, 0.01)
        self._decay = rng.uniform(0, 0.7) if held else float(np.exp(rng.uniform(-0.5, 2.2)))
        self._darken = rng.uniform(0, 1) if held else rng.uniform(1, 8)  # per second
        self._release = rng.uniform(0.02, 0.25)
        self._vibrato = float(rng.choice([0, 0.002, 0.005, 0.009])) if held else 0.0
        self._tremolo = float(rng.choice([0, 0, 0.2, 0.5]))
        self._wave = rng.uniform(4, 7.5)  # Hz, of both
        self._noise = float(rng.choice([0, 0, 0.01, 0.04]))  # breath, bow or hammer
        self._players = int(rng.integers(1, players + 1))
        self._tuning = rng.uniform(0.0005, 0.006)

    def __call__(self, pitch: float, seconds: float, force: float) -> Samples:
        """Play a note."""
        time = np.arange(int((min(seconds, _LONGEST) + self._release) * self._rate)) / self._rate
        bright, dark = self._tables(pitch)
        brightness = np.exp(-self._darken * time) * (0.3 + 0.7 * force)
        if self._vibrato:
            brightness *= 1 - np.exp(-time / (2 * self._attack))
        whole = np.zeros(len(time))
        for _ in range(self._players):
            wave = 2 * np.pi * self._wave * self._rng.uniform(0.9, 1.1) * time + self._rng.uniform(0, 6.3)
            tuned = pitch * (1 + self._rng.normal(0, self._tuning)) / self._rate * _TABLE
            steps = tuned * (1 + self._vibrato * np.minimum(time / 0.3, 1) * np.sin(wave))
            place = (np.cumsum(steps) + self._rng.uniform(0, _TABLE)).astype(np.int64) % _TABLE
            whole += (brightness * bright[place] + (1 - brightness) * dark[place]) * (
                1 + self._tremolo * np.sin(wave)
            )
        if self._noise:
            whole += self._noise * self._players * self._rng.standard_normal(len(time))
        envelope = np.minimum(time / self._attack, 1) * np.exp(-self._decay * time)
        envelope *= np.clip((time[-1] - time) / self._release, 0, 1)
        played: Samples = (whole * envelope * force / np.sqrt(self._players)).astype(np.float32)
        return played

    def _tables(self, pitch: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """One period of the wave, bright and dark, each of unit power."""
        count = int(np.clip(_HIGHEST * self._rate / pitch, 1, _MOST_HARMONICS))
        numbers = np.arange(1, count + 1)
        strengths = numbers ** -self._slope[0] * self._body(pitch * numbers)
        strengths[1::2] *= self._even
        tables = []
        for slope in (0.0, self._slope[1]):
            spectrum = np.zeros(_TABLE // 2 + 1, complex)
            spectrum[1 : count + 1] = strengths * numbers**-slope * np.exp(1j * self._phases[:count])
            table = np.fft.irfft(spectrum)
            tables.append(table / np.sqrt(np.mean(table**2)))
        return tables[0], tables[1]


class Plucked:
    """A string that is plucked: a burst of noise goes round in a line that dulls it (Karplus and Strong)."""

    def __init__(self, rate: int, rng: Generator) -> None:
        self._rate, self._rng = rate, rng
        self._bright = rng.uniform(0.1, 0.9)  # of the plectrum
        self._sharp = rng.uniform(0.5, 0.95)  # of what comes round
        self._ring = float(np.exp(rng.uniform(-1.5, 1.3)))  # seconds until it has lost 60 dB at 440 Hz, about
        self._at = rng.uniform(0.08, 0.5)  # where along the string
        self._body = Body(rng.uniform(1, 5), rng)

    def __call__(self, pitch: float, seconds: float, force: float) -> Samples:
        """Play a note."""
        from scipy.signal import lfilter

        count = int(min(seconds + 0.3, _LONGEST) * self._rate)
        period = self._rate / pitch - (1 - self._sharp)  # the dulling filter delays as well
        whole, part = int(period), period - int(period)
        burst = np.zeros(count)
        first = min(count, whole + 1)
        burst[:first] = self._rng.standard_normal(first)
        dull = (1 - self._bright) * (1.2 - 0.5 * force)
        burst = lfilter([1 - dull], [1, -dull], burst)
        nearer = int(self._at * period)
        burst[nearer:] -= burst[: count - nearer].copy()
        loss = 10 ** (-3 / (self._ring * np.sqrt(pitch * 440)))
        around = np.convolve([1 - part, part], [self._sharp, 1 - self._sharp]) * loss
        sound = lfilter([1.0], np.concatenate([[1.0], np.zeros(whole - 1), -around]), burst)
        sound *= np.clip((count - np.arange(count)) / (0.05 * self._rate), 0, 1)
        level = np.abs(sound).max() + 1e-9
        return self._body.filter((2 * force * sound / level).astype(np.float32), self._rate)


class Bell:
    """One sine that shakes another (Chowning): bells, electric pianos, vibraphones, brassy synthesisers.

    Attributes:
        ratio: of the frequency of what shakes to the pitch.
    """

    def __init__(self, rate: int, rng: Generator) -> None:
        self._rate = rate
        self.ratio = float(rng.choice([1, 1, 2, 3, 4, 7, 14, 1.41, 3.5, rng.uniform(0.5, 8)]))
        self._index, self._fade = rng.uniform(0.3, 6), float(np.exp(rng.uniform(-1, 3)))
        self._decay = float(np.exp(rng.uniform(-1, 2)))
        self._tremolo, self._wave = float(rng.choice([0, 0, 0.3])), rng.uniform(3, 8)
        self._attack = float(rng.choice([0.002, 0.01, 0.05]))

    def __call__(self, pitch: float, seconds: float, force: float) -> Samples:
        """Play a note."""
        time = np.arange(int(min(seconds + 0.4, _LONGEST) * self._rate)) / self._rate
        most = max(0.0, _HIGHEST * self._rate / pitch - 1) / max(1.0, self.ratio)  # or it would alias
        index = min(self._index, most) * force * np.exp(-self._fade * time)
        shaken = index * np.sin(2 * np.pi * pitch * self.ratio * time)
        envelope = np.minimum(time / self._attack, 1) * np.exp(-self._decay * time)
        envelope *= np.clip((time[-1] - time) / 0.1, 0, 1) * (
            1 + self._tremolo * np.sin(2 * np.pi * self._wave * time)
        )
        played: Samples = (1.4 * force * envelope * np.sin(2 * np.pi * pitch * time + shaken)).astype(
            np.float32
        )
        return played


class Kit:
    """Drums: falling tones, bursts of noise in a band, or both.

    Attributes:
        strokes: low, middle and high drum, hat and cymbal, in this order.
    """

    def __init__(self, rate: int, rng: Generator) -> None:
        self._rate, self._rng = rate, rng
        bands = [(20, 400), (150, 4000), (300, 6000), (4000, 7900), (2500, 7900)]
        lengths = [(0.1, 0.5), (0.08, 0.3), (0.05, 0.3), (0.02, 0.12), (0.3, 1.5)]
        tones = [(40, 80), (120, 250), (180, 400), None, None]
        parts = zip(bands, lengths, tones, strict=True)
        self.strokes = [self._stroke(band, length, tone) for band, length, tone in parts]

    def _stroke(
        self, band: tuple[float, float], length: tuple[float, float], tone: tuple[float, float] | None
    ) -> Samples:
        rng = self._rng
        seconds = rng.uniform(*length)
        time = np.arange(int(seconds * self._rate)) / self._rate
        spectrum = np.fft.rfft(rng.standard_normal(len(time)))
        frequencies = np.fft.rfftfreq(len(time), 1 / self._rate)
        low, high = band[0] * rng.uniform(0.8, 1.3), band[1] * rng.uniform(0.6, 1.0)
        spectrum *= (frequencies > low) & (frequencies < high)
        noise = np.fft.irfft(spectrum, len(time))
        sound = (
            noise / (noise.std() + 1e-9) * rng.uniform(0.1, 0.8) * np.exp(-rng.uniform(4, 9) * time / seconds)
        )
        if tone is not None:
            falling = rng.uniform(*tone) * time + rng.uniform(0.3, 3) * (1 - np.exp(-time * 40))
            sound += rng.uniform(0.3, 1.5) * np.sin(2 * np.pi * falling) * np.exp(-5 * time / seconds)
        stroke: Samples = (sound * np.clip((time[-1] - time) / 0.01, 0, 1)).astype(np.float32)
        return stroke


def reverberated(samples: Samples, rate: int, rng: Generator) -> Samples:
    """Let samples (n,) sound in a hall, (n,): noise that dies away stands for its echoes."""
    from scipy.signal import oaconvolve

    seconds = rng.uniform(0.3, 2.2)
    time = np.arange(int(seconds * rate)) / rate
    tail = rng.standard_normal(len(time)) * np.exp(-6.9 * time / seconds)
    tail = np.convolve(tail, [1, rng.uniform(-0.2, 0.9)])[: len(time)]  # air takes the highs
    tail *= rng.uniform(0.1, 0.8) / np.sqrt(np.sum(tail**2))
    wet: Samples = samples + oaconvolve(samples, tail)[: len(samples)].astype(np.float32)
    return wet


def hum(count: int, rate: int, rng: Generator) -> Samples:
    """A machine that runs, (count,): harmonics of a low tone that wavers, and the noise that goes with it."""
    time = np.arange(count) / rate
    pitch = rng.choice([50.0, 60.0, 100.0, 120.0, rng.uniform(25, 130)])
    wavering = rng.uniform(0, 0.01) * np.sin(2 * np.pi * rng.uniform(0.1, 3) * time)
    phase = 2 * np.pi * pitch * np.cumsum(1 + wavering) / rate
    numbers = np.arange(1, int(rng.integers(5, 60)))
    strengths = numbers ** -rng.uniform(0.3, 2) * Body(9, rng)(pitch * numbers)
    sound = np.zeros(count)
    for number, strength in zip(numbers.tolist(), strengths.tolist(), strict=True):
        if number * pitch < _HIGHEST * rate:
            sound += strength * np.sin(number * phase + number * number)
    noise = rng.standard_normal(count) * rng.uniform(0.1, 1.5) * sound.std()
    rumbling: Samples = (sound + np.convolve(noise, [1, 0.9], "same")).astype(np.float32)
    return rumbling
