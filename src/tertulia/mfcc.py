"""Cepstra for Gaussian models: MFCC, their derivatives, and what takes the channel out of them.

Features are float32 (frames, dim), one frame every `STEP` seconds, frame `i` centred on `(i + ½) · STEP`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from tertulia.features import fbank

__all__ = ["STEP", "deltas", "mfcc", "mfcc_of_blocks", "normalized", "warped"]

Array = NDArray[np.float32]

STEP = 0.01
"""Seconds between two frames."""

_BANDS = 24
_LIFTER = 22  # Young et al., The HTK Book, chapter 5: makes the variances of the cepstra alike
_CHUNK = 6000  # frames computed at once
_MARGIN = 5  # frames on either side of a chunk whose windows reach into it
_RANKED = 2000  # frames whose ranks are computed at once


def mfcc(samples: Array, sample_rate: int = 16_000, cepstra: int = 13) -> Array:
    """Mel-frequency cepstral coefficients.

    Args:
        samples: float32 (n,) in [-1, 1].
        sample_rate: in Hz.
        cepstra: how many, at most 24. The first is c₀, the sum of the log energies: loudness.

    Returns:
        float32 (⌊n / 10 ms + ½⌋, cepstra), liftered.

    Source: Davis & Mermelstein, "Comparison of parametric representations for monosyllabic word recognition",
    IEEE ASSP 28 (1980): the cosine transform of log energies in mel bands.
    """
    if not 1 <= cepstra <= _BANDS:
        raise ValueError(f"there are 1 to {_BANDS} cepstra; got {cepstra}")
    from scipy.fft import dct

    bands = fbank(samples, _BANDS, sample_rate, window="hamming")
    order = np.arange(cepstra)
    lifter = 1 + _LIFTER / 2 * np.sin(np.pi * order / _LIFTER)
    return np.asarray(dct(bands, norm="ortho", axis=1)[:, :cepstra] * lifter, dtype=np.float32)


def mfcc_of_blocks(blocks: Iterable[Array], sample_rate: int = 16_000, cepstra: int = 13) -> Iterator[Array]:
    """Yield the frames of `mfcc` of a recording that comes in blocks, float32 (n,), a minute at a time."""
    hop = round(STEP * sample_rate)
    margin, wanted = _MARGIN * hop, _CHUNK * hop
    kept, lead = np.empty(0, np.float32), 0  # samples, of which the first `lead` are already done
    parts: list[Array] = []
    for block in blocks:
        parts.append(block)
        if len(kept) + sum(map(len, parts)) < lead + wanted + margin:
            continue
        kept, parts = np.concatenate([kept, *parts]), []
        while len(kept) >= lead + wanted + margin:
            first = lead // hop
            yield mfcc(kept[: lead + wanted + margin], sample_rate, cepstra)[first : first + _CHUNK]
            kept, lead = kept[lead + wanted - margin :], margin
    rest = np.concatenate([kept, *parts])
    if len(rest) > lead:
        yield mfcc(rest, sample_rate, cepstra)[lead // hop :]


def deltas(features: Array, reach: int = 2) -> Array:
    """Slopes of the features over `reach` frames on either side; the first and last frame are repeated.

    Source: Young et al., The HTK Book, eq. 5.16. Apply twice for the second derivative.
    """
    if reach < 1:
        raise ValueError(f"the reach of a slope is a whole number from 1; got {reach}")
    if not len(features):
        return features
    padded = np.pad(features, ((reach, reach), (0, 0)), mode="edge")
    frames = len(features)
    slope = np.zeros_like(features)
    for step in range(1, reach + 1):
        slope += step * (padded[reach + step :][:frames] - padded[reach - step :][:frames])
    return np.asarray(slope / (2 * sum(step**2 for step in range(1, reach + 1))), dtype=np.float32)


def normalized(features: Array, *, variance: bool = True) -> Array:
    """Cepstral mean (and variance) normalisation over all frames; what does not vary becomes zero."""
    if not len(features):
        return features
    centred = features - features.mean(axis=0, dtype=np.float64)
    if variance:
        spread = centred.std(axis=0)
        centred = centred / np.where(spread > 1e-6, spread, 1.0)
    return np.asarray(centred, dtype=np.float32)


def warped(features: Array, width: int = 301) -> Array:
    """Feature warping: every value becomes the normal quantile of its rank in the frames around it.

    At the ends of a recording the window is the first or last `width` frames; shorter recordings are one
    window. Equal values share the mean of their ranks, so constant features become zero.

    Args:
        features: (frames, dim).
        width: frames in a window, 3 s in the paper.

    Source: Pelecanos & Sridharan, "Feature warping for robust speaker verification", Odyssey 2001:
    rank R of 1 (least) to N → the quantile of (R − ½) / N.
    """
    if width < 1:
        raise ValueError(f"the width of a window is a number of frames from 1; got {width}")
    frames = len(features)
    if not frames:
        return features
    from scipy.special import ndtri

    width = min(width, frames)
    windows = np.lib.stride_tricks.sliding_window_view(features, width, axis=0)  # (windows, dim, width)
    at = np.clip(np.arange(frames) - width // 2, 0, frames - width)
    result = np.empty_like(features)
    for first in range(0, frames, _RANKED):
        rows = slice(first, first + _RANKED)
        around, here = windows[at[rows]], features[rows, :, None]
        below = np.count_nonzero(around < here, axis=2)
        equal = np.count_nonzero(around == here, axis=2)
        result[rows] = ndtri((below + equal / 2) / width)  # mean rank − ½ = below + equal / 2
    return result
