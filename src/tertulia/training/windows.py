"""References as frames of a window: activity, powerset classes, and errors counted frame by frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tertulia.evaluation import DiarizationError
from tertulia.frames import Grid
from tertulia.segmentation.powerset import powerset
from tertulia.timeline import Diarization

__all__ = ["activity", "class_labels", "window_errors"]

Mask = NDArray[np.bool_]


def activity(reference: Diarization, grid: Grid, frames: int) -> Mask:
    """Tell who is active in the first `frames` cells of a grid, (frames, speakers of the reference)."""
    columns = [grid.mask(timeline, frames) for _, timeline in reference.items()]
    return np.stack(columns, axis=1) if columns else np.zeros((frames, 0), dtype=bool)


def class_labels(active: Mask, speakers: int, together: int) -> NDArray[np.int64]:
    """Number the powerset class of every frame, (frames, people) → (frames,).

    Of more people than `speakers`, those with the most speech in the window are kept, in order of it; of more
    than `together` at once, the first of these.
    """
    most = np.argsort(-active.sum(axis=0), kind="stable")[:speakers]
    kept = np.zeros((len(active), speakers), dtype=bool)
    kept[:, : len(most)] = active[:, most]
    kept &= np.cumsum(kept, axis=1) <= together
    members = powerset(speakers, together)  # (classes, speakers)
    return np.asarray((kept[:, None, :] == members).all(axis=2).argmax(axis=1), dtype=np.int64)


def window_errors(reference: Mask, hypothesis: Mask, step: float) -> DiarizationError:
    """Count the errors of a window under the best mapping of its speakers; (frames, speakers) each."""
    from scipy.optimize import linear_sum_assignment

    together = reference.T.astype(float) @ hypothesis  # (speakers, speakers): frames they share
    rows, columns = linear_sum_assignment(together, maximize=True)
    right = sum(reference[:, r] & hypothesis[:, c] for r, c in zip(rows, columns, strict=True))
    there, found = reference.sum(axis=1), hypothesis.sum(axis=1)  # (frames,)
    return DiarizationError(
        total=step * float(there.sum()),
        false_alarm=step * float(np.maximum(found - there, 0).sum()),
        missed=step * float(np.maximum(there - found, 0).sum()),
        confusion=step * float((np.minimum(there, found) - right).sum()),
    )
