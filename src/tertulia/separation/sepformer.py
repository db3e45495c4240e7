"""SepFormer at run time: windows that overlap, their voices brought into one order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from tertulia.inference import Network, weights

__all__ = ["SepFormerSeparator", "aligned"]

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class SepFormerSeparator:
    """A SepFormer network as `tertulia train` exports it.

    Args:
        weights: bundled weights or the path of an ONNX file.
        window: seconds that are separated at once.
        overlap: seconds that two windows share; there it is seen whose voice is which.
        threads: 0 takes one a core.
    """

    weights: str = "sepformer"
    window: float = 8.0
    overlap: float = 2.0
    threads: int = 0

    sample_rate = 16_000

    def __post_init__(self) -> None:
        self._check()
        weights(self.weights)

    def _check(self) -> None:
        if not 0 < 2 * self.overlap <= self.window:
            raise ValueError(f"overlap lies in (0, {self.window / 2:g}] seconds, half a window")

    @cached_property
    def network(self) -> Network:
        """The network: mixtures (batch, samples) → voices (batch, voices, samples)."""
        return Network(self.weights, self.threads)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return {self.weights: self.network}

    @cached_property
    def voices(self) -> int:
        """How many voices the network gives."""
        return int(self.network(mixtures=np.zeros((1, 1600), np.float32)).shape[1])

    def __call__(self, mixture: Samples) -> Samples:
        """Separate a stretch of sound, (n,) → (voices, n)."""
        size, shared = (round(seconds * self.sample_rate) for seconds in (self.window, self.overlap))
        whole = np.zeros((self.voices, len(mixture)), np.float32)
        rise = np.linspace(0, 1, shared, dtype=np.float32)
        done = 0  # samples that are there already
        for start in range(0, max(1, len(mixture) - shared), size - shared):
            part = self._window(mixture[start : start + size])
            end = start + part.shape[1]
            before = whole[:, start:done]
            part = aligned(part, before)
            weight = rise[: done - start]
            whole[:, start:done] = before * (1 - weight) + part[:, : done - start] * weight
            whole[:, done:end] = part[:, done - start :]
            done = end
        return whole

    def _window(self, mixture: Samples) -> Samples:
        """Separate a window at the level the network knows, and give it back at its own."""
        scale = max(float(np.sqrt(np.mean(np.square(mixture)))), 1e-8) if len(mixture) else 1.0
        found: Samples = self.network(mixtures=np.ascontiguousarray(mixture[None] / np.float32(scale)))[0]
        return found * np.float32(scale)


def aligned(voices: Samples, before: Samples) -> Samples:
    """Order voices (voices, n) so that their beginning is most like what was there, (voices, m), m ≤ n."""
    likeness = before @ voices[:, : before.shape[1]].T  # (voices, voices)
    rows = np.arange(len(voices))
    best = max(permutations(range(len(voices))), key=lambda order: likeness[rows, order].sum())
    return voices[list(best)]
