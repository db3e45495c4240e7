"""Recordings with references to learn from, and windows of them in which somebody speaks or nobody does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tertulia.corpora import open_corpus
from tertulia.errors import InputError, UsageError
from tertulia.frames import Grid
from tertulia.segmentation.scenes import GRID
from tertulia.timeline import Diarization, Timeline
from tertulia.training.augment import Augmenter
from tertulia.training.losses import NOT_SCORED
from tertulia.training.pack import Pack, pack

__all__ = ["Recordings", "SpeechWindows"]

Samples = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Recordings:
    """A corpus with its sound at hand."""

    names: frozenset[str]
    pack: Pack
    references: Sequence[Diarization]
    regions: Sequence[Timeline | None]

    @classmethod
    def read(cls, source: str | None, key: str, cache: Path, report: Callable[[str], None]) -> Recordings:
        """Read all recordings of a corpus that have sound and reference.

        Args:
            source: folder of audio with RTTM, or another corpus that `tertulia corpus` knows.
            key: what `source` is called in the recipe, for messages.
            cache: folder for decoded sound.
            report: told what is left out.

        Raises:
            UsageError: when there is no source.
            InputError: when it holds no recording with a reference.
        """
        if source is None:
            raise UsageError(f"{key} is not set: --data {key.rpartition('.')[2]}=PATH")
        corpus = open_corpus(source)
        items = [item for item in corpus.items() if item.audio is not None and item.reference is not None]
        if not items:
            raise InputError(f"{source} holds no recording with a reference")
        pieces = [(item.audio, 0.0, None) for item in items if item.audio is not None]
        return cls(
            names=frozenset(str(path.resolve()) for path, _, _ in pieces),
            pack=pack(pieces, cache, report=report),
            references=[corpus.load_reference(item) for item in items],
            regions=[corpus.load_uem(item) for item in items],
        )

    @cached_property
    def usable(self) -> list[int]:
        """Numbers of the recordings that could be decoded."""
        return [i for i in range(len(self.pack)) if i not in self.pack.bad]

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """Length of each of those over that of all."""
        lengths = np.array([self.pack.length(i) for i in self.usable], float)
        return np.asarray(lengths / lengths.sum())

    @property
    def hours(self) -> float:
        """How much sound there is."""
        return sum(self.pack.length(i) for i in self.usable) / self.pack.sample_rate / 3600


@dataclass(frozen=True, eq=False)
class SpeechWindows:
    """Draws windows of recordings, and tells where in them somebody speaks.

    Args:
        recordings: what they are taken from, each the more often the longer it is.
        augment: what is done to every window.
        frames: how many frames of 10 ms a window has.
    """

    recordings: Recordings
    augment: Augmenter
    frames: int

    def __call__(self, rng: Generator) -> tuple[Samples, NDArray[np.int64]]:
        """Draw one: samples (160 · frames,) and for each frame 1 in speech, 0 elsewhere, or `NOT_SCORED`.

        What is shorter than a window is followed by silence.
        """
        packed, usable = self.recordings.pack, self.recordings.usable
        number = usable[int(rng.choice(len(usable), p=self.recordings.shares))]
        step = round(GRID.step * packed.sample_rate)
        first = int(rng.integers(max(1, packed.length(number) // step - self.frames + 1)))
        samples = packed.read(number, first * step, self.frames * step)
        samples = np.pad(samples, (0, self.frames * step - len(samples)))
        grid = Grid(GRID.step, GRID.edge(first))
        labels = grid.mask(self.recordings.references[number].speech, self.frames).astype(np.int64)
        region = self.recordings.regions[number]
        if region is not None:
            labels[~grid.mask(region, self.frames)] = NOT_SCORED
        return self.augment(samples, rng), labels
