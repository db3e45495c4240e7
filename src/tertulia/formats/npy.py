"""Activity as numbers: a NumPy file of float32 (frames, speakers), a frame every 0.08 s. Written, not read.

Systems that hear the whole conversation at once (`sortformer-tiny`) give probabilities, one column for each
output in order of arrival; of all others there is 1 where a speaker has a turn, and 0 elsewhere.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from tertulia.frames import Grid
from tertulia.timeline import Diarization

__all__ = ["STEP", "dumps", "matrix"]

STEP = 0.08
"""Seconds between two rows."""


def matrix(diarization: Diarization) -> NDArray[np.float32]:
    """Return who is active when, (frames, speakers) in [0, 1]; column i is the i-th of `speakers`.

    Outputs of a system in which nobody was found are columns beyond these.
    """
    if diarization.activity is not None:
        return np.asarray(diarization.activity, dtype=np.float32)
    grid, end = Grid(STEP), diarization.duration
    if end is None:
        end = max((timeline.bounds[-1, 1] for _, timeline in diarization.items()), default=0.0)
    found = np.zeros((int(np.ceil(round(end / STEP, 6))), len(diarization.speakers)), np.float32)
    for column, (_, timeline) in enumerate(diarization.items()):
        found[:, column] = grid.mask(timeline, len(found))
    return found


def dumps(diarization: Diarization) -> bytes:
    """Return the content of the file."""
    with io.BytesIO() as file:
        np.save(file, matrix(diarization), allow_pickle=False)
        return file.getvalue()
