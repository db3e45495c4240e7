"""Music made up on the spot: chords, melody, bass and drums in the timbres that a few numbers can make.

No piece is fit for a concert; together they cover more keys, tempi, densities and timbres than the few tracks
whose licence lets networks learn from them.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["tune"]

Samples = NDArray[np.float32]

_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 3, 5, 6, 7, 10))
_PROGRESSIONS = ((0, 4, 5, 3), (0, 3, 4, 4), (0, 5, 3, 4), (0, 0, 3, 4), (0, 2, 5, 1), (0, 0, 0, 0))
_BEATS = 4  # in a bar


def tune(seconds: float, rate: int, rng: Generator) -> Samples:
    """Make a tune of this length at `rate` Hz, float32 (n,) with a peak of one."""
    piece = _Piece(seconds, rate, rng)
    parts = [piece.chords, piece.melody, piece.bass, piece.drums]
    heard = [part for part in parts if rng.random() < 0.7] or [piece.chords]
    whole = np.zeros(piece.length, np.float32)
    for part in heard:
        whole += part() * np.float32(rng.uniform(0.3, 1.0))
    return whole / np.float32(max(1e-6, np.abs(whole).max()))


class _Piece:
    """Key, tempo and chords of a tune, and its parts."""

    def __init__(self, seconds: float, rate: int, rng: Generator) -> None:
        self._rate, self._rng = rate, rng
        self.length = round(seconds * rate)
        self._beat = 60 / rng.uniform(55, 170)
        self._scale = _SCALES[rng.integers(len(_SCALES))]
        self._root = 48 + int(rng.integers(12))
        self._bars = _PROGRESSIONS[rng.integers(len(_PROGRESSIONS))]
        self._count = int(seconds / self._beat) + 1

    def chords(self) -> Samples:
        """Three or four notes together, held or struck again and again, or one after the other."""
        timbre, octave = _Timbre(self._rng, self._rate), int(self._rng.integers(0, 2))
        each = float(self._rng.choice([4, 2, 1, 0.5]))
        broken = self._rng.random() < 0.4
        size = int(self._rng.integers(3, 5))
        sound = self._silence()
        for number in range(int(self._count / each)):
            when = number * each
            degrees = [self._chord_at(when) + 2 * i for i in range(size)]
            chosen = [degrees[number % size]] if broken else degrees
            for degree in chosen:
                self._put(sound, when, timbre(self._pitch(degree, octave), each * self._beat * 1.1))
        return sound

    def melody(self) -> Samples:
        """A walk over the scale, with rests."""
        timbre, octave = _Timbre(self._rng, self._rate), int(self._rng.integers(1, 3))
        rest, when, degree = self._rng.uniform(0, 0.35), 0.0, 0
        sound = self._silence()
        while when < self._count:
            each = float(self._rng.choice([0.25, 0.5, 0.5, 1, 1.5, 2]))
            degree = int(np.clip(degree + self._rng.integers(-3, 4), -4, 9))
            if self._rng.random() > rest:
                self._put(sound, when, timbre(self._pitch(degree, octave), each * self._beat))
            when += each
        return sound

    def bass(self) -> Samples:
        """The root of the chord, low."""
        timbre, each = _Timbre(self._rng, self._rate), float(self._rng.choice([2, 1, 0.5]))
        sound = self._silence()
        for number in range(int(self._count / each)):
            when = number * each
            self._put(sound, when, timbre(self._pitch(self._chord_at(when), -1), each * self._beat))
        return sound

    def drums(self) -> Samples:
        """A bar of strokes, repeated."""
        strokes = [self._stroke() for _ in range(3)]
        pattern = self._rng.random((len(strokes), 2 * _BEATS)) < [[0.3], [0.3], [0.6]]
        sound = self._silence()
        for number in range(2 * self._count):
            for stroke, played in zip(strokes, pattern[:, number % (2 * _BEATS)], strict=True):
                if played:
                    self._put(sound, number / 2, stroke)
        return sound

    def _stroke(self) -> Samples:
        """A falling tone, a burst of noise, or both."""
        time = np.arange(int(self._rng.uniform(0.05, 0.4) * self._rate)) / self._rate
        decay = np.exp(-time * self._rng.uniform(10, 60))
        falling = self._rng.uniform(40, 90) * time + self._rng.uniform(1, 6) * (1 - np.exp(-time * 30))
        tone = np.sin(2 * np.pi * falling) * self._rng.uniform(0, 1)
        noise = self._rng.standard_normal(len(time)) * self._rng.uniform(0, 0.6)
        if self._rng.random() < 0.5:
            noise = np.diff(noise, prepend=0.0)  # brighter
        return ((tone + noise) * decay).astype(np.float32)

    def _silence(self) -> Samples:
        return np.zeros(self.length, np.float32)

    def _chord_at(self, beat: float) -> int:
        return self._bars[int(beat / _BEATS) % len(self._bars)]

    def _pitch(self, degree: int, octave: int) -> float:
        octaves, step = divmod(degree, len(self._scale))
        return float(440 * 2 ** ((self._root + self._scale[step] + 12 * (octaves + octave) - 69) / 12))

    def _put(self, sound: Samples, beat: float, note: Samples) -> None:
        start = int(beat * self._beat * self._rate)
        note = note[: max(0, self.length - start)]
        sound[start : start + len(note)] += note


class _Timbre:
    """An instrument: strengths of its harmonics, how a note begins and ends, vibrato, breath."""

    def __init__(self, rng: Generator, rate: int) -> None:
        self._rng, self._rate = rng, rate
        count = int(rng.integers(2, 14))
        strengths = np.arange(1, count + 1) ** -rng.uniform(0.3, 2.5) * rng.uniform(0.2, 1, count)
        if rng.random() < 0.3:
            strengths[1::2] *= 0.1  # as in a clarinet
        self._strengths = strengths / strengths.sum()
        self._attack, self._decay = (
            rng.uniform(0.002, 0.12),
            rng.choice([0.5, 2.0, 6.0]) * rng.uniform(0.5, 2),
        )
        self._vibrato, self._wave = rng.choice([0.0, 0.0, 0.004]), rng.uniform(4, 7)
        self._breath, self._spread = rng.choice([0.0, 0.0, 0.02]), rng.choice([0.0, 0.0, 0.003])
        self._players = rng.normal(1, 0.004, 3) if rng.random() < 0.35 else np.ones(1)

    def __call__(self, pitch: float, seconds: float) -> Samples:
        """Play a note of `pitch` Hz, float32 (n,); several players are never quite in tune."""
        together: Samples = np.sum([self._note(pitch * player, seconds) for player in self._players], axis=0)
        return together

    def _note(self, pitch: float, seconds: float) -> Samples:
        time = np.arange(int(seconds * self._rate)) / self._rate
        phase = 2 * np.pi * pitch * time
        if self._vibrato:
            phase += self._vibrato * pitch / self._wave * np.sin(2 * np.pi * self._wave * time)
        sound = np.zeros(len(time))
        for number, strength in enumerate(self._strengths, 1):
            if number * pitch < 0.45 * self._rate:
                stretched = number * (1 + self._spread * number)  # strings are a little sharp up there
                sound += strength * np.sin(stretched * phase + number)
        if self._breath:
            sound += self._breath * self._rng.standard_normal(len(time))
        envelope = np.minimum(time / self._attack, 1) * np.exp(-self._decay * time)
        envelope *= np.minimum((seconds - time) / 0.02, 1)
        played: Samples = (sound * envelope).astype(np.float32)
        return played
