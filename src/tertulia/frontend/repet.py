"""Voices out of music by nearest-neighbour filtering.

Source: Z. Rafii and B. Pardo, "Music/voice separation using the similarity matrix" (ISMIR 2012), REPET-SIM;
neighbours and masks as in librosa's example of vocal separation. Accompaniment repeats itself and voices do
not, so the median of the frames that look most like a frame shows its accompaniment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Vocals", "accompaniment", "foreground", "neighbours", "softmask"]

Samples = NDArray[np.float32]
Magnitudes = NDArray[np.float32]

_SIZE, _HOP = 2048, 512  # samples in a frame of the spectrogram, and between two


def neighbours(magnitudes: Magnitudes, apart: int, count: int) -> NDArray[np.bool_]:
    """Tell for each frame which others look like it (largest cosine), and are not too near to it.

    As in librosa's recurrence matrix, the `count` + 2 · `apart` most like it are looked at, those too near
    are left out, and of what remains the first `count` in time are kept.

    Args:
        magnitudes: (frames, bins).
        apart: frames there must be between a frame and its neighbours.
        count: how many neighbours at most.

    Returns:
        (frames, frames), true in row i for the neighbours of frame i.
    """
    frames = len(magnitudes)
    lengths = np.linalg.norm(magnitudes, axis=1, keepdims=True)
    units = magnitudes / np.where(lengths > 0, lengths, 1)
    similarity = units @ units.T  # (frames, frames)
    np.fill_diagonal(similarity, -np.inf)
    looked_at = min(frames - 1, count + 2 * apart)
    best = np.argpartition(-similarity, looked_at - 1, axis=1)[:, :looked_at]
    chosen = np.zeros((frames, frames), dtype=bool)
    np.put_along_axis(chosen, best, True, axis=1)
    chosen &= np.abs(np.arange(frames)[:, None] - np.arange(frames)) >= apart
    return np.asarray(chosen & (np.cumsum(chosen, axis=1) <= count))


def accompaniment(magnitudes: Magnitudes, apart: int) -> Magnitudes:
    """Median of the neighbours of each frame, never above the frame itself; (frames, bins) → the same.

    There are 2 ⌈√(frames − 2 · `apart` + 1)⌉ neighbours, or fewer; a frame without any is all accompaniment.
    """
    frames = len(magnitudes)
    like = neighbours(magnitudes, apart, 2 * int(np.ceil(np.sqrt(frames - 2 * apart + 1))))
    usual = [
        np.median(magnitudes[near], axis=0) if near.any() else own
        for near, own in zip(like, magnitudes, strict=True)
    ]
    return np.asarray(np.minimum(magnitudes, np.stack(usual)))


def softmask(wanted: Magnitudes, other: Magnitudes, power: float) -> Magnitudes:
    """Share of `wanted` in the sum of both, each raised to `power`; zero where there is neither."""
    largest = np.maximum(wanted, other)
    scale = np.where(largest > np.finfo(np.float32).tiny, largest, 1)  # so that powers stay in range
    numerator, rest = (wanted / scale) ** power, (other / scale) ** power
    total = numerator + rest
    return np.asarray(np.divide(numerator, total, out=np.zeros_like(total), where=total > 0))


def foreground(samples: Samples, apart: int, margin: float, power: float) -> Samples:
    """Keep of a stretch of sound what does not repeat itself, (n,) → (n,).

    A stretch too short to hold frames that far apart comes back as it is.
    """
    spectrum = _stft(samples)  # (frames, bins)
    if len(spectrum) <= 2 * apart + 2:
        return samples
    magnitudes = np.abs(spectrum)
    usual = accompaniment(magnitudes, apart)
    mask = softmask(magnitudes - usual, margin * usual, power)
    return _istft(mask * spectrum, len(samples))


@dataclass(frozen=True)
class Vocals:
    """Front end that takes repeating music away.

    Args:
        apart: seconds between a frame and those it is compared with: less would compare a voice with itself.
        margin: how many times stronger than the accompaniment a voice must be to pass by half.
        power: exponent of the mask; large ones cut hard.
        block: seconds of sound that are compared with each other. A recording up to half as long again is one
            block; memory and time per second grow with it.
        fade: seconds in which one block is faded over to the next.
    """

    apart: float = 0.5
    margin: float = 10.0
    power: float = 2.0
    block: float = 60.0
    fade: float = 1.0

    sample_rate = 16_000

    def __post_init__(self) -> None:
        if not (self.apart > 0 and self.margin > 0 and self.power > 0):
            raise ValueError("apart, margin and power are above zero")
        if not 0 < 4 * self.fade <= self.block:
            raise ValueError(f"fade lies in (0, {self.block / 4:g}] seconds, a quarter of a block")

    def __call__(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Take a recording, mono blocks (n,), and yield as many samples."""
        apart = int(np.ceil(self.apart * self.sample_rate / _HOP))
        size, fade = (int(seconds * self.sample_rate) for seconds in (self.block, self.fade))
        tail = np.empty(0, np.float32)  # end of the last block, faded out
        rise = np.linspace(0, 1, fade, dtype=np.float32)
        for stretch, last in _stretches(blocks, size, fade):
            heard = foreground(stretch, apart, self.margin, self.power)
            heard[: len(tail)] = heard[: len(tail)] * rise[: len(tail)] + tail
            if last:
                yield heard
                return
            tail = heard[size - fade :] * rise[::-1]
            yield heard[: size - fade]


def _stretches(blocks: Iterable[Samples], size: int, overlap: int) -> Iterator[tuple[Samples, bool]]:
    """Yield stretches (size,) that overlap, and at last one of half to one and a half that size.

    Also tells whether a stretch is the last.
    """
    kept = np.empty(0, np.float32)
    for block in blocks:
        kept = np.concatenate([kept, block])
        while len(kept) > size + size // 2:
            yield kept[:size], False
            kept = kept[size - overlap :]
    yield kept.copy(), True


def _window() -> Samples:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_SIZE) / _SIZE), np.float32)


def _stft(samples: Samples) -> NDArray[np.complex64]:
    """Frames centred on every 512th sample, zeros beyond both ends; (n,) → (1 + ⌊n / 512⌋, 1025)."""
    from scipy.fft import rfft

    padded = np.pad(samples, _SIZE // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _SIZE)[::_HOP]
    return np.asarray(rfft(frames * _window(), axis=1))


def _istft(spectrum: NDArray[np.complex64], length: int) -> Samples:
    """Overlap and add, the least-squares inverse of `_stft`."""
    from scipy.fft import irfft

    window = _window()
    frames = irfft(spectrum, n=_SIZE, axis=1).astype(np.float32) * window
    shifts = _SIZE // _HOP
    whole = np.zeros(((len(frames) + shifts - 1), _HOP), np.float32)
    weight = np.zeros_like(whole)
    for shift in range(shifts):  # a frame covers four hops
        part = slice(shift * _HOP, (shift + 1) * _HOP)
        whole[shift : shift + len(frames)] += frames[:, part]
        weight[shift : shift + len(frames)] += window[part] ** 2
    flat = (whole / np.maximum(weight, np.float32(1e-8))).ravel()[_SIZE // 2 :]
    return np.pad(flat[:length], (0, max(0, length - len(flat))))
