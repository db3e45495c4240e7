"""Diarization error rate (DER) and its parts, speech detection error, speaker-count error.

DER after the NIST Rich Transcription plan (RT-09, section 6.1). In every interval between two boundaries,
with N_ref and N_hyp speakers on the two sides and N_correct of them mapped onto one another:

    missed = max(0, N_ref − N_hyp)    false alarm = max(0, N_hyp − N_ref)
    confusion = min(N_ref, N_hyp) − N_correct    total = N_ref

each times the interval's length. The mapping of speakers is one-to-one and maximises the time they share in
the scored region, as in pyannote.metrics. md-eval, and so dscore, map before collars and overlap are taken
out; the two differ only where a collar or an overlap decides which speakers belong together.

`Diarization` joins overlapping or touching turns of one speaker, so such turns count once, and a boundary
between two touching turns of one speaker has no collar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tertulia.evaluation.partition import FloatArray, IntArray, Partition, partition
from tertulia.evaluation.protocol import DEFAULT, Protocol, ProtocolScore, Score
from tertulia.timeline import Diarization, Timeline

__all__ = [
    "DetectionError",
    "DiarizationError",
    "SpeakerCountError",
    "detection_error",
    "diarization_error",
    "speaker_count_error",
    "speaker_mapping",
]


@dataclass(frozen=True, kw_only=True)
class DiarizationError(ProtocolScore):
    """Seconds of speaker time, right and wrong; `total` is the speaker time of the reference.

    Rates are fractions of `total`. Where the reference holds no speech they are 0 without false alarms and 1
    with any, as in pyannote.metrics.
    """

    total: float = 0.0
    false_alarm: float = 0.0
    missed: float = 0.0
    confusion: float = 0.0
    correct: float = 0.0

    @property
    def der(self) -> float:
        """Diarization error rate: false alarm, missed and confusion; can exceed 1."""
        return _rate(self.false_alarm + self.missed + self.confusion, self.total)

    @property
    def false_alarm_rate(self) -> float:
        """Share of false alarm."""
        return _rate(self.false_alarm, self.total)

    @property
    def missed_rate(self) -> float:
        """Share of missed speech."""
        return _rate(self.missed, self.total)

    @property
    def confusion_rate(self) -> float:
        """Share of speech given to the wrong speaker."""
        return _rate(self.confusion, self.total)

    @property
    def correct_rate(self) -> float:
        """Share of speech given to the right speaker; 0 where the reference holds no speech."""
        return _rate(self.correct, self.total)


@dataclass(frozen=True, kw_only=True)
class DetectionError(ProtocolScore):
    """Seconds of speech against non-speech, whoever speaks; `total` is the speech of the reference."""

    total: float = 0.0
    false_alarm: float = 0.0
    missed: float = 0.0

    @property
    def error_rate(self) -> float:
        """False alarm and missed; without speech in the reference 0 or, with any false alarm, 1."""
        return _rate(self.false_alarm + self.missed, self.total)

    @property
    def false_alarm_rate(self) -> float:
        """Share of false alarm."""
        return _rate(self.false_alarm, self.total)

    @property
    def missed_rate(self) -> float:
        """Share of missed speech."""
        return _rate(self.missed, self.total)


@dataclass(frozen=True, kw_only=True)
class SpeakerCountError(Score):
    """How far the number of speakers is from the true one; no collar has a part in it."""

    CONDITIONS: ClassVar[tuple[str, ...]] = ()

    absolute_error: int = 0
    exact: int = 0
    files: int = 0

    @property
    def mean(self) -> float:
        """Mean absolute error in speakers a file; 0 for no files."""
        return self.absolute_error / self.files if self.files else 0.0

    @property
    def exact_rate(self) -> float:
        """Share of files with the right number of speakers; 1 for no files."""
        return self.exact / self.files if self.files else 1.0


def diarization_error(
    reference: Diarization,
    hypothesis: Diarization,
    *,
    uem: Timeline | None = None,
    protocol: Protocol = DEFAULT,
) -> DiarizationError:
    """Score one recording.

    Args:
        reference: who really spoke when.
        hypothesis: what a system says; its speaker names are free.
        uem: the scored region; by default from 0 to the latest end of either side.
        protocol: collar and overlap policy; by default no collar, overlap scored.
    """
    parts = partition(reference, hypothesis, uem, protocol)
    rows, columns = paired(parts.shared())
    return error_of_pairs(parts, rows, columns, protocol)


def speaker_mapping(
    reference: Diarization,
    hypothesis: Diarization,
    *,
    uem: Timeline | None = None,
    protocol: Protocol = DEFAULT,
) -> Mapping[str, str]:
    """Map hypothesis speakers to reference speakers, as `diarization_error` does; strangers are left out."""
    parts = partition(reference, hypothesis, uem, protocol)
    rows, columns = paired(parts.shared())
    return {
        parts.hypothesis_speakers[column]: parts.reference_speakers[row]
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    }


def detection_error(
    reference: Diarization,
    hypothesis: Diarization,
    *,
    uem: Timeline | None = None,
    protocol: Protocol = DEFAULT,
) -> DetectionError:
    """Score speech against non-speech, whoever speaks; overlapped speech counts once."""
    parts = partition(reference, hypothesis, uem, protocol)
    spoken, heard = parts.active(parts.reference) > 0, parts.active(parts.hypothesis) > 0
    return DetectionError(
        protocol=protocol,
        total=parts.seconds(spoken),
        false_alarm=parts.seconds(heard & ~spoken),
        missed=parts.seconds(spoken & ~heard),
    )


def speaker_count_error(
    reference: Diarization, hypothesis: Diarization, *, uem: Timeline | None = None
) -> SpeakerCountError:
    """Compare the numbers of speakers who are heard in the UEM."""
    parts = partition(reference, hypothesis, uem, DEFAULT)
    true, found = (int((parts.speech(side) > 0).sum()) for side in (parts.reference, parts.hypothesis))
    return SpeakerCountError(absolute_error=abs(found - true), exact=int(found == true), files=1)


def paired(shared: FloatArray) -> tuple[IntArray, IntArray]:
    """Pair rows with columns one-to-one (Hungarian method) so that pairs share the most time in all.

    Args:
        shared: seconds, shape (reference speakers, hypothesis speakers).

    Returns:
        Rows and columns, shape (pairs,) each; only pairs that share any time.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(shared, maximize=True)
    meet = shared[rows, columns] > 0
    return rows[meet], columns[meet]


def error_of_pairs(
    parts: Partition, rows: IntArray, columns: IntArray, protocol: Protocol
) -> DiarizationError:
    """Add up the errors when reference speakers `rows` are one with hypothesis speakers `columns`."""
    together = parts.reference[rows].multiply(parts.hypothesis[columns]).tocsr()
    spoken, heard = parts.active(parts.reference), parts.active(parts.hypothesis)
    right = parts.active(together)
    return DiarizationError(
        protocol=protocol,
        total=parts.seconds(spoken),
        false_alarm=parts.seconds(np.maximum(heard - spoken, 0)),
        missed=parts.seconds(np.maximum(spoken - heard, 0)),
        confusion=parts.seconds(np.minimum(spoken, heard) - right),
        correct=parts.seconds(right),
    )


def _rate(wrong: float, total: float) -> float:
    return wrong / total if total else float(wrong > 0)
