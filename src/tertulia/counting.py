"""Keeping a promise about the number of speakers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tertulia.binarize import Binarizer
from tertulia.errors import UsageError
from tertulia.frames import Frames
from tertulia.speakers import Speakers
from tertulia.stitch import Stitched

__all__ = ["insist", "reconcile"]

_STRETCH = 0.5  # seconds handed to a speaker who would have none


def insist(stitched: Stitched, binarize: Binarizer, speakers: Speakers) -> Stitched:
    """Give speakers who are outvoted everywhere their best stretch, if the user said that they are there.

    Clusterers return as many speakers as they are asked for, but the average over windows can still leave one
    without a single frame. Nothing is changed when the number of speakers was left open.

    Raises:
        UsageError: when the recording is too short for everybody to get a stretch.
    """
    if not (speakers.num or speakers.minimum):
        return stitched
    given, grid = stitched.frames.scores, stitched.frames.grid
    scores, count = given.copy(), stitched.count.copy()
    width = max(1, grid.count(_STRETCH))
    silent = {k for k in range(scores.shape[1]) if given[:, k].any()}  # and not handed a stretch yet
    while True:
        result = Stitched(Frames(scores, grid), count)
        heard = {k for k, mask in enumerate(binarize(result).T) if len(binarize.timeline(mask, grid))}
        if len(heard) >= speakers.least:
            return result
        if not silent - heard:
            break
        k = max(sorted(silent - heard), key=lambda k: given[:, k].sum())
        silent.remove(k)
        begin = _best(given[:, k], width)
        scores[begin : begin + width] = 0
        scores[begin : begin + width, k] = 1
        count[begin : begin + width] = np.maximum(count[begin : begin + width], 1)
    raise UsageError(
        f"{speakers} speakers were asked for, but only {len(heard)} can be told apart in this recording"
    )


def reconcile(stitched: Stitched, speakers: Speakers) -> Stitched:
    """Make the number of people at once and the number of speakers fit each other.

    No more people are counted than there may be. Where more are counted than speakers were found, speakers
    without any score are added; binarizers leave them silent or, as `TopCount.fill`, make use of them.
    """
    scores, grid = stitched.frames.scores, stitched.frames.grid
    count = np.minimum(stitched.count, np.float32(speakers.most or np.inf))
    missing = max(0, int(np.rint(count.max(initial=0))) - scores.shape[1])
    return Stitched(Frames(np.pad(scores, ((0, 0), (0, missing))), grid), count)


def _best(scores: NDArray[np.float32], width: int) -> int:
    """Begin of the stretch of `width` frames with the highest total, (frames,) → index."""
    total = np.concatenate([[0.0], np.cumsum(scores, dtype=np.float64)])
    width = min(width, len(scores))
    return int(np.argmax(total[width:] - total[:-width]))
