"""Log-mel energies as NVIDIA's published networks take them; window and filters come with their parameters.

Source: the preprocessing that the checkpoints' configuration describes: pre-emphasis 0.97, windows of 25 ms
centred every 10 ms in 512 samples, power, mel filters, log (x + 2⁻²⁴), and for some networks each band with
mean 0 and standard deviation 1 over what is heard at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import ModelMissingError

__all__ = ["Spectrogram", "mel_filters"]

Array = NDArray[np.float32]

_HOP, _SIZE = 160, 512
_PRE_EMPHASIS = 0.97
_GUARD = 2.0**-24
_LEAST = 1e-5  # added to deviations
_BATCH = 4096  # frames computed at once


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """Computes features.

    Args:
        window: (width,), at most 512.
        filters: (bands, 257).
        normalised: whether each band gets mean 0 and deviation 1.
    """

    window: Array
    filters: Array
    normalised: bool

    def __call__(self, samples: Array) -> Array:
        """Map samples (n,) to features (⌊n / 160⌋, bands)."""
        count = len(samples) // _HOP
        if not count:
            return np.empty((0, len(self.filters)), np.float32)
        emphasised = np.append(samples[:1], samples[1:] - _PRE_EMPHASIS * samples[:-1])
        padded = np.pad(emphasised, _SIZE // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, _SIZE)[::_HOP][:count]
        before = (_SIZE - len(self.window)) // 2
        window = np.pad(self.window, (before, _SIZE - len(self.window) - before))
        parts = [
            np.abs(np.fft.rfft(frames[begin : begin + _BATCH] * window)) ** 2 @ self.filters.T
            for begin in range(0, count, _BATCH)
        ]
        features = np.log(np.concatenate(parts) + _GUARD)
        if self.normalised:
            deviation = features.std(axis=0, ddof=1) if count > 1 else np.zeros(features.shape[1])
            features = (features - features.mean(axis=0)) / (deviation + _LEAST)
        return np.asarray(features, dtype=np.float32)

    def write(self, path: Path) -> None:
        """Write a file that `read` reads."""
        np.savez(path, window=self.window, filters=self.filters, normalised=np.array(self.normalised))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote; raises `ModelMissingError` when it is something else."""
        try:
            with np.load(path, allow_pickle=False) as kept:
                return cls(kept["window"], kept["filters"], bool(kept["normalised"]))
        except (OSError, ValueError, KeyError) as error:
            raise ModelMissingError(f"{path}: no features of a network: {error}") from error


def mel_filters(bands: int, rate: int = 16_000) -> Array:
    """Triangles on Slaney's mel scale (linear to 1 kHz, logarithmic above), of equal area; (bands, 257)."""
    corner, per_hertz, log_step = 1000.0, 3 / 200, np.log(6.4) / 27

    def hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
        above = corner * np.exp(log_step * (mel - corner * per_hertz))
        return np.where(mel < corner * per_hertz, mel / per_hertz, above)

    highest = corner * per_hertz + np.log(rate / 2 / corner) / log_step
    edges = hertz(np.linspace(0, highest, bands + 2))
    bins = np.linspace(0, rate / 2, _SIZE // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    area = 2 / (edges[2:] - edges[:-2])
    return (np.maximum(np.minimum(rising, falling), 0) * area[:, None]).astype(np.float32)
