"""Babble and music under recordings, at a stated ratio to their speech."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.simulation.sounds import SampleBed, decibels, rms
from tertulia.timeline import Timeline

__all__ = ["RATE", "babble", "mixed", "music", "speakers"]

RATE = 16_000
TALKERS = 8
Samples = NDArray[np.float32]


def speakers(folder: Path, corpora: set[str], without: set[str] = frozenset()) -> dict[str, list[Path]]:
    """Speaker → utterances, from `speakers.tsv` of a folder."""
    found: dict[str, list[Path]] = {}
    with open(folder / "speakers.tsv", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["corpus"] in corpora and row["speaker"] not in without:
                found.setdefault(row["speaker"], []).append(folder / row["path"])
    return found


def babble(voices: dict[str, list[Path]], n: int, rng: np.random.Generator) -> Samples:
    """Eight people who talk without pause, (n,)."""
    chosen = rng.choice(sorted(voices), TALKERS, replace=False)
    return np.sum([SampleBed(voices[name], RATE, rng).take(n) for name in chosen], axis=0)


def music(tracks: list[Path], n: int, rng: np.random.Generator) -> Samples:
    """Tracks one after the other, (n,)."""
    return SampleBed(tracks, RATE, rng).take(n)


def mixed(samples: Samples, speech: Timeline, background: Samples, snr: float) -> Samples:
    """Add a background so that the speech, while anybody speaks, is `snr` decibels over it."""
    spoken = speech.covers(np.arange(len(samples)) / RATE)
    wanted = rms(samples[spoken]) * decibels(-snr)
    return (samples + background * np.float32(wanted / rms(background))).astype(np.float32)
