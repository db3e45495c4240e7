"""Segmentation of speech into stretches of one speaker, in two passes.

The first finds changes: maxima of the generalised likelihood ratio of two windows that slide along. It finds
too many; the second joins neighbours that one Gaussian describes as well as two (ΔBIC ≤ 0).

Sources: Meignier & Merlin, "LIUM SpkDiarization: an open source toolkit for diarization" (CMU SPUD Workshop
2010); Barras, Zhu, Meignier & Gauvain, "Multistage speaker diarization of broadcast news", IEEE TASLP 14
(2006). Features are cepstra without slopes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tertulia.gaussians import Moments, adjacent, bic_shift, glr

__all__ = ["bic_segments", "glr_changes", "linear_bic", "quiet_edges"]

Array = NDArray[np.float32]
Indices = NDArray[np.intp]

_HOP = 10  # frames between two places where a change may be


def bic_segments(features: Array, width: int = 250, weight: float = 2.0) -> Indices:
    """Segment features in both passes.

    Args:
        features: (frames, dim), of speech alone.
        width: frames of each of the two windows, and of a segment at least, save in shorter features.
        weight: λ of the second pass; higher leaves fewer segments.

    Returns:
        First frame and last frame + 1 of each segment, (segments, 2); they tile the features.
    """
    edges = np.concatenate([[0], glr_changes(features, width), [len(features)]])
    bounds = np.stack([edges[:-1], edges[1:]], axis=1)
    if not len(features):
        return np.empty((0, 2), dtype=np.intp)
    labels = linear_bic(Moments.of(features, bounds), weight)
    first = np.flatnonzero(np.diff(labels, prepend=-1))
    return np.stack([bounds[first, 0], np.append(bounds[first[1:], 0], len(features))], axis=1)


def glr_changes(features: Array, width: int = 250) -> Indices:
    """Frames at which the likelihood ratio of the windows before and after is highest within `width` frames.

    (frames, dim) → (changes,), none closer than `width` to another or to an end.
    """
    from scipy.signal import find_peaks

    places, before, after = adjacent(features, width // _HOP * _HOP, _HOP)
    if not len(places):
        return np.empty(0, dtype=np.intp)
    # find_peaks sees no maximum at the ends of the curve unless something lower is beyond.
    curve = np.concatenate([[-1.0], glr(before, after), [-1.0]])
    peaks, _ = find_peaks(curve, distance=max(1, width // _HOP))
    return np.asarray(places[peaks - 1], dtype=np.intp)


def linear_bic(stretches: Moments, weight: float) -> Indices:
    """Join each stretch to what is before it where one Gaussian is enough for both: ΔBIC ≤ 0.

    Args:
        stretches: in order of time.
        weight: λ of the penalty.

    Returns:
        Label of each stretch, (stretches,), numbered from 0 in order of time.
    """
    labels = np.zeros(len(stretches), dtype=np.intp)
    if not len(stretches):
        return labels
    current = stretches[:1]
    for i in range(1, len(stretches)):
        following = stretches[i : i + 1]
        if bic_shift(current, following, weight)[0] > 0:
            labels[i], current = labels[i - 1] + 1, following
        else:
            labels[i], current = labels[i - 1], current + following
    return labels


def quiet_edges(labels: Indices, loudness: Array, reach: int = 25) -> Indices:
    """Move each change of label to the quietest frame within `reach` frames, but not into another change.

    Args:
        labels: (frames,).
        loudness: of each frame, (frames,), such as c₀.
        reach: frames to either side.

    Returns:
        (frames,).
    """
    moved = labels.copy()
    if not len(labels):
        return moved
    smooth = np.convolve(np.pad(loudness.astype(np.float64), 2, mode="edge"), np.ones(5) / 5, mode="valid")
    edges = np.flatnonzero(np.diff(labels)) + 1
    around = np.concatenate([[0], edges, [len(labels)]])
    for before, edge, after in zip(around[:-2], edges, around[2:], strict=True):
        first = max(edge - reach, (before + edge) // 2 + 1)
        last = min(edge + reach, (edge + after) // 2)
        if first < last:
            quiet = first + int(smooth[first:last].argmin())
            moved[min(quiet, edge) : max(quiet, edge)] = labels[edge] if quiet < edge else labels[edge - 1]
    return moved
