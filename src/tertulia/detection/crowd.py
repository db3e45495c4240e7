"""One speaker or two in a clip, by a dense network on low-level features: a baseline.

The features are those of librosa with its defaults at 22.05 kHz (B. McFee et al., "librosa: Audio and music
signal analysis in Python", SciPy 2015), computed here: 40 MFCC, zero-crossing rate, RMS and spectral
roll-off, pooled over the time of a clip. `recipes/one-or-two.toml` trains the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import UsageError, unknown
from tertulia.frontend.repet import foreground
from tertulia.inference import Network
from tertulia.inference import weights as weights_path

__all__ = [
    "CEPSTRA",
    "FEATURES",
    "POOLINGS",
    "RATE",
    "OneOrTwo",
    "check_pooling",
    "clip_table",
    "fixed_length",
    "low_level",
]

Array = NDArray[np.float32]

RATE = 22_050
CEPSTRA = 40
FEATURES = CEPSTRA + 3

_SIZE, _HOP, _BANDS = 2048, 512, 128
_ROLL_OFF = 0.85  # of the magnitude lies below
_RANGE = 80.0  # dB under the loudest band of a clip
_BLOCKS = tuple(round(seconds * RATE / _HOP) for seconds in (0.5, 1.0))  # frames: 22 and 43
_APART, _MARGIN, _POWER = 0.5, 10.0, 2.0  # of the vocal separation


def fixed_length(samples: Array, seconds: float) -> Array:
    """Cut or pad samples (n,) at `RATE` with silence: in the time domain, before there are any features."""
    wanted = round(seconds * RATE)
    return np.pad(samples[:wanted], (0, max(0, wanted - len(samples))))


def low_level(samples: Array) -> Array:
    """MFCC, zero-crossing rate, RMS and roll-off in Hz of samples (n,) at `RATE`, (1 + ⌊n / 512⌋, 43)."""
    from scipy.fft import dct, rfft

    centred = np.lib.stride_tricks.sliding_window_view(np.pad(samples, _SIZE // 2), _SIZE)[::_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_SIZE) / _SIZE)
    magnitudes = np.abs(rfft(centred * window, axis=1))  # (frames, 1025)
    decibels = 10 * np.log10(np.maximum(magnitudes**2 @ _mel_filters().T, 1e-10))
    decibels = np.maximum(decibels, decibels.max(initial=-np.inf) - _RANGE)
    cepstra = dct(decibels, norm="ortho", axis=1)[:, :CEPSTRA]
    held = np.lib.stride_tricks.sliding_window_view(np.pad(samples, _SIZE // 2, mode="edge"), _SIZE)[::_HOP]
    # What is as small as rounding has no sign of its own.
    negative = np.where(np.abs(held) <= 1e-10, 0, held) < 0
    crossings = (negative[:, 1:] != negative[:, :-1]).sum(axis=1) / _SIZE
    power = magnitudes**2
    power[:, [0, -1]] /= 2  # these bins stand once in the full spectrum
    level = np.sqrt(2 * power.sum(axis=1)) / _SIZE
    below = np.cumsum(magnitudes, axis=1)
    rolled = (below >= _ROLL_OFF * below[:, -1:]).argmax(axis=1) * RATE / _SIZE
    table = np.concatenate([cepstra, np.stack([crossings, level, rolled], axis=1)], axis=1)
    return np.asarray(table, dtype=np.float32)


def clip_table(samples: Array, *, vocals: bool) -> Array:
    """Features of a clip, samples (n,) at `RATE` → (frames, 43).

    Args:
        samples: a clip of a fixed length.
        vocals: take repeating accompaniment away first, see `tertulia.frontend.repet`.
    """
    if vocals:
        samples = foreground(samples, int(np.ceil(_APART * RATE / _HOP)), _MARGIN, _POWER)
    return low_level(samples)


def _mean(tables: Array) -> Array:
    """Mean over time of tables (clips, frames, 43), (clips, 43)."""
    return np.asarray(tables.mean(axis=1), dtype=np.float32)


def _statistics(tables: Array) -> Array:
    """What changes within a clip, of tables (clips, frames, 43), (clips, 172).

    The mean and the standard deviation over frames, then the standard deviations of the means of blocks of
    0.5 s and of 1 s. Phonemes pass sooner than that and mostly average out in a block; another voice stays.
    """
    found = [tables.mean(axis=1), tables.std(axis=1)]
    for size in _BLOCKS:
        count = tables.shape[1] // size  # what is left of the last frames is no block
        blocks = tables[:, : count * size].reshape(len(tables), count, size, -1)
        found.append(blocks.mean(axis=2).std(axis=1))
    return np.concatenate(found, axis=1, dtype=np.float32)


def _frames(tables: Array) -> Array:
    """All frames of tables (clips, frames, 43), one feature after the other, (clips, 43 · frames)."""
    return np.asarray(tables.transpose(0, 2, 1).reshape(len(tables), -1), dtype=np.float32)


POOLINGS: dict[str, Callable[[Array], Array]] = {
    "mean": _mean,
    "statistics": _statistics,
    "frames": _frames,
}


def check_pooling(pooling: str, seconds: float) -> None:
    """Refuse a pooling that does not exist, and statistics of clips too short for two long blocks."""
    if pooling not in POOLINGS:
        raise unknown("pooling", pooling, POOLINGS)
    frames = 1 + round(seconds * RATE) // _HOP
    if pooling == "statistics" and frames < 2 * max(_BLOCKS):
        raise UsageError(f"pooling 'statistics' needs clips of 2 s or more; got {seconds:g} s")


@cache
def _mel_filters() -> NDArray[np.float64]:
    """Triangles of unit area on Slaney's mel scale, (128, 1025)."""
    edges = _hertz(np.linspace(0, _mel(RATE / 2), _BANDS + 2))
    bins = np.arange(_SIZE // 2 + 1) * RATE / _SIZE
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    return np.asarray(np.maximum(triangles, 0) * 2 / (right - left))


# Slaney's auditory toolbox: linear below 1 kHz, 27 steps for each factor of 6.4 above.
_LINEAR, _KNEE = 200 / 3, 1000.0
_LOG = np.log(6.4) / 27


def _mel(hertz: float) -> float:
    return float(_KNEE / _LINEAR + np.log(hertz / _KNEE) / _LOG) if hertz >= _KNEE else hertz / _LINEAR


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    knee = _KNEE / _LINEAR
    return np.where(mel >= knee, _KNEE * np.exp(_LOG * (mel - knee)), mel * _LINEAR)


@dataclass(frozen=True)
class OneOrTwo:
    """Tells how likely it is that two people speak in a clip.

    Args:
        weights: bundled weights or the path of an ONNX file that the task `one-or-two` wrote.
        seconds: length of the clips that it was trained on; others are cut or padded.
        vocals: whether it was trained on separated vocals.
        pooling: of the features it was trained on, one of `POOLINGS`.
        threads: 0 takes one a core.
    """

    weights: str = "one-or-two"
    seconds: float = 5.0
    vocals: bool = False
    pooling: str = "statistics"
    threads: int = 0

    def __post_init__(self) -> None:
        check_pooling(self.pooling, self.seconds)
        weights_path(self.weights)

    @cached_property
    def network(self) -> Network:
        """Features (clips, features) → probability of two speakers (clips, 1)."""
        return Network(self.weights, self.threads)

    def __call__(self, samples: Array) -> float:
        """Probability of two speakers in samples (n,) at `RATE`."""
        clip = fixed_length(samples, self.seconds)
        features = POOLINGS[self.pooling](clip_table(clip, vocals=self.vocals)[None])  # (1, numbers)
        return float(self.network(features=features)[0, 0])
