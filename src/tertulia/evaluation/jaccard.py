"""Jaccard error rate (JER): every reference speaker weighs the same, however little they say.

After the evaluation plan of the second DIHARD challenge (Ryant et al. 2019): a reference speaker paired with
a hypothesis speaker has error (false alarm + missed) / union of the two; a speaker left alone has error 1;
JER is the mean over the reference speakers of all recordings. The pairs are those of the diarization error
rate, as in pyannote.metrics, so that one mapping explains both figures; dscore looks for the pairs that
minimise JER itself, and so may report slightly less.
"""

from __future__ import annotations

from dataclasses import dataclass

from tertulia.evaluation.diarization import paired
from tertulia.evaluation.partition import partition
from tertulia.evaluation.protocol import DEFAULT, Protocol, ProtocolScore
from tertulia.timeline import Diarization, Timeline

__all__ = ["JaccardError", "jaccard_error"]


@dataclass(frozen=True, kw_only=True)
class JaccardError(ProtocolScore):
    """Sum of the errors of `speakers` reference speakers, each in [0, 1]."""

    error: float = 0.0
    speakers: int = 0
    hypothesis_speakers: int = 0

    @property
    def jer(self) -> float:
        """Mean error a speaker; without reference speakers 0 or, when the hypothesis has any, 1 (dscore)."""
        return self.error / self.speakers if self.speakers else float(self.hypothesis_speakers > 0)


def jaccard_error(
    reference: Diarization,
    hypothesis: Diarization,
    *,
    uem: Timeline | None = None,
    protocol: Protocol = DEFAULT,
) -> JaccardError:
    """Score one recording; speakers who are silent in the scored time do not count."""
    parts = partition(reference, hypothesis, uem, protocol)
    shared = parts.shared()
    spoken, heard = parts.speech(parts.reference), parts.speech(parts.hypothesis)
    rows, columns = paired(shared)
    both = shared[rows, columns]
    jaccard_index = both / (spoken[rows] + heard[columns] - both)
    speakers = int((spoken > 0).sum())
    return JaccardError(
        protocol=protocol,
        # Rounding may leave an index a hair above 1.
        error=max(speakers - float(jaccard_index.sum()), 0.0),
        speakers=speakers,
        hypothesis_speakers=int((heard > 0).sum()),
    )
