"""Keeping a promise about the number of speakers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tertulia.binarize import Binarizer
from tertulia.errors import UsageError
from tertulia.frames import Frames
from tertulia.speakers import Speakers
from tertulia.stitch import Stitched

__all__ = ["insist"]

_STRETCH = 0.5  # seconds handed to a speaker who would have none


def insist(stitched: Stitched, binarize: Binarizer, speakers: Speakers) -> Stitched:
    """Give speakers who are outvoted everywhere their best stretch, if the user said that they are there.

    Clusterers return as many speakers as they are asked for, but the average over windows can still leave one
    without a single frame. Nothing is changed when the number of speakers was left open.

    Raises:
        UsageError: when the recording is too short for everybody to get a stretch.
    """
    wanted = speakers.least if speakers.num or speakers.minimum else 0
    scores, count = stitched.frames.scores.copy(), stitched.count.copy()
    width = max(1, stitched.frames.grid.count(_STRETCH))
    handed: set[int] = set()
    for _ in range(scores.shape[1] + 1):
        result = Stitched(Frames(scores, stitched.frames.grid), count)
        heard = binarize(result).any(axis=0) if scores.size else np.zeros(scores.shape[1], dtype=bool)
        if heard.sum() >= wanted:
            return result
        silent = [k for k in np.flatnonzero(~heard) if k not in handed]
        if not silent:
            break
        k = int(max(silent, key=lambda k: stitched.frames.scores[:, k].sum()))
        handed.add(k)
        begin = _best(stitched.frames.scores[:, k], width)
        scores[begin : begin + width] = 0
        scores[begin : begin + width, k] = 1
        count[begin : begin + width] = np.maximum(count[begin : begin + width], 1)
    raise UsageError(
        f"{speakers} speakers were asked for, but only {int(heard.sum())} can be told apart in this recording"
    )


def _best(scores: NDArray[np.float32], width: int) -> int:
    """Begin of the stretch of `width` frames with the highest total, (frames,) → index."""
    total = np.concatenate([[0.0], np.cumsum(scores, dtype=np.float64)])
    width = min(width, len(scores))
    return int(np.argmax(total[width:] - total[:-width])) if len(scores) else 0
