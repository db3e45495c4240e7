"""Strips of scenes: speech, music, noise and silence after one another, with the class of every frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tertulia.segmentation.scenes import CLASSES
from tertulia.simulation.sounds import ColouredNoise, decibels, rms, speech_of
from tertulia.training.augment import Augmenter, at_speed, fitted
from tertulia.training.instruments import Body, hum
from tertulia.training.pack import Pack
from tertulia.training.tunes import tune

__all__ = ["Levels", "Material", "Scenery", "Tunes", "audible"]

Samples = NDArray[np.float32]
Labels = NDArray[np.int64]

_RATE = 16_000
_FRAME = 160  # samples
_FADE = 160  # samples at both ends of every sound
_SAFE = 0.05  # root mean square at which speech is augmented: its peaks stay below full scale
_SPEEDS = (0.65, 1.5)
_TILT = 0.9  # of a first-order filter, at most: what recording and rooms do to the colour of a sound
_SHARES = {"silence": 0.15, "speech": 0.3, "music": 0.2, "noise": 0.15, "speech over music": 0.2}
_LENGTHS = (0.4, 6.0)  # seconds of a scene
_MADE_UP = 0.7  # share of music that is a tune
_LAYERED = 0.15  # share of music and noise that is two at once
_NOISE_SPEEDS = (0.75, 1.35)
_RECORDED = 0.4  # share of examples that a microphone or a codec changes
_AUDIBLE = 6.0  # dB over the background from which a sound is heard
_AROUND = 25  # frames before and after over which its level is taken


@dataclass(frozen=True)
class Levels:
    """Levels in dB: of speech and of the background in the file, of the rest relative to the speech.

    Background is what silence sounds like: never as loud as noise that counts as such, and always
    `clear` dB below the speech.
    """

    speech: tuple[float, float] = (-42.0, -16.0)
    music: tuple[float, float] = (-12.0, 4.0)
    music_under: tuple[float, float] = (-14.0, 0.0)
    noise: tuple[float, float] = (-10.0, 4.0)
    noise_under: tuple[float, float] = (-30.0, -6.0)
    background: tuple[float, float] = (-90.0, -58.0)
    clear: float = 20.0


class Tunes:
    """Made-up music, made when the first of it is wanted.

    Args:
        count: of pieces.
        seconds: of each.
        seed: of them.
    """

    def __init__(self, count: int, seconds: float, seed: int) -> None:
        self._count, self._seconds, self._seed = count, seconds, seed

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Samples:
        return self._pieces[number].astype(np.float32)

    @cached_property
    def _pieces(self) -> list[NDArray[np.int16]]:
        rng, scale = np.random.default_rng([self._seed, 2]), (1 << 15) - 1
        return [(tune(self._seconds, _RATE, rng) * scale).astype(np.int16) for _ in range(self._count)]


class Material:
    """Sound of each kind, of unit power, without end.

    Args:
        speech, music, noise: decoded files.
        tunes: made-up music, if any.
        varied: beside recordings there are tunes, hums and layers, in other colours: for training.
    """

    def __init__(self, speech: Pack, music: Pack, noise: Pack, tunes: Tunes, varied: bool) -> None:
        self._speech, self._tracks, self._noise = speech, music, noise
        self._tunes, self._varied = tunes, varied

    def speech(self, count: int, rng: Generator) -> Samples:
        """Utterances after one another without pause, (count,)."""
        parts, missing = [np.zeros(0, np.float32)], count
        while missing > 0:
            part = _level(speech_of(self._speech.read(int(rng.integers(len(self._speech)))), _RATE))
            parts.append(part)
            missing -= len(part)
        return np.concatenate(parts)[:count]

    def music(self, count: int, rng: Generator) -> Samples:
        """A stretch of a track or a tune at some speed, or of both at once, (count,)."""
        music = self._piece(count, rng)
        if self._varied and rng.random() < _LAYERED:
            music = music + _level(self._piece(count, rng)) * _gain((-12.0, 0.0), rng)
        return _level(self._coloured(music, rng))

    def _piece(self, count: int, rng: Generator) -> Samples:
        wanted = int(count * _SPEEDS[1]) + 1
        if self._varied and len(self._tunes) and rng.random() < _MADE_UP:
            whole = fitted(self._tunes[int(rng.integers(len(self._tunes)))], wanted, rng)
        else:
            lengths = np.diff(self._tracks.bounds, axis=1)[:, 0]
            piece = int(rng.choice(len(lengths), p=lengths / lengths.sum()))
            start = int(rng.integers(max(1, self._tracks.length(piece) - wanted)))
            whole = self._tracks.read(piece, start, wanted)
        return _level(fitted(at_speed(whole, rng.uniform(*_SPEEDS), _RATE), count, rng))

    def noise(self, count: int, rng: Generator) -> Samples:
        """A clip without its silence, or coloured noise, or a hum, or two of them at once, (count,)."""
        noise = self._sound(count, rng)
        if self._varied and rng.random() < _LAYERED:
            noise = noise + self._sound(count, rng) * _gain((-15.0, 0.0), rng)
        return _level(self._coloured(noise, rng))

    def _sound(self, count: int, rng: Generator) -> Samples:
        kind = rng.random()
        if kind < 0.1:
            return _level(ColouredNoise(rng.uniform(0, 2), _RATE, rng).take(count))
        if kind < 0.15 and self._varied:
            return _level(hum(count, _RATE, rng))
        clip = speech_of(self._noise.read(int(rng.integers(len(self._noise)))), _RATE)
        if self._varied:
            clip = at_speed(clip, rng.uniform(*_NOISE_SPEEDS), _RATE)
        return _level(fitted(clip, count, rng))

    def recorded(self, samples: Samples, rng: Generator) -> Samples:
        """Colour a whole example, in training, as microphones do, and cut its highs, as codecs do."""
        if not self._varied or rng.random() > _RECORDED:
            return samples
        highest = rng.uniform(3000, 8000) if rng.random() < 0.5 else np.inf
        return Body(rng.uniform(0.5, 3), rng, highest).filter(samples, _RATE)

    def _coloured(self, samples: Samples, rng: Generator) -> Samples:
        """Make a sound darker or brighter, and in training change bands of it."""
        if self._varied and rng.random() < 0.5:
            samples = Body(rng.uniform(1, 6), rng).filter(samples, _RATE)
        return _tilted(samples, rng)


class Scenery:
    """Draws examples.

    Args:
        material: what they are made of.
        levels: how loud that is.
        augment: what is done to all speech of an example.
        frames: how many frames of 10 ms an example has.
    """

    def __init__(self, material: Material, levels: Levels, augment: Augmenter, frames: int) -> None:
        self._material, self._levels, self._augment, self._frames = material, levels, augment, frames

    def __call__(self, rng: Generator) -> tuple[Samples, Labels]:
        """Make an example: samples (160 · frames,) and the class of every frame (frames,)."""
        levels = self._levels
        speech, rest, labels = self._strip(rng)
        heard = rms(speech[np.repeat(speech.reshape(-1, _FRAME).any(axis=1), _FRAME)]) or 1.0
        scale = np.float32(_SAFE / heard)
        mixed = self._augment(speech * scale, rng) / np.float32(_SAFE) + rest
        level = rng.uniform(*levels.speech)
        floor = min(rng.uniform(*levels.background), level - levels.clear)
        labels = audible(labels, rest, floor - level)
        mixed = self._material.recorded(mixed, rng) * np.float32(decibels(level))
        mixed += ColouredNoise(rng.uniform(0, 2), _RATE, rng).take(len(mixed)) * np.float32(decibels(floor))
        return np.clip(mixed, -1, 1), labels

    def _strip(self, rng: Generator) -> tuple[Samples, Samples, Labels]:
        """Scenes one after the other: speech of unit power, all the rest, and the class of every frame."""
        levels, material, count = self._levels, self._material, self._frames * _FRAME
        speech, rest = np.zeros(count, np.float32), np.zeros(count, np.float32)
        labels = np.empty(self._frames, np.int64)
        first = 0
        while first < self._frames:
            scene = str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
            frames = min(round(rng.uniform(*_LENGTHS) * 100), self._frames - first)
            here, n = slice(first * _FRAME, (first + frames) * _FRAME), frames * _FRAME
            if "speech" in scene:
                speech[here] = _faded(material.speech(n, rng))
            if scene == "speech" and rng.random() < 0.3:
                rest[here] += _faded(material.noise(n, rng)) * _gain(levels.noise_under, rng)
            if "music" in scene:
                under = levels.music_under if "speech" in scene else levels.music
                rest[here] += _faded(material.music(n, rng)) * _gain(under, rng)
            if scene == "noise":
                rest[here] += _faded(material.noise(n, rng)) * _gain(levels.noise, rng)
            labels[first : first + frames] = CLASSES.index(scene)
            first += frames
        return speech, rest, labels


def audible(labels: Labels, rest: Samples, floor: float) -> Labels:
    """Call silence what the strip calls music or noise where that is lost in a background of `floor` dB.

    Music has rests and clips have pauses. Those of half a second stay what they are a part of; in longer ones
    there is nothing to be heard but the background, or the speech.
    """
    power = np.square(rest.reshape(-1, _FRAME)).mean(axis=1)  # (frames,)
    size = 2 * _AROUND + 1
    around = np.convolve(np.pad(power, _AROUND), np.full(size, 1 / size), "valid")  # (frames,)
    lost = around < decibels(floor + _AUDIBLE) ** 2
    silent = lost & np.isin(labels, [CLASSES.index(name) for name in ("music", "noise")])
    alone = lost & (labels == CLASSES.index("speech over music"))
    return np.where(silent, CLASSES.index("silence"), np.where(alone, CLASSES.index("speech"), labels))


def _tilted(samples: Samples, rng: Generator) -> Samples:
    """Make a sound darker or brighter."""
    tilted = samples.copy()
    tilted[1:] += np.float32(rng.uniform(-_TILT, _TILT)) * samples[:-1]
    return tilted


def _level(samples: Samples) -> Samples:
    level = rms(samples)
    return samples / np.float32(level) if level > 0 else samples


def _gain(levels: tuple[float, float], rng: Generator) -> np.float32:
    return np.float32(decibels(rng.uniform(*levels)))


def _faded(samples: Samples) -> Samples:
    """Let a sound begin and end without a click."""
    fade = min(_FADE, len(samples) // 2)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    faded = samples.copy()
    faded[:fade] *= ramp
    faded[len(faded) - fade :] *= ramp[::-1]
    return faded
