"""Vectors of given stretches of sound, by any embedding model: what is left when others have segmented."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows, slide
from tertulia.embedding.campplus import CAMPPlus
from tertulia.embedding.voices import Embedder, Voices, unit
from tertulia.featurefiles import Features
from tertulia.frames import Grid
from tertulia.segmentation.activity import Activity

__all__ = ["sliding_voices", "stretch_voices"]

Samples = NDArray[np.float32]

_GRID = Grid(0.02)
_LONGEST = 20.0  # seconds that are embedded at once: memory grows with the square
_PIECE = 0.25


def stretch_voices(stretches: Sequence[Samples], embedder: Embedder, sample_rate: int = 16_000) -> Voices:
    """Embed stretches of one person each.

    Args:
        stretches: float32 (n,) each, at `sample_rate`.
        embedder: any embedding model.

    Returns:
        One window with one local speaker and one piece for each stretch, (stretches, 1, 1, dim), so that
        every clusterer takes them; NaN where a stretch is too short to embed.
    """
    rows = [_embedded(samples, embedder, sample_rate) for samples in stretches]
    dim = next((len(vector) for vector, _ in rows if vector is not None), 1)
    vectors = np.array([np.full(dim, np.nan) if vector is None else vector for vector, _ in rows])
    seconds = np.array([support for _, support in rows], np.float32).reshape(-1, 1, 1)
    present = np.array([len(samples) / sample_rate for samples in stretches], np.float32).reshape(-1, 1, 1)
    return Voices(
        vectors.astype(np.float32).reshape(-1, 1, 1, dim), seconds, seconds, present, hop=1.0, piece=1.0
    )


def _embedded(samples: Samples, embedder: Embedder, rate: int) -> tuple[Samples | None, float]:
    """Vector of one stretch and the seconds behind it: the sum over parts, weighted by their seconds."""
    parts = np.array_split(samples, max(1, round(len(samples) / rate / _LONGEST)))
    total, seconds = None, 0.0
    for part in parts:
        if len(part) < _GRID.step * rate:
            continue
        windows = Windows(part, 0, len(part), len(part), 1, 0, len(part), rate)
        voices = embedder(windows, _somebody(1, len(part) / rate, len(part) / rate))
        known = voices.embedded
        if known.any():
            weights = voices.solo[known].astype(np.float64) + 1e-3
            vector = weights @ unit(voices.vectors[known])
            total = vector if total is None else total + vector
            seconds += float(weights.sum())
    return (None, 0.0) if total is None else (unit(total.astype(np.float32)), seconds)


def sliding_voices(samples: Samples, width: float, embedder: CAMPPlus | None = None) -> Features:
    """Embed what is `width` seconds wide around the middle of every quarter of a second.

    Args:
        samples: float32 (n,) at 16 kHz, one person after the other.
        width: in seconds; less at the ends.
        embedder: a network that computes its frames once for all; by default the bundled one.

    Returns:
        Vectors (⌈n / 4000⌉, dim), zero where there is too little to embed.
    """
    base = embedder or CAMPPlus()
    network = dataclasses.replace(base, piece=_PIECE, reach=max(0.0, (width - _PIECE) / 2))
    rate, window, hop = network.sample_rate, 10.0, 5.0
    pieces = Grid(_PIECE).count(window)
    wanted = -(-len(samples) // round(_PIECE * rate))
    vectors = np.zeros((wanted, network.dim), np.float32)
    if not wanted:
        return Features(vectors, _PIECE)
    margin = round(network.margin * rate)
    for batch in slide(
        [samples], rate, size=round(window * rate), hop=round(hop * rate), batch=16, margin=margin
    ):
        voices = network(batch, _somebody(len(batch), window, hop))
        found = np.nan_to_num(voices.vectors[:, 0])  # (windows, pieces, dim)
        for i in range(len(batch)):
            # From each window the pieces that it sees with the most around them: its middle, and the ends.
            begin = round((batch.index + i) * hop / _PIECE)
            first = 0 if begin == 0 else pieces // 4
            count = min(pieces - first, wanted - begin - first)
            if count > 0:
                vectors[begin + first : begin + first + count] = found[i, first : first + count]
    return Features(vectors, _PIECE)


def _somebody(windows: int, seconds: float, hop: float) -> Activity:
    """One local speaker who never stops."""
    frames = max(1, _GRID.count(seconds))
    ones = np.ones((windows, frames, 1), np.float32)
    return Activity(ones, ones > 0, ones, ones[..., 0], _GRID, hop)
