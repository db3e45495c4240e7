"""What networks and models look at instead of samples."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["fbank", "frames_in", "sliding_mean"]

Array = NDArray[np.float32]
Shape = Literal["povey", "hamming"]

_WINDOW, _SHIFT = 0.025, 0.01  # seconds
_EMPHASIS = 0.97
_LOWEST = 20.0  # Hz
_BLOCK = 512  # frames transformed at once: they stay in the cache of a core


def fbank(
    samples: Array,
    bands: int = 80,
    sample_rate: int = 16_000,
    *,
    centred: bool = True,
    window: Shape = "povey",
) -> Array:
    """Log energies in mel bands as Kaldi computes them (windows of 25 ms every 10 ms, no dither).

    Every window is freed of its mean, pre-emphasised, tapered and padded to a power of two.

    Args:
        samples: float32 (n,) in [-1, 1].
        bands: number of mel bands from 20 Hz to half the sample rate.
        sample_rate: in Hz.
        centred: frame `i` is centred on `(i + ½) · 10 ms` and there are ⌊n / 10 ms + ½⌋ of them, with the
            sound mirrored at both ends; otherwise frame `i` begins at `i · 10 ms` and only whole frames
            count (Kaldi's `snip-edges`).
        window: shape of the windows.

    Returns:
        float32 (frames, bands).
    """
    from scipy.fft import rfft

    size, shift = int(sample_rate * _WINDOW), int(sample_rate * _SHIFT)
    whole = max(0, (len(samples) - size) // shift + 1)
    count = frames_in(len(samples), sample_rate) if centred else whole
    energies = np.empty((count, bands), np.float32)
    if not count:
        return energies
    if centred:
        before = size // 2 - shift // 2
        after = (count - 1) * shift + size - before - len(samples)
        samples = np.pad(samples, (before, max(0, after)), "symmetric")
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::shift]  # (frames, size)
    padded, taper, filters = 1 << (size - 1).bit_length(), _taper(window, size), _filters(bands, sample_rate)
    for first in range(0, count, _BLOCK):
        block = slice(first, min(first + _BLOCK, count))
        sound = frames[block] - frames[block].mean(axis=1, keepdims=True)
        tapered = sound * taper
        tapered[:, 1:] -= _EMPHASIS * sound[:, :-1] * taper[1:]
        tapered[:, 0] -= _EMPHASIS * sound[:, 0] * taper[0]
        spectrum = rfft(tapered, padded, axis=1)[:, : padded // 2]  # (frames, bins)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        # A sparse product: BLAS would wake threads that then wait by spinning, on cores that have work.
        energies[block] = (filters @ power.T).T
    return np.log(np.maximum(energies, np.finfo(np.float32).eps, out=energies), out=energies)


def frames_in(samples: int, sample_rate: int = 16_000) -> int:
    """Count the centred frames that `fbank` makes of so many samples."""
    shift = int(sample_rate * _SHIFT)
    return (samples + shift // 2) // shift


@cache
def _taper(window: Shape, size: int) -> Array:
    """Taper of a window, (size,)."""
    phase = np.cos(2 * np.pi * np.arange(size) / (size - 1))
    taper = (0.5 - 0.5 * phase) ** 0.85 if window == "povey" else 0.54 - 0.46 * phase
    return np.asarray(taper, dtype=np.float32)


@cache
def _filters(bands: int, sample_rate: int) -> Any:
    """Triangles that are even on the mel scale, a sparse matrix (bands, bins)."""
    from scipy.sparse import csr_array

    padded = 1 << (int(sample_rate * _WINDOW) - 1).bit_length()
    mel = 1127.0 * np.log1p(np.arange(padded // 2) * sample_rate / padded / 700.0)  # (bins,)
    low, high = 1127.0 * np.log1p(np.array([_LOWEST, sample_rate / 2]) / 700.0)
    edges = np.linspace(low, high, bands + 2)[:, None]
    rising = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel) / (edges[2:] - edges[1:-1])
    return csr_array(np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32))


def sliding_mean(values: Array, width: int) -> Array:
    """Mean over the `width` (odd) frames around each frame, fewer at the ends; (frames, bands) → the same."""
    frames = np.arange(len(values))
    first = np.maximum(frames - width // 2, 0)
    last = np.minimum(frames + width // 2 + 1, len(values))
    total = np.zeros((len(values) + 1, *values.shape[1:]))
    np.cumsum(values, axis=0, dtype=np.float64, out=total[1:])
    mean: Array = ((total[last] - total[first]) / (last - first)[:, None]).astype(np.float32)
    return mean
