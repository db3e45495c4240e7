"""Emotion diarization error rate (EDER), Wang, Ravanelli & Yacoubi 2023, "Speech Emotion Diarization".

EDER = (false alarm + missed emotion + confusion) / duration of the utterance (arXiv 2306.12991). An
annotation of emotions is a `Diarization` whose "speakers" are emotions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tertulia.evaluation.diarization import error_of_pairs
from tertulia.evaluation.partition import partition
from tertulia.evaluation.protocol import DEFAULT, Protocol, ProtocolScore
from tertulia.evaluation.report import check_names
from tertulia.timeline import Diarization, Timeline

__all__ = ["EmotionError", "emotion_error", "score_emotions"]


@dataclass(frozen=True, kw_only=True)
class EmotionError(ProtocolScore):
    """Seconds of wrong emotion in `duration` scored seconds."""

    duration: float = 0.0
    false_alarm: float = 0.0
    missed: float = 0.0
    confusion: float = 0.0

    @property
    def eder(self) -> float:
        """Emotion diarization error rate; 0 when nothing is scored."""
        wrong = self.false_alarm + self.missed + self.confusion
        return wrong / self.duration if self.duration else 0.0

    def to_dict(self) -> dict[str, float]:
        """Rates as fractions of the scored duration."""
        whole = self.duration or 1.0
        parts = {name: getattr(self, name) / whole for name in ("false_alarm", "missed", "confusion")}
        return {"eder": self.eder, **parts}


def emotion_error(
    reference: Diarization,
    hypothesis: Diarization,
    *,
    uem: Timeline | None = None,
    protocol: Protocol = DEFAULT,
    neutral: str = "neutral",
) -> EmotionError:
    """Score the emotions of one recording.

    Emotions keep their names: the mapping is the identity. Time labelled `neutral` and time without a label
    are the same thing, on both sides: emotion where the reference is neutral is a false alarm, neutral where
    it is not is missed, and a second emotion beside the right one is a false alarm too. Give the UEM: the
    error is divided by the scored duration, and without one a neutral end of the recording is not known.
    """
    emotions = [
        Diarization({name: timeline for name, timeline in side.items() if name != neutral})
        for side in (reference, hypothesis)
    ]
    region = protocol.region(reference, hypothesis, uem)
    parts = partition(emotions[0], emotions[1], region, Protocol(skip_overlap=protocol.skip_overlap))
    columns = {name: column for column, name in enumerate(parts.hypothesis_speakers)}
    rows = [row for row, name in enumerate(parts.reference_speakers) if name in columns]
    same = [columns[parts.reference_speakers[row]] for row in rows]
    error = error_of_pairs(parts, np.array(rows, dtype=np.int64), np.array(same, dtype=np.int64), protocol)
    return EmotionError(
        protocol=protocol,
        duration=float(parts.durations.sum()),
        false_alarm=error.false_alarm,
        missed=error.missed,
        confusion=error.confusion,
    )


def score_emotions(
    references: Mapping[str, Diarization],
    hypotheses: Mapping[str, Diarization],
    uem: Mapping[str, Timeline] | None = None,
    protocol: Protocol = DEFAULT,
    allow_missing: bool = False,
) -> dict[str, EmotionError]:
    """Score the emotions of every reference against the hypothesis of the same name.

    Arguments and errors are those of `score_files`.
    """
    check_names(references, hypotheses, uem, allow_missing)
    return {
        name: emotion_error(
            reference,
            hypotheses.get(name, Diarization()),
            uem=None if uem is None else uem[name],
            protocol=protocol,
        )
        for name, reference in references.items()
    }
