"""Diarization by a siamese network: segments compared, boundaries between speakers, silence.

The twin branches learnt from pairs whether two stretches are one voice; see `tertulia.networks.twin`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tertulia.audio import Recording
from tertulia.audio.windows import slide
from tertulia.binarize import Hysteresis
from tertulia.chains.compared import Compared, Heard
from tertulia.embedding.siamese import CELL, Siamese, summed
from tertulia.errors import UsageError
from tertulia.featurefiles import Features
from tertulia.frames import Frames, Grid
from tertulia.gaussians import viterbi
from tertulia.progress import Progress, Report
from tertulia.segmentation.speech import SileroSegmenter
from tertulia.stitch import Stitched

__all__ = ["SiameseChain"]

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

_RATE = 16_000
_WINDOW = 10.0  # seconds the networks see at once
_BATCH = 16
_READING = 0.9  # share of the progress
_ONSET, _OFFSET = 0.2, 0.1  # low for Silero, as `tertulia.detection` has it: speech may be far away
_PAUSE = 0.2  # seconds; shorter pauses belong to the speech around them
_ROUNDS = 2


@dataclass(frozen=True)
class SiameseChain(Compared):
    """Distances are those of the vectors of twin branches, which have length 1.

    Args:
        width: seconds of each of the two windows that look for boundaries.
        change: distance of them above which a maximum is a boundary.
        apart: seconds between two boundaries at least.
        pause: seconds of silence after which a segment ends in any case.
        threshold: mean distance up to which segments are one person's.
        least: seconds of a segment that makes clusters; shorter ones join.
        smallest: share of all speech that somebody has.
        weights: of the branches, see `tertulia.embedding.siamese.Siamese`.
        stay: seconds that a turn lasts at least, when at last every moment is compared with every speaker.
        switch: what a change of speaker costs there, in units of cosine times cells.
        threads: 0 takes one a core.
    """

    change: float = 1.0
    threshold: float = 1.3
    weights: str = "siamese-mfcc"
    stay: float = 0.5
    switch: float = 2.0
    threads: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.stay > 0 and self.switch >= 0):
            raise ValueError(f"stay is above zero, switch from zero; got {self.stay} and {self.switch}")
        _ = self.branch

    @cached_property
    def branch(self) -> Siamese:
        """One of the twins."""
        return Siamese(weights=self.weights, threads=self.threads)

    @cached_property
    def silero(self) -> SileroSegmenter:
        """What tells speech."""
        return SileroSegmenter(hop=_WINDOW, threads=self.threads)

    @property
    def models(self) -> dict[str, str]:
        """Networks by name, for provenance."""
        networks = {**self.silero.networks, **self.branch.networks}
        return {name: network.sha256 for name, network in networks.items()}

    def hear(self, recording: Recording, progress: Report | None) -> tuple[Features, float]:
        """Hear an open mono recording: probability of speech and sums of frames of each cell.

        Returns:
            (cells, 1 + columns) every `CELL` seconds, and the length of the recording in seconds.
        """
        parts, end = [], 0.0
        size = round(_WINDOW * _RATE)
        blocks = (block[0] for block in recording)
        for windows in slide(blocks, _RATE, size=size, hop=size, batch=_BATCH):
            speech = self.silero(windows)  # scores (windows, frames, 1)
            for index, scores in enumerate(speech.scores[..., 0]):
                begin = windows.lead + index * windows.hop
                samples = windows.samples[begin : min(begin + size, windows.sound)]
                if len(samples):
                    parts.append(self._cells(samples, scores, speech.grid))
            end = windows.end
            if progress:
                progress(Progress(_READING * end, recording.duration))
        values = np.concatenate(parts) if parts else np.empty((0, 1 + self.branch.columns), np.float32)
        return Features(values, CELL), end

    def _cells(
        self, samples: NDArray[np.float32], scores: NDArray[np.float32], grid: Grid
    ) -> NDArray[np.float32]:
        """One window: samples (n,), scores (frames,) on their grid → (cells, 1 + columns)."""
        frames = Grid(0.01)
        fine = frames.middles(max(1, frames.count(len(samples) / _RATE)))
        probability = scores[np.clip(grid.indices(fine), 0, len(scores) - 1)]  # every 10 ms
        sums = self.branch.cells(samples, probability >= _ONSET)
        edges = np.clip(np.rint(np.arange(len(sums) + 1) * CELL / frames.step), 0, len(fine)).astype(np.intp)
        counts = np.maximum(np.diff(edges), 1)
        mean = np.diff(summed(probability[:, None])[edges][:, 0]) / counts
        return np.concatenate([mean[:, None], sums], axis=1).astype(np.float32)

    def heard(self, features: Features) -> Heard:
        """Find speech; see `Compared`."""
        if features.values.shape[1] != 1 + self.branch.columns:
            raise UsageError("a siamese network hears sound; it cannot do with a file of features")
        scores = Frames(features.values[:, :1], Grid(features.step))
        rule = Hysteresis(onset=_ONSET, offset=_OFFSET, min_duration_off=_PAUSE)
        speech = rule(Stitched(scores, scores.scores[:, 0]))[:, 0]
        where = np.flatnonzero(Grid(CELL).mask(rule.timeline(speech, Grid(CELL)), len(speech)))
        return Heard(where, summed(features.values[where, 1:]), features.step)

    def distances(self, one: Array, other: Array) -> Array:
        """Euclidean distances of the vectors; where nothing is heard, nothing speaks for a change."""
        a, b = self.branch.pooled(one), self.branch.pooled(other)
        known = a.any(axis=1) & b.any(axis=1)
        return np.asarray(np.where(known, np.linalg.norm(a - b, axis=1), 0.0), dtype=np.float64)

    def table(self, heard: Heard, bounds: NDArray[np.intp]) -> Array:
        """Distances of every two; from a segment too short to embed to all others, as far as can be."""
        vectors = self.branch.pooled(heard.sums(bounds[:, 0], bounds[:, 1])).astype(np.float64)
        squared = 2 - 2 * vectors @ vectors.T
        unknown = ~vectors.any(axis=1)
        squared[unknown] = squared[:, unknown] = 4.0
        return np.asarray(np.sqrt(np.maximum(squared, 0)))

    def refined(self, heard: Heard, labels: Labels) -> Labels:
        """Compare what is around every cell with every speaker, and go the best way through (Viterbi)."""
        speakers = labels.max(initial=-1) + 1
        if speakers < 2:
            return labels
        half = max(1, round(self.width / 2 / heard.step))
        at = np.arange(len(heard))
        last = np.minimum(at + half + 1, len(heard))
        around = self.branch.pooled(heard.sums(np.maximum(at - half, 0), last))  # (cells, dim)
        for _ in range(_ROUNDS):
            members = labels[:, None] == np.arange(speakers)  # (cells, speakers)
            sums = members.T @ np.diff(heard.total, axis=0)  # (speakers, columns)
            scores = around @ self.branch.pooled(sums).T
            again = viterbi(scores.astype(np.float64), max(1, round(self.stay / heard.step)), -self.switch)
            # Nobody who was asked for may be lost where a short stay loses against its neighbours.
            if len(np.unique(again)) < speakers or (again == labels).all():
                break
            labels = again
        return labels
