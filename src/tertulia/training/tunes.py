"""Music made up on the spot: chords, melody, bass and drums, for one instrument or a whole band.

No piece is fit for a concert; together they cover more keys, tempi, textures and timbres than the few tracks
whose licence lets networks learn from them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tertulia.training.instruments import Bell, Body, Instrument, Kit, Plucked, Voice, reverberated

__all__ = ["tune"]

Samples = NDArray[np.float32]
T = TypeVar("T")

_SCALES = (
    (0, 2, 4, 5, 7, 9, 11),  # major
    (0, 2, 3, 5, 7, 8, 10),  # minor
    (0, 2, 3, 5, 7, 8, 11),  # harmonic minor
    (0, 2, 3, 5, 7, 9, 10),  # dorian
    (0, 2, 4, 5, 7, 9, 10),  # mixolydian
    (0, 2, 4, 7, 9),  # pentatonic
    (0, 3, 5, 6, 7, 10),  # blues
)
_PROGRESSIONS = (
    (0, 4, 5, 3),
    (0, 3, 4, 4),
    (0, 5, 3, 4),
    (0, 0, 3, 4),
    (0, 2, 5, 1),
    (0, 0, 0, 0),
    (0, 0, 4, 0),
)
_STYLES = ("solo", "keyboard", "chamber", "orchestra", "band", "electronic", "drone", "percussion")
_SHARES = (0.15, 0.15, 0.15, 0.2, 0.2, 0.08, 0.04, 0.03)


def tune(seconds: float, rate: int, rng: Generator) -> Samples:
    """Make a tune of this length at `rate` Hz, float32 (n,) with a peak of one."""
    style = str(rng.choice(_STYLES, p=_SHARES))
    whole = _STYLE_OF[style](_Piece(seconds, rate, rng))
    if rng.random() < 0.7:
        whole = reverberated(whole, rate, rng)
    if rng.random() < 0.5:
        whole = Body(rng.uniform(1, 5), rng).filter(whole, rate)
    whole /= np.float32(max(1e-6, np.abs(whole).max()))
    if rng.random() < 0.3:  # overdriven, as much music that is broadcast is
        whole = np.tanh(np.float32(rng.uniform(1, 6)) * whole)
        whole /= np.float32(np.abs(whole).max())
    return whole


def _instrument(rate: int, rng: Generator) -> Instrument:
    """Any of them."""
    kind = rng.integers(5)
    if kind == 0:
        return Plucked(rate, rng)
    if kind == 1:
        return Bell(rate, rng)
    return Voice(rate, rng, held=bool(kind < 4))


class _Piece:
    """Key, tempo, chords and loudness of a tune, and its parts."""

    def __init__(self, seconds: float, rate: int, rng: Generator) -> None:
        self.rate, self.rng = rate, rng
        self.length = round(seconds * rate)
        self._scale = self._one(_SCALES)
        self._root = 48 + int(rng.integers(12))
        self._bars = self._one(_PROGRESSIONS)
        self._metre = int(self._one((2, 3, 4, 4)))
        beat = 60 / float(np.exp(rng.uniform(np.log(50), np.log(190))))
        self._count = int(seconds / beat * 1.2) + 2
        pace = 1 + np.cumsum(rng.normal(0, rng.choice([0.0, 0.01, 0.05]), self._count))  # rubato
        self._times = np.concatenate([[0.0], np.cumsum(beat / np.clip(pace, 0.7, 1.4))])
        self._swing = float(self._one((0.0, 0.0, 0.1, 0.17)))
        self._loose = float(self._one((0.0, 0.005, 0.015)))  # seconds
        swell = np.cumsum(rng.normal(0, rng.choice([0.02, 0.1, 0.3]), self._count + 1))
        self._force = np.clip(0.65 + swell - swell.mean(), 0.2, 1.0)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────

    def chords(self, instrument: Instrument, octave: int = 0) -> Samples:
        """Two to four notes together, held or struck again, off the beat, or one after the other."""
        each, late = self._one(((4, 0), (2, 0), (1, 0), (0.5, 0), (1, 0.5), (0.25, 0)))
        broken, size = self.rng.random() < 0.4, int(self.rng.integers(2, 5))
        share = float(self._one((0.3, 0.7, 1.0, 1.1)))  # of its time that a note sounds
        order = self.rng.permutation(size)
        sound = self._silence()
        for number in range(int(self._count / each)):
            when = number * each + late
            degrees = [self._chord_at(when) + 2 * i for i in range(size)]
            for degree in [degrees[order[number % size]]] if broken else degrees:
                self._put(sound, instrument, when, each * share, self._pitch(degree, octave))
        return sound

    def melody(self, instrument: Instrument, octave: int = 1, doubled: int | None = None) -> Samples:
        """A phrase, repeated higher or lower, with rests; `doubled` so many steps of the scale lower."""
        lengths = self._one(((0.5, 0.5, 1), (0.25, 0.25, 0.5), (1, 2, 0.5), (1.5, 0.5, 1), (0.25,), (0.5,)))
        share, rest = self.rng.uniform(0.3, 1.1), self.rng.uniform(0, 0.25)
        wide = int(self.rng.integers(2, 6))
        sound, when = self._silence(), 0.0
        while when < self._count:
            phrase = [(self._one(lengths), int(self.rng.integers(1 - wide, wide))) for _ in range(8)]
            for start in self.rng.integers(-3, 6, int(self.rng.integers(1, 4))).tolist():
                degree = start
                for each, step in phrase:
                    degree = int(np.clip(degree + step, -5, 10))
                    if self.rng.random() > rest:
                        for below in (0,) if doubled is None else (0, doubled):
                            self._put(
                                sound, instrument, when, each * share, self._pitch(degree - below, octave)
                            )
                    when += each
        return sound

    def bass(self, instrument: Instrument, octave: int = -1) -> Samples:
        """The root of the chord, its fifth, or a walk between."""
        each, steps = self._one((2, 1, 1, 0.5)), self._one(((0,), (0, 4), (0, 2, 4, 5), (0, 7)))
        sound = self._silence()
        for number in range(int(self._count / each)):
            when = number * each
            degree = self._chord_at(when) + steps[number % len(steps)]
            self._put(sound, instrument, when, each * 0.9, self._pitch(degree, octave))
        return sound

    def drums(self) -> Samples:
        """A bar of strokes, repeated with changes."""
        kit, grid = Kit(self.rate, self.rng), int(self._one((2, 4)))  # strokes in a beat
        size = self._metre * grid
        likely = np.tile(self.rng.uniform(0.05, 0.35, (5, 1)), (1, size))
        likely[0, ::size] = likely[1, size // 2] = 0.9
        likely[3, :: int(self._one((1, 2)))] = 0.9
        likely[4] = 0.03
        pattern, gains = self.rng.random((5, size)) < likely, self.rng.uniform(0.1, 1, 5)
        sound = self._silence()
        for number in range(self._count * grid):
            played = pattern[:, number % size] ^ (self.rng.random(5) < 0.03)
            for index in np.flatnonzero(played).tolist():
                force = np.float32(gains[index] * self._loud(number / grid))
                self._add(sound, self._second(number / grid), kit.strokes[index] * force)
        return sound

    # ── helpers ──────────────────────────────────────────────────────────────────────────────────────

    def _one(self, choices: tuple[T, ...]) -> T:
        return choices[int(self.rng.integers(len(choices)))]

    def _silence(self) -> Samples:
        return np.zeros(self.length, np.float32)

    def _chord_at(self, beat: float) -> int:
        return int(self._bars[int(beat / self._metre) % len(self._bars)])

    def _pitch(self, degree: int, octave: int) -> float:
        octaves, step = divmod(degree, len(self._scale))
        return float(440 * 2 ** ((self._root + self._scale[step] + 12 * (octaves + octave) - 69) / 12))

    def _second(self, beat: float) -> float:
        """When a beat falls, with swing and a little carelessness."""
        if beat % 1 == 0.5:
            beat += self._swing
        place = float(np.interp(beat, np.arange(len(self._times)), self._times))
        return max(0.0, place + float(self.rng.normal(0, self._loose)) if self._loose else place)

    def _loud(self, beat: float) -> float:
        accent = 1.0 if beat % self._metre == 0 else 0.8
        return float(self._force[min(int(beat), self._count)] * accent * self.rng.uniform(0.8, 1))

    def _put(self, sound: Samples, instrument: Instrument, beat: float, beats: float, pitch: float) -> None:
        start = self._second(beat)
        if start * self.rate < self.length and 30 < pitch < 0.4 * self.rate:
            seconds = max(0.05, self._second(beat + beats) - start)
            self._add(sound, start, instrument(pitch, seconds, self._loud(beat)))

    def _add(self, sound: Samples, second: float, note: Samples) -> None:
        start = int(second * self.rate)
        note = note[: max(0, self.length - start)]
        sound[start : start + len(note)] += note


# ── styles ───────────────────────────────────────────────────────────────────────────────────────────


def _gain(piece: _Piece) -> np.float32:
    return np.float32(piece.rng.uniform(0.3, 1.0))


def _solo(piece: _Piece) -> Samples:
    """One instrument, one note at a time, or two."""
    doubled = int(piece.rng.integers(2, 8)) if piece.rng.random() < 0.3 else None
    return piece.melody(_instrument(piece.rate, piece.rng), int(piece.rng.integers(0, 3)), doubled)


def _keyboard(piece: _Piece) -> Samples:
    """One instrument for both hands: a piano, a guitar, an organ, a celesta."""
    instrument = _instrument(piece.rate, piece.rng)
    left = piece.bass(instrument) if piece.rng.random() < 0.5 else piece.chords(instrument, -1)
    return left * _gain(piece) + piece.melody(instrument, int(piece.rng.integers(1, 3)))


def _chamber(piece: _Piece) -> Samples:
    """Two to four different instruments without drums."""
    parts = [piece.melody, piece.chords, piece.bass, piece.melody][: int(piece.rng.integers(2, 5))]
    return _sum(piece, [part(_instrument(piece.rate, piece.rng)) * _gain(piece) for part in parts])


def _orchestra(piece: _Piece) -> Samples:
    """Many players of a few held voices: melody in octaves or thirds, chords, bass, sometimes a drum."""
    rate, rng = piece.rate, piece.rng
    strings = Voice(rate, rng, held=True, players=8)
    winds = Voice(rate, rng, held=True, players=8) if rng.random() < 0.5 else strings
    doubled = int(rng.choice([2, 5, 7]))
    parts = [
        piece.melody(winds, int(rng.integers(0, 3)), doubled),
        piece.chords(strings),
        piece.bass(strings),
    ]
    if rng.random() < 0.15:
        parts.append(piece.drums())
    return _sum(piece, [part * _gain(piece) for part in parts])


def _band(piece: _Piece) -> Samples:
    """Drums with bass, chords and melody, not always all of them."""
    others = [part for part in (piece.bass, piece.chords, piece.melody) if piece.rng.random() < 0.7]
    played = [part(_instrument(piece.rate, piece.rng)) * _gain(piece) for part in others or [piece.chords]]
    return _sum(piece, [piece.drums() * _gain(piece), *played])


def _electronic(piece: _Piece) -> Samples:
    """Bright waves in a quick pattern, over a pad or drums."""
    rate, rng = piece.rate, piece.rng
    parts = [piece.chords(Voice(rate, rng, held=rng.random() < 0.5, players=3), int(rng.integers(0, 3)))]
    parts += [piece.bass(Voice(rate, rng, held=True))] if rng.random() < 0.7 else []
    parts += [piece.drums()] if rng.random() < 0.7 else []
    return _sum(piece, [part * _gain(piece) for part in parts])


def _drone(piece: _Piece) -> Samples:
    """Slow chords of many voices."""
    return piece.chords(Voice(piece.rate, piece.rng, held=True, players=8), int(piece.rng.integers(-1, 2)))


def _percussion(piece: _Piece) -> Samples:
    """Drums alone."""
    return piece.drums()


def _sum(piece: _Piece, parts: list[Samples]) -> Samples:
    whole = np.zeros(piece.length, np.float32)
    for part in parts:
        whole += part
    return whole


_STYLE_OF: dict[str, Callable[[_Piece], Samples]] = {
    "solo": _solo,
    "keyboard": _keyboard,
    "chamber": _chamber,
    "orchestra": _orchestra,
    "band": _band,
    "electronic": _electronic,
    "drone": _drone,
    "percussion": _percussion,
}
