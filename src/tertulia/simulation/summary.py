"""What conversations are like in numbers, to lay simulated ones beside real ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from tertulia.errors import UsageError
from tertulia.timeline import Diarization

__all__ = ["Summary"]


@dataclass(frozen=True, slots=True)
class Summary:
    """Several references together; shares are fractions, lengths seconds, NaN where there is nothing."""

    recordings: int
    hours: float
    speakers: float
    """Mean number in a recording."""
    speech: float
    """Share of the time up to the end of the recording, or of the last turn where that is not known."""
    overlap: float
    """Share of the speech in which several people speak."""
    turns_per_minute: float
    turn_median: float
    turn_p90: float
    pause_median: float
    """Of the stretches between turns in which nobody speaks."""
    pause_p90: float

    @classmethod
    def of(cls, references: Iterable[Diarization]) -> Self:
        """Measure references; raises `UsageError` when there is none."""
        references = list(references)
        if not references:
            raise UsageError("a summary needs at least one reference")
        turns = np.array([turn.duration for reference in references for turn in reference])
        pauses = np.array([gap.duration for reference in references for gap in reference.speech.gaps()])
        seconds = sum(_length(reference) for reference in references)
        speech = sum(reference.speech.duration for reference in references)
        return cls(
            recordings=len(references),
            hours=seconds / 3600,
            speakers=float(np.mean([len(reference.speakers) for reference in references])),
            speech=_ratio(speech, seconds),
            overlap=_ratio(sum(reference.overlap.duration for reference in references), speech),
            turns_per_minute=_ratio(60 * len(turns), seconds),
            turn_median=_quantile(turns, 0.5),
            turn_p90=_quantile(turns, 0.9),
            pause_median=_quantile(pauses, 0.5),
            pause_p90=_quantile(pauses, 0.9),
        )

    def rows(self) -> list[tuple[str, str]]:
        """Return names with values as text."""
        return [
            ("recordings", str(self.recordings)),
            ("hours", f"{self.hours:.2f}"),
            ("speakers, mean", f"{self.speakers:.2f}"),
            ("speech %", f"{100 * self.speech:.1f}"),
            ("overlap % of speech", f"{100 * self.overlap:.1f}"),
            ("turns a minute", f"{self.turns_per_minute:.1f}"),
            ("turn s, median", f"{self.turn_median:.2f}"),
            ("turn s, 90 %", f"{self.turn_p90:.2f}"),
            ("pause s, median", f"{self.pause_median:.2f}"),
            ("pause s, 90 %", f"{self.pause_p90:.2f}"),
        ]


def _length(reference: Diarization) -> float:
    extent = reference.speech.extent
    return reference.duration or (extent.end if extent else 0.0)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _quantile(values: np.ndarray, level: float) -> float:
    return float(np.quantile(values, level)) if values.size else float("nan")
