"""Make recordings in which nobody speaks, with empty references: made-up tunes, tracks and noises.

    python tools/make_sounds_without_speech.py FOLDER --count 90 --noise ESC10 --music TRACKS --without NAME …
    python tools/make_sounds_without_speech.py FOLDER --tunes 60

The first fills FOLDER with FLAC files of a minute, each of noise, of music or of both, with an empty RTTM
beside each: from that a segmentation learns that what is loud need not be speech. The second makes tunes
alone, without references, for `tertulia simulate --music FOLDER`. Files whose names begin with one of
`--without` are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.random import Generator
from numpy.typing import NDArray

from tertulia.simulation.sounds import audio_files, decibels, load, rms
from tertulia.training.tunes import tune

RATE, SECONDS = 16_000, 60.0
SIZE = round(RATE * SECONDS)
LONGEST = 600.0
"""Seconds of a file that are read."""
LEVELS = (-40.0, -15.0)
"""Of each sound, in dB relative to full scale."""
SPEEDS = (0.8, 1.25)
"""How fast tracks are played, so that a few are many."""

Samples = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=0, help="recordings")
    parser.add_argument("--tunes", type=int, default=0, help="tunes alone, without references")
    parser.add_argument("--noise", type=Path, help="folder of clips")
    parser.add_argument("--music", type=Path, help="folder of tracks")
    parser.add_argument("--without", nargs="*", default=[], help="beginnings of names that are left out")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.count and not (options.noise and options.music):
        parser.error("--count needs --noise and --music")
    options.folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(options.seed)
    for number in range(options.tunes):
        soundfile.write(options.folder / f"tune_{number:04d}.flac", 0.9 * tune(SECONDS, RATE, rng), RATE)
    if options.count:
        clips, tracks = (
            [path for path in audio_files(folder) if not path.name.startswith(tuple(options.without))]
            for folder in (options.noise, options.music)
        )
        for number in range(options.count):
            path = options.folder / f"nobody_{options.seed}_{number:04d}.flac"
            soundfile.write(path, nobody(number % 3, clips, tracks, rng), RATE)
            path.with_suffix(".rttm").touch()


def nobody(kind: int, clips: Sequence[Path], tracks: Sequence[Path], rng: Generator) -> Samples:
    """A minute of noise (kind 0), of music (1) or of both (2)."""
    sound = np.zeros(SIZE, np.float32)
    if kind != 1:
        chosen = rng.permutation(len(clips))[: int(rng.integers(8, 14))]
        sounds = [levelled(load(clips[i], RATE, LONGEST), rng) for i in chosen]
        sound += np.resize(np.concatenate(sounds), SIZE)
    if kind != 0:
        made = tune(SECONDS, RATE, rng) if rng.random() < 0.6 else excerpt(tracks, rng)
        sound += levelled(made, rng)
    return sound / max(1.0, float(np.abs(sound).max()) / 0.99)


def excerpt(tracks: Sequence[Path], rng: Generator) -> Samples:
    """A minute from anywhere in a track, at some speed, repeated if it is shorter."""
    whole = load(tracks[int(rng.integers(len(tracks)))], round(RATE / rng.uniform(*SPEEDS)), LONGEST)
    return np.resize(np.roll(whole, -int(rng.integers(len(whole)))), SIZE)


def levelled(sound: Samples, rng: Generator) -> Samples:
    return sound * np.float32(decibels(rng.uniform(*LEVELS)) / (rms(sound) or 1.0))


if __name__ == "__main__":
    main()
