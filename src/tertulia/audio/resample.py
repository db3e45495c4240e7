"""Changing the sample rate, whole or block by block with the same result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["Resampler", "resampled"]

Samples = NDArray[np.float32]


class Resampler:
    """A stream of sound taken from one sample rate to another; its filter state lives between calls.

    However a signal is cut into blocks, the outputs joined are the same, sample for sample.

    Args:
        source_rate, rate: sample rates in Hz.
        channels: rows of every block.
    """

    def __init__(self, source_rate: int, rate: int, channels: int) -> None:
        import soxr

        self._stream = soxr.ResampleStream(source_rate, rate, channels, dtype="float32", quality="HQ")
        self._channels = channels

    def __call__(self, block: Samples, *, last: bool = False) -> Samples:
        """Take a block (channels, n) and return what is ready (channels, m); `last` empties the filter."""
        frames = block[0] if self._channels == 1 else block.T
        out: Samples = self._stream.resample_chunk(np.ascontiguousarray(frames), last=last)
        return np.ascontiguousarray(out.reshape(-1, self._channels).T)


def resampled(blocks: Iterable[Samples], source_rate: int, rate: int, channels: int) -> Iterator[Samples]:
    """Yield the blocks (channels, n) at another rate, (channels, m); none of them is empty."""
    if source_rate == rate:
        yield from blocks
        return
    resampler = Resampler(source_rate, rate, channels)
    for block in blocks:
        if (out := resampler(block)).size:
            yield out
    if (out := resampler(np.zeros((channels, 0), np.float32), last=True)).size:
        yield out
