"""From windows to the whole recording: local activity and labels become scores on one grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tertulia.frames import Frames, Grid
from tertulia.segmentation.activity import Activity

__all__ = ["Stitched", "stitch"]


@dataclass(frozen=True, slots=True, eq=False)
class Stitched:
    """Scores of all speakers over the whole recording.

    Attributes:
        frames: (frames, speakers), mean over the windows that see a frame of the activity of each speaker.
        count: (frames,), mean of the number of people active at once.
    """

    frames: Frames
    count: NDArray[np.float32]


def stitch(activity: Activity, labels: NDArray[np.intp], duration: float) -> Stitched:
    """Average overlapping windows on a common grid.

    Where two local speakers of a window have one label, the stronger of them counts.

    Args:
        activity: of all windows.
        labels: (windows, local speakers, pieces) as clusterers give them; pieces divide the window evenly.
        duration: of the recording in seconds; frames beyond it are left out.
    """
    windows, frames, local = activity.scores.shape
    grid, step = activity.grid, activity.grid.step
    speakers = int(labels.max(initial=-1)) + 1
    total = Grid(step).count((windows - 1) * activity.hop) + frames
    scores = np.zeros((total, speakers), np.float32)
    count, seen = np.zeros(total, np.float32), np.zeros(total, np.float32)
    piece = np.arange(frames) * labels.shape[2] // frames
    every = np.arange(frames)
    for window in range(windows):
        first = Grid(step).count(window * activity.hop)
        here = slice(first, first + frames)
        count[here] += activity.count[window]
        seen[here] += 1
        mine = np.zeros((frames, speakers + 1), np.float32)  # the last column takes what has no label
        for speaker in range(local):
            label = labels[window, speaker, piece]
            mine[every, label] = np.maximum(mine[every, label], activity.scores[window, :, speaker])
        scores[here] += mine[:, :speakers]
    seen = np.maximum(seen, np.float32(1))
    scores /= seen[:, None]
    count /= seen
    kept = min(total, max(grid.nearest_edge(duration), 0))
    return Stitched(Frames(scores[:kept], grid), count[:kept])
