"""Sliding windows over a stream of sound, in batches that share one stretch of memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Windows", "slide"]

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Consecutive overlapping windows of one recording.

    They share `samples`, which also reaches `margin` samples beyond the first and the last window where the
    recording does, so that a model with a wide view can look over their edges.

    Attributes:
        samples: float32 (samples,), zero beyond the end of the recording.
        lead: index in `samples` at which the first window begins.
        size, hop: length of a window and distance between two, in samples.
        count: how many windows.
        index: number of the first window in the recording.
        sound: how many of `samples` are recording; the rest is padding.
        sample_rate: in Hz.
    """

    samples: Samples
    lead: int
    size: int
    hop: int
    count: int
    index: int
    sound: int
    sample_rate: int

    def __len__(self) -> int:
        return self.count

    @property
    def start(self) -> float:
        """Time at which the first window begins, in seconds."""
        return self.index * self.hop / self.sample_rate

    @property
    def end(self) -> float:
        """Time at which the last window, or the recording before it, ends."""
        reach = min((self.count - 1) * self.hop + self.size, self.sound - self.lead)
        return (self.index * self.hop + reach) / self.sample_rate

    def stack(self) -> Samples:
        """Return the windows as a view of shape (windows, samples)."""
        views = np.lib.stride_tricks.sliding_window_view(self.samples[self.lead :], self.size)
        return views[:: self.hop][: self.count]


def slide(
    blocks: Iterable[Samples], sample_rate: int, *, size: int, hop: int, batch: int, margin: int = 0
) -> Iterator[Windows]:
    """Cut a stream of mono blocks, float32 (n,), into batches of windows.

    The last window reaches to or beyond the end of the recording and is padded with zeros; there is always at
    least one. Memory is bounded by the batch.

    Args:
        blocks: the recording.
        sample_rate: of the blocks, in Hz.
        size: samples in a window.
        hop: samples between the beginnings of two windows, at most `size`.
        batch: windows in a batch, the last batch may have fewer.
        margin: samples to keep beyond both ends of a batch.

    Raises:
        ValueError: for a size, hop, batch or margin that makes no sense.
    """
    if not (0 < hop <= size and batch > 0 and margin >= 0):
        raise ValueError(
            f"windows need 0 < hop ≤ size, a batch and a margin; got {hop}, {size}, {batch} and {margin}"
        )
    stream = iter(blocks)
    span = (batch - 1) * hop + size + margin
    kept: Samples = np.empty(0, np.float32)
    lead, index = 0, 0
    while True:
        kept = _filled(kept, stream, lead + span)
        fresh = len(kept) - lead
        # Windows before this one have seen all but the last `hop` of the first `size` samples from here.
        wanted = 0 if index and fresh <= size - hop else max(1, -(-(fresh - size) // hop) + 1)
        if not wanted:
            return
        count = min(batch, wanted)
        end = lead + (count - 1) * hop + size
        samples = np.pad(kept[: end + margin], (0, max(0, end - len(kept))))
        yield Windows(samples, lead, size, hop, count, index, min(len(kept), len(samples)), sample_rate)
        index += count
        begin = lead + count * hop
        lead = min(begin, margin)
        kept = kept[begin - lead :]


def _filled(kept: Samples, stream: Iterator[Samples], length: int) -> Samples:
    """Add blocks of the stream until there are `length` samples or no more blocks."""
    parts, have = [kept], len(kept)
    while have < length and (block := next(stream, None)) is not None:
        parts.append(block)
        have += len(block)
    return np.concatenate(parts) if len(parts) > 1 else kept
