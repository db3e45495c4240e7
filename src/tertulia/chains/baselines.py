"""What a system has to beat: labels at random, nearest neighbours, and Gaussian mixtures.

They hear cepstra, and find speech with the bundled Gaussian models.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tertulia.chains.compared import Compared, Heard, heard_cells
from tertulia.chains.recording import Found, Stage
from tertulia.clustering.base import refuse_count
from tertulia.clustering.clr import cross_likelihood_ratios
from tertulia.errors import ModelMissingError, UsageError
from tertulia.featurefiles import Features
from tertulia.frames import Grid
from tertulia.gaussians import Statistics, viterbi
from tertulia.gaussians.background import background, voice_features
from tertulia.gaussians.shifts import Shifts
from tertulia.inference import WEIGHTS
from tertulia.mfcc import STEP
from tertulia.segmentation.mixtures import SPEECH, kinds_of_sound
from tertulia.speakers import Speakers

__all__ = ["GaussianChain", "NeighbourChain", "RandomChain", "cepstral_cells", "pair_features"]

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

_CEPSTRA = 13
_PER_CELL = 10  # frames
_FLOOR = 1e-3  # least variance of a cepstrum
_PAIRS = 4000  # compared with the known ones at once


def cepstral_cells(cepstra: NDArray[np.float32], speech: NDArray[np.bool_]) -> Heard:
    """Counts, sums and squares of c₁ to c₁₂ in cells of 0.1 s, (frames, 13) and (frames,)."""
    voice = cepstra[:, 1:_CEPSTRA].astype(np.float64)
    columns = np.concatenate([np.ones((len(voice), 1)), voice, np.square(voice)], axis=1)
    return heard_cells(columns, speech, _PER_CELL, STEP)


def pair_features(one: Array, other: Array) -> Array:
    """How two stretches differ: in means and logarithmic deviations, all positive.

    Sums of `cepstral_cells` (…, 25) each → (…, 24).
    """
    return np.abs(_summary(one) - _summary(other))


def _summary(sums: Array) -> Array:
    mean, variance = _moments(sums)
    return np.concatenate([mean, 10 * np.log(variance) / 2], axis=-1)


def _moments(sums: Array) -> tuple[Array, Array]:
    """Means and variances of stretches, (…, 25) → (…, 12) each."""
    count = np.maximum(sums[..., :1], 1.0)
    mean, square = np.split(sums[..., 1:] / count, 2, axis=-1)
    return mean, np.maximum(square - mean**2, _FLOOR)


def _checked(features: Features) -> NDArray[np.float32]:
    """Return the 13 cepstra that the models know, (frames, 13)."""
    dim = features.values.shape[1]
    if dim < _CEPSTRA or abs(features.step - STEP) > 1e-6:
        raise UsageError(
            f"this system needs at least {_CEPSTRA} cepstra, c0 first, every {STEP:g} s; "
            f"got {dim} features every {features.step:g} s"
        )
    return features.values[:, :_CEPSTRA]


@dataclass(frozen=True)
class RandomChain:
    """Speech cut at random and given to anybody: what every other system has to beat.

    Args:
        turn: mean length of a piece in seconds.
        speakers: how many there are when nobody says so.
        seed: of the draws; one recording, one answer.
    """

    turn: float = 3.0
    speakers: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.turn > 0 and self.speakers >= 1 and self.seed >= 0):
            raise ValueError("turn is above zero, speakers goes from 1 and seed from 0")

    @property
    def models(self) -> dict[str, str]:
        """Bundled models by name, for provenance."""
        return {"background": background().sha256}

    def __call__(self, features: Features, speakers: Speakers, stage: Stage) -> Found:
        """Find speech, and nothing else; see `Chain`."""
        cepstra = _checked(features)
        voiced = np.flatnonzero(SPEECH[kinds_of_sound(cepstra)])
        if len(voiced) < speakers.least and (speakers.num or speakers.minimum):
            raise refuse_count(speakers, len(voiced))
        stage(0.5)
        rng = np.random.default_rng(self.seed)
        wanted = max(self.speakers, speakers.least)
        count = min(wanted, speakers.most or wanted)
        piece = np.cumsum(rng.random(len(voiced)) < STEP / self.turn)  # (frames of speech,)
        # At least as many pieces as speakers: both sequences rise by one at most.
        piece = np.maximum(piece, np.arange(len(voiced)) // max(1, len(voiced) // count))
        pieces = int(piece.max(initial=0)) + 1
        drawn = rng.integers(count, size=pieces)
        some = min(count, pieces)
        drawn[np.arange(some) * (pieces // some)] = rng.permutation(count)[:some]  # everybody is there
        labels = np.full(len(cepstra), -1, dtype=np.intp)
        labels[voiced] = drawn[piece]
        stage(1.0)
        return Found([Grid(STEP).timeline(labels == k) for k in range(count)])


@dataclass(frozen=True)
class NeighbourChain(Compared):
    """How many of the known pairs that differ alike were of two voices: k nearest neighbours.

    Args:
        width: seconds of each of the two windows that look for boundaries.
        change: share of the votes for two voices above which a maximum is a boundary.
        apart: seconds between two boundaries at least.
        pause: seconds of silence after which a segment ends in any case.
        threshold: mean share of votes up to which segments are one person's.
        least: seconds of a segment that makes clusters; shorter ones join.
        smallest: share of all speech that somebody has.
        neighbours: that vote, each with one over its distance.
    """

    change: float = 0.6
    threshold: float = 0.5
    neighbours: int = 25

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.neighbours < 1:
            raise ValueError(f"neighbours goes from 1; got {self.neighbours}")

    @cached_property
    def known(self) -> tuple[Array, NDArray[np.bool_], Array, str]:
        """Known pairs (pairs, 24), whether each is of two voices, the scale of each feature, the checksum."""
        path = WEIGHTS / "knn-pairs.npz"
        try:
            data = path.read_bytes()
            with np.load(path, allow_pickle=False) as file:
                pairs, scale = file["pairs"].astype(np.float64), file["scale"].astype(np.float64)
                return pairs / scale, file["different"].astype(bool), scale, hashlib.sha256(data).hexdigest()
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ModelMissingError(f"{path} does not hold pairs of voices: {error}") from error

    @property
    def models(self) -> dict[str, str]:
        """Bundled models by name, for provenance."""
        return {"background": background().sha256, "knn-pairs": self.known[3]}

    def heard(self, features: Features) -> Heard:
        """Find speech; see `Compared`."""
        cepstra = _checked(features)
        return cepstral_cells(cepstra, SPEECH[kinds_of_sound(cepstra)])

    def distances(self, one: Array, other: Array) -> Array:
        """Share of votes for two voices."""
        return self.votes(pair_features(one, other))

    def table(self, heard: Heard, bounds: NDArray[np.intp]) -> Array:
        """Share of votes for two voices, of every two."""
        sums = heard.sums(bounds[:, 0], bounds[:, 1])
        first, second = np.triu_indices(len(sums), 1)
        table = np.zeros((len(sums), len(sums)))
        for begin in range(0, len(first), _PAIRS):
            a, b = first[begin : begin + _PAIRS], second[begin : begin + _PAIRS]
            table[a, b] = table[b, a] = self.votes(pair_features(sums[a], sums[b]))
        return table

    def votes(self, pairs: Array) -> Array:
        """Weighted share of neighbours that are of two voices, (pairs, 24) → (pairs,)."""
        known, different, scale, _ = self.known
        count = min(self.neighbours, len(known))
        shares = np.empty(len(pairs))
        for begin in range(0, len(pairs), _PAIRS):
            here = pairs[begin : begin + _PAIRS] / scale
            squared = (here**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * here @ known.T
            near = np.argpartition(squared, count - 1, axis=1)[:, :count]
            weights = 1 / np.sqrt(np.maximum(np.take_along_axis(squared, near, axis=1), 1e-6))
            shares[begin : begin + _PAIRS] = (weights * different[near]).sum(axis=1) / weights.sum(axis=1)
        return shares


@dataclass(frozen=True, eq=False)
class _HeardFrames(Heard):
    """Cells with their frames.

    Attributes:
        frames: `voice_features` of the cells, (cells · 10 or a few less, 25).
        cells: cell of each frame, (frames,).
    """

    frames: NDArray[np.float32]
    cells: Labels


@dataclass(frozen=True)
class GaussianChain(Compared):
    """GMM-UBM: every segment adapts the background model, and models are compared by likelihood ratios.

    Boundaries are maxima of the likelihood ratio of two windows. Sources: Reynolds, Quatieri & Dunn (2000)
    for the adaptation (maximum a posteriori, means alone); `tertulia.clustering.clr` for the ratio.

    Args:
        width: seconds of each of the two windows that look for boundaries.
        change: likelihood ratio of them, in nats a frame, above which a maximum is a boundary.
        apart: seconds between two boundaries at least.
        pause: seconds of silence after which a segment ends in any case.
        threshold: negative cross likelihood ratio up to which segments are one person's.
        least: seconds of a segment that makes clusters; shorter ones join.
        smallest: share of all speech that somebody has.
        relevance: frames at which a component is half-way between the background and the speaker.
        stay: seconds that a turn lasts at least, when at last every moment is scored by every model.
        switch: log probability of a change of speaker there.
    """

    change: float = 0.6
    threshold: float = 0.0
    relevance: float = 16.0
    stay: float = 1.0
    switch: float = -20.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.relevance > 0 and self.stay > 0 and self.switch <= 0):
            raise ValueError("relevance and stay are above zero, switch is not")

    @property
    def models(self) -> dict[str, str]:
        """Bundled models by name, for provenance."""
        return {"background": background().sha256}

    def heard(self, features: Features) -> Heard:
        """Find speech; see `Compared`."""
        cepstra = _checked(features)
        cells = cepstral_cells(cepstra, SPEECH[kinds_of_sound(cepstra)])
        at = cells.where[:, None] * _PER_CELL + np.arange(_PER_CELL)  # (cells, frames of a cell)
        inside = at < len(cepstra)
        numbers = np.broadcast_to(np.arange(len(cells))[:, None], at.shape)[inside]
        voices = voice_features(cepstra)[at[inside]]
        return _HeardFrames(cells.where, cells.total, cells.step, voices, numbers)

    def distances(self, one: Array, other: Array) -> Array:
        """Generalised likelihood ratio of diagonal Gaussians, in nats a frame."""
        both = one + other
        logs = [np.log(_moments(sums)[1]).sum(axis=1) * sums[:, 0] for sums in (both, one, other)]
        return np.asarray((logs[0] - logs[1] - logs[2]) / 2 / np.maximum(both[:, 0], 1))

    def table(self, heard: Heard, bounds: NDArray[np.intp]) -> Array:
        """Negative cross likelihood ratios of every two."""
        assert isinstance(heard, _HeardFrames)
        edges = np.searchsorted(heard.cells, bounds)  # (segments, 2), frames
        seen = [Statistics.of(background().ubm, heard.frames[a:b]) for a, b in edges.tolist()]
        if not seen:
            return np.empty((0, 0))
        return -cross_likelihood_ratios(background().ubm, seen)

    def refined(self, heard: Heard, labels: Labels) -> Labels:
        """Score every cell with the adapted model of every speaker; the best way through."""
        speakers = labels.max(initial=-1) + 1
        if speakers < 2:
            return labels
        assert isinstance(heard, _HeardFrames)
        seen = Shifts.of(background().ubm, heard.frames)
        of_frame = labels[heard.cells]
        adapted = [seen.adapted(*seen.statistics(of_frame == k), self.relevance) for k in range(speakers)]
        scores = seen.totals(adapted, np.searchsorted(heard.cells, np.arange(len(heard) + 1)))
        again = viterbi(scores, max(1, round(self.stay / heard.step)), self.switch)
        return again if len(np.unique(again)) == speakers else labels
