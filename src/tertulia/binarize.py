"""From scores to decisions: which speakers are active in each frame, and from there to turns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tertulia.frames import Grid
from tertulia.stitch import Stitched
from tertulia.timeline import Timeline

__all__ = ["BINARIZERS", "Binarizer", "Hysteresis", "TopCount"]

Mask = NDArray[np.bool_]


class Binarizer(Protocol):
    """Decides who is active in each frame."""

    def __call__(self, stitched: Stitched, at_most: int | None = None) -> Mask:
        """Return (frames, speakers); with `at_most`, never more speakers than that at once."""
        ...

    def timeline(self, mask: Mask, grid: Grid) -> Timeline:
        """Turn the frames of one speaker, (frames,), into turns of sensible lengths."""
        ...


@dataclass(frozen=True)
class _Durations:
    """Rules for the lengths of turns, in seconds.

    Args:
        min_duration_on: shorter turns are dropped.
        min_duration_off: shorter pauses are filled.
        pad_onset: by how much turns begin earlier than their first frame.
        pad_offset: by how much they end later than their last one.
    """

    min_duration_on: float = 0.0
    min_duration_off: float = 0.0
    pad_onset: float = field(default=0.0, kw_only=True)
    pad_offset: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        if min(self.min_duration_on, self.min_duration_off, self.pad_onset, self.pad_offset) < 0:
            raise ValueError("min_duration_on, min_duration_off and pad_… are seconds from zero")

    def timeline(self, mask: Mask, grid: Grid) -> Timeline:
        """Turn the frames of one speaker, (frames,), into turns of sensible lengths."""
        turns = grid.timeline(mask)
        if self.pad_onset or self.pad_offset:
            bounds = turns.bounds + np.array([-self.pad_onset, self.pad_offset])
            turns = Timeline.from_bounds(np.maximum(bounds, 0.0))
        turns = turns.without_gaps_under(self.min_duration_off)
        return turns.without_segments_under(self.min_duration_on)


@dataclass(frozen=True)
class TopCount(_Durations):
    """As many speakers as the segmentation counts, the highest scores first.

    Rounding the mean count, instead of thresholding each score, keeps speech whose speaker is in doubt.
    Halves are rounded to even: half of the windows that see a frame do not make it speech.

    Args:
        fill: where more people are counted than speakers have a score, let others speak as well, those with
            the lowest numbers first, as pyannote.audio does.
    """

    fill: bool = False

    def __call__(self, stitched: Stitched, at_most: int | None = None) -> Mask:
        """Decide; see `Binarizer`."""
        scores = stitched.frames.scores
        count = np.minimum(np.rint(stitched.count), at_most or np.inf)
        order = np.argsort(-scores, axis=1, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(scores.shape[1])[None], axis=1)
        return np.asarray((rank < count[:, None]) & (self.fill | (scores > 0)))


@dataclass(frozen=True)
class Hysteresis(_Durations):
    """A turn begins where the score rises above `onset` and lasts until it falls below `offset`.

    Args:
        onset: in (0, 1].
        offset: in (0, onset].
    """

    onset: float = 0.5
    offset: float = 0.4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.offset <= self.onset <= 1:
            raise ValueError(f"hysteresis needs 0 < offset ≤ onset ≤ 1; got {self.offset} and {self.onset}")

    def __call__(self, stitched: Stitched, at_most: int | None = None) -> Mask:
        """Decide; see `Binarizer`."""
        scores = stitched.frames.scores
        high, low = scores >= self.onset, scores < self.offset
        # Every frame follows the last decisive one before it: above onset, or below offset.
        index = np.where(high | low, np.arange(1, len(scores) + 1)[:, None], 0)
        last = np.maximum.accumulate(index, axis=0)
        mask = np.concatenate([np.zeros((1, scores.shape[1]), bool), high])
        active = np.take_along_axis(mask, last, axis=0)
        if at_most is not None and scores.shape[1] > at_most:
            order = np.argsort(np.where(active, -scores, np.inf), axis=1, kind="stable")
            np.put_along_axis(active, order[:, at_most:], False, axis=1)
        return active


BINARIZERS: dict[str, type[TopCount | Hysteresis]] = {"count": TopCount, "hysteresis": Hysteresis}
