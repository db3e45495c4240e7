"""Metrics of clusterings, weighted by time: purity, coverage, Rand indices, mutual information."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tertulia.evaluation.partition import FloatArray, IntArray, Partition, partition
from tertulia.evaluation.protocol import DEFAULT, Protocol, ProtocolScore
from tertulia.timeline import Diarization, Timeline

__all__ = ["ClusterAgreement", "ClusterPurity", "cluster_agreement", "cluster_purity"]

# Relative size under which a difference of sums is rounding noise.
_NOISE = 1e-12


@dataclass(frozen=True, kw_only=True)
class ClusterPurity(ProtocolScore):
    """Seconds of speaker time: how much of each side its best partner on the other side holds."""

    hypothesis_time: float = 0.0
    pure: float = 0.0
    reference_time: float = 0.0
    covered: float = 0.0

    @property
    def purity(self) -> float:
        """Share of the hypothesis that its clusters' main reference speakers hold; 1 when it is empty."""
        return self.pure / self.hypothesis_time if self.hypothesis_time else 1.0

    @property
    def coverage(self) -> float:
        """Share of the reference that its speakers' main clusters hold; 1 when it is empty."""
        return self.covered / self.reference_time if self.reference_time else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of purity and coverage."""
        both = self.purity + self.coverage
        return 2 * self.purity * self.coverage / both if both else 0.0


def cluster_purity(
    reference: Diarization,
    hypothesis: Diarization,
    *,
    uem: Timeline | None = None,
    protocol: Protocol = DEFAULT,
) -> ClusterPurity:
    """Score one recording as pyannote.metrics' `DiarizationPurity` and `DiarizationCoverage` do.

    With no collar, overlap scored and no UEM the two agree; pyannote.metrics ignores all three here.
    """
    parts = partition(reference, hypothesis, uem, protocol)
    shared = parts.shared()
    return ClusterPurity(
        protocol=protocol,
        hypothesis_time=float(parts.speech(parts.hypothesis).sum()),
        pure=float(shared.max(axis=0, initial=0.0).sum()),
        reference_time=float(parts.speech(parts.reference).sum()),
        covered=float(shared.max(axis=1, initial=0.0).sum()),
    )


@dataclass(frozen=True, kw_only=True)
class ClusterAgreement(ProtocolScore):
    """Two partitions of the same time, compared through pairs of instants and through entropy.

    The time is that in which either side has speech. On each side the class of an instant is the *set* of
    speakers then active: two people together are a class of their own, nobody is one too, so missed speech
    and false alarms count as disagreement. With t_ij the seconds of class i in the reference and j in the
    hypothesis, a_i and b_j their sums and T the sum of all, the fields are, of each recording,

        seconds T    pairs T²    together Σ t_ij²    reference_pairs Σ a_i²    hypothesis_pairs Σ b_j²
        chance Σ a_i² · Σ b_j² / T²

    and T times the mutual information and the two entropies, in nats. These are the usual indices of counted
    frames in the limit of short frames. Pooled over recordings, pairs are those of instants of one recording,
    and the information is the mean over recordings weighted by their time.
    """

    seconds: float = 0.0
    pairs: float = 0.0
    together: float = 0.0
    reference_pairs: float = 0.0
    hypothesis_pairs: float = 0.0
    chance: float = 0.0
    information: float = 0.0
    reference_entropy: float = 0.0
    hypothesis_entropy: float = 0.0

    @property
    def rand_index(self) -> float:
        """Share of pairs of instants on which both sides agree (Rand 1971); 1 when there is no speech."""
        if not self.pairs:
            return 1.0
        return 1.0 + (2 * self.together - self.reference_pairs - self.hypothesis_pairs) / self.pairs

    @property
    def adjusted_rand_index(self) -> float:
        """Rand index less chance (Hubert & Arabie 1985); 1 where chance leaves nothing to decide."""
        most = (self.reference_pairs + self.hypothesis_pairs) / 2
        if most - self.chance <= _NOISE * self.pairs:
            return 1.0
        return (self.together - self.chance) / (most - self.chance)

    @property
    def mutual_information(self) -> float:
        """Information that one side gives about the other, in nats; 0 when there is no speech."""
        return self.information / self.seconds if self.seconds else 0.0

    @property
    def normalized_mutual_information(self) -> float:
        """Mutual information over the mean of the entropies; 1 where neither side distinguishes anything."""
        mean = (self.reference_entropy + self.hypothesis_entropy) / 2
        return self.information / mean if mean > _NOISE * self.seconds else 1.0


def cluster_agreement(
    reference: Diarization,
    hypothesis: Diarization,
    *,
    uem: Timeline | None = None,
    protocol: Protocol = DEFAULT,
) -> ClusterAgreement:
    """Compare the clusterings of one recording; symmetric but for the collars, which are the reference's."""
    parts = partition(reference, hypothesis, uem, protocol)
    cells, a, b = _contingency(parts)
    total = float(cells.sum())
    a_pairs, b_pairs = float(a @ a), float(b @ b)
    a_entropy, b_entropy, joint = (_entropy(shares) for shares in (a, b, cells))
    return ClusterAgreement(
        protocol=protocol,
        seconds=total,
        pairs=total**2,
        together=float(cells @ cells),
        reference_pairs=a_pairs,
        hypothesis_pairs=b_pairs,
        chance=a_pairs * b_pairs / total**2 if total else 0.0,
        information=max(a_entropy + b_entropy - joint, 0.0),
        reference_entropy=a_entropy,
        hypothesis_entropy=b_entropy,
    )


def _contingency(parts: Partition) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the seconds of all class pairs that occur, of reference classes and of hypothesis classes."""
    anyone = (parts.active(parts.reference) + parts.active(parts.hypothesis)) > 0
    durations = parts.durations[anyone]
    rows, columns = (_classes(side)[anyone] for side in (parts.reference, parts.hypothesis))
    _, cell = np.unique(np.stack([rows, columns]), axis=1, return_inverse=True)
    # Some versions of numpy give the inverse a second dimension when there is an axis.
    sums = [np.bincount(classes.ravel(), weights=durations) for classes in (cell, rows, columns)]
    of_cells, of_rows, of_columns = (np.asarray(seconds, dtype=np.float64) for seconds in sums)
    return of_cells, of_rows, of_columns


def _classes(activity: Any) -> IntArray:
    """Number the sets of active speakers, activity CSR (speakers, intervals) -> (intervals,)."""
    columns = activity.tocsc()
    columns.sort_indices()
    numbers: dict[bytes, int] = {}
    sets = (columns.indices[start:end].tobytes() for start, end in pairwise(columns.indptr.tolist()))
    return np.array([numbers.setdefault(speakers, len(numbers)) for speakers in sets], dtype=np.int64)


def _entropy(seconds: FloatArray) -> float:
    """Return −Σ t·log(t / T), that is T times the entropy in nats, of seconds t with the sum T."""
    some = seconds[seconds > 0]
    total = some.sum()
    return float(-(some * np.log(some / total)).sum())
