"""Twin branches at run time: the networks that `recipes/siamese-*.toml` train, run by ONNX Runtime.

A frame looks at little around it, so frames are computed once, and any stretch is pooled from sums over short
cells: comparing windows that slide, segments of any length and whole speakers costs next to nothing more.
See `tertulia.networks.twin`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.trained import Trained
from tertulia.embedding.voices import unit
from tertulia.featurefiles import Features
from tertulia.features import fbank

__all__ = ["CELL", "Siamese", "summed"]

Array = NDArray[np.float32]

CELL = 0.1
"""Seconds over which frames are summed."""

_LONGEST = 10.0  # seconds the network sees at once
_SHORTEST = 0.05  # … and at least: less has no frames
_LEAST = 2  # frames that have a deviation


@dataclass(frozen=True)
class Siamese(Trained):
    """A twin branch on every window, pooled once for each local speaker."""

    weights: str = "siamese-mfcc"

    dim = 128
    _frame = 0.01

    @cached_property
    def _hears(self) -> tuple[str, int]:
        """Name of what the network takes, energies or waveforms, and the channels of its frames."""
        taken = self._half("frames").session.get_inputs()[0]
        wide = self._half("projection").session.get_inputs()[0].shape[1] // 2
        return taken.name, int(wide)

    @property
    def columns(self) -> int:
        """Numbers that are summed of a stretch: its frames, their channels, the squares of these."""
        return 1 + 2 * self._hears[1]

    def _frames_of(self, samples: Array) -> Array:
        name, wide = self._hears
        if len(samples) < _SHORTEST * self.sample_rate:
            return np.empty((0, wide), np.float32)
        sound = fbank(samples, centred=False) if name == "features" else samples
        computed: Array = self._half("frames")(**{name: np.ascontiguousarray(sound[None])})[0]
        return computed

    def _project(self, pooled: Array) -> Array:
        return unit(self._half("projection")(statistics=pooled))

    # ── stretches ────────────────────────────────────────────────────────────────────────────────────

    def cells(self, samples: Array, speech: NDArray[np.bool_] | None = None) -> Array:
        """Sum the frames of up to 10 s of sound over cells of `CELL` seconds.

        Args:
            samples: (n,).
            speech: evenly spaced over the samples, (any,): frames where it is false do not count.

        Returns:
            (⌈n / 1600⌉, `columns`).
        """
        frames = self._frames_of(samples)
        seconds = len(samples) / self.sample_rate
        wanted = -(-len(samples) // round(CELL * self.sample_rate))
        middles = (np.arange(len(frames)) + 0.5) * seconds / max(len(frames), 1)
        values = np.concatenate([np.ones((len(frames), 1)), frames, np.square(frames)], axis=1)
        if speech is not None and len(frames):
            values *= speech[(middles / seconds * len(speech)).astype(np.intp)][:, None]
        edges = np.searchsorted(middles, np.arange(wanted + 1) * CELL)
        return (summed(values)[edges[1:]] - summed(values)[edges[:-1]]).astype(np.float32)

    def pooled(self, sums: NDArray[np.floating]) -> Array:
        """Vectors of stretches from their sums, (stretches, `columns`) → (stretches, dim).

        Zero for what holds too little.
        """
        vectors = np.zeros((len(sums), self.dim), np.float32)
        enough = sums[:, 0] >= _LEAST
        if not enough.any():
            return vectors
        count, first, second = np.split(sums[enough].astype(np.float64), [1, 1 + self._hears[1]], axis=1)
        mean = first / count
        variance = np.maximum(second - count * mean**2, 0) / (count - 1)
        statistics = np.concatenate([mean, np.sqrt(variance)], axis=1).astype(np.float32)
        vectors[enough] = self._project(statistics)
        return vectors

    def windows(self, cells: Array, width: float) -> Array:
        """Vectors of what is `width` seconds wide around the middle of every cell, less at the ends.

        (cells, `columns`) → (cells, dim).
        """
        total, count = summed(cells), len(cells)
        half = max(0, round((width / CELL - 1) / 2))
        at = np.arange(count)
        return self.pooled(total[np.minimum(at + half + 1, count)] - total[np.maximum(at - half, 0)])

    def sliding(self, samples: Array, width: float) -> Features:
        """Vectors of a recording of one person after the other, (n,), one every `CELL` seconds."""
        longest = round(_LONGEST * self.sample_rate)
        parts = [self.cells(samples[i : i + longest]) for i in range(0, len(samples), longest)]
        cells = np.concatenate(parts) if parts else np.empty((0, self.columns), np.float32)
        return Features(self.windows(cells, width), CELL)


def summed(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Sums of the first 0, 1, 2 … rows, (rows, columns) → (rows + 1, columns)."""
    total = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, dtype=np.float64, out=total[1:])
    return total
