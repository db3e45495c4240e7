"""The arrival-order speaker cache: the frames that show best who the speakers are, in the order they came.

Source: I. Medennikov et al., "Streaming Sortformer: Speaker cache-based online speaker diarization with
arrival-time ordering" (2025, arXiv 2507.18446), section 3; the numbers are those of its published checkpoint.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tertulia.endtoend.hearing import Array

__all__ = ["compress", "scores"]

_SILENT = 3  # frames of silence after each speaker
_SPOKEN = 0.5  # probability from which a frame shows a speaker
_LATEST = 0.05  # by which new frames are preferred to those in the cache
# Shares of a speaker's part of the cache whose scores are raised much, and a little.
_STRONG, _WEAK = 0.75, 1.5
_ENOUGH = 0.5  # share of it from which frames with others in them are not needed
_FLOOR = 0.25  # below it one probability is as good as another: logarithms stay finite
_RAISE = float(np.log(2))


def compress(
    frames: Array, activity: Array, silence: Array, length: int, old: int = 0
) -> tuple[Array, Array]:
    """Choose what the cache keeps.

    Args:
        frames: (frames, dim), in order.
        activity: their probabilities (frames, speakers).
        silence: mean frame in which nobody speaks, (dim,).
        length: frames that are kept.
        old: how many of the first frames were in the cache before.

    Returns:
        Frames (≤ length, dim) speaker by speaker, each followed by silence, and their probabilities.
    """
    speakers = activity.shape[1]
    share = max(1, length // speakers - _SILENT)  # frames of each speaker
    value = _raised(scores(activity, share), share, old)
    padded = np.concatenate([value, np.full((_SILENT, speakers), np.inf)])  # silence always stays
    # Speaker-major, so that cutting at the best and sorting by place gives the order of arrival.
    flat = padded.T.ravel()
    best = np.sort(np.argsort(-flat, kind="stable")[:length])
    best = best[flat[best] > -np.inf]
    at = best % len(padded)
    real = at < len(frames)
    kept = np.where(real[:, None], frames[np.where(real, at, 0)], silence)
    said = np.where(real[:, None], activity[np.where(real, at, 0)], np.float32(0))
    return kept.astype(np.float32), said.astype(np.float32)


def scores(activity: Array, share: int) -> NDArray[np.float64]:
    """Tell how well each frame shows each speaker, (frames, speakers); −∞ where not at all.

    It is log p_k / (1 − p_k) + Σ_j log (1 − p_j) + log 2: high where the speaker is certain and nobody else
    there. Where a speaker has enough frames of a positive score, others do not count.

    Args:
        activity: probabilities (frames, speakers).
        share: frames of the cache that are a speaker's.
    """
    p = activity.astype(np.float64)
    there, absent = np.log(np.maximum(p, _FLOOR)), np.log(np.maximum(1 - p, _FLOOR))
    value = there - absent + absent.sum(axis=1, keepdims=True) + np.log(2)
    spoken = activity > _SPOKEN
    value = np.where(spoken, value, -np.inf)
    enough = (value > 0).sum(axis=0) >= int(_ENOUGH * share)
    return np.where((value <= 0) & enough, -np.inf, value)


def _raised(value: NDArray[np.float64], share: int, old: int) -> NDArray[np.float64]:
    """Prefer new frames a little, and for each speaker some of the best, so that nobody is forgotten."""
    value = value.copy()
    value[old:] += _LATEST
    columns = np.arange(value.shape[1])
    for part, raised in ((_STRONG, 2 * _RAISE), (_WEAK, _RAISE)):
        best = np.argsort(-value, axis=0, kind="stable")[: max(1, int(part * share))]
        value[best, columns] += raised
    return value
