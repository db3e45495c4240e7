"""A whole set of recordings scored at once: one row a file, and the pooled total."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import reduce
from operator import add
from types import MappingProxyType
from typing import Any

from tertulia.errors import InputError
from tertulia.evaluation.changes import DEFAULT_TOLERANCE, ChangePoints, change_point_score
from tertulia.evaluation.clustering import (
    ClusterAgreement,
    ClusterPurity,
    cluster_agreement,
    cluster_purity,
)
from tertulia.evaluation.diarization import (
    DetectionError,
    DiarizationError,
    SpeakerCountError,
    detection_error,
    diarization_error,
    speaker_count_error,
)
from tertulia.evaluation.jaccard import JaccardError, jaccard_error
from tertulia.evaluation.protocol import DEFAULT, Protocol
from tertulia.timeline import Diarization, Timeline

__all__ = ["FileScore", "Report", "score_file", "score_files"]


@dataclass(frozen=True, slots=True)
class FileScore:
    """Every additive record of one recording, or of several: rows add field by field."""

    diarization: DiarizationError
    jaccard: JaccardError
    count: SpeakerCountError
    detection: DetectionError
    purity: ClusterPurity
    agreement: ClusterAgreement
    changes: ChangePoints

    def __add__(self, other: FileScore) -> FileScore:
        return FileScore(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def to_dict(self) -> dict[str, Any]:
        """Rates as fractions, durations in seconds, mutual information in nats."""
        error = self.diarization
        return {
            "der": error.der,
            "false_alarm": error.false_alarm_rate,
            "missed": error.missed_rate,
            "confusion": error.confusion_rate,
            "jer": self.jaccard.jer,
            "speaker_count_error": self.count.mean,
            "speaker_count_exact": self.count.exact_rate,
            "detection_error": self.detection.error_rate,
            "detection_false_alarm": self.detection.false_alarm_rate,
            "detection_missed": self.detection.missed_rate,
            "purity": self.purity.purity,
            "coverage": self.purity.coverage,
            "rand_index": self.agreement.rand_index,
            "adjusted_rand_index": self.agreement.adjusted_rand_index,
            "mutual_information": self.agreement.mutual_information,
            "normalized_mutual_information": self.agreement.normalized_mutual_information,
            "change_precision": self.changes.precision,
            "change_recall": self.changes.recall,
            "change_f1": self.changes.f1,
            "seconds": {name: getattr(error, name) for name in error.quantities()},
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Scores of a set under one protocol: `files` by name, `overall` pooled over them."""

    overall: FileScore
    files: Mapping[str, FileScore]
    protocol: Protocol
    uem: bool
    """Whether scoring followed a UEM."""

    def describe(self) -> str:
        """Return the protocol in words."""
        return self.protocol.describe(self.uem)

    def to_dict(self) -> dict[str, Any]:
        """Return what `tertulia evaluate --json` prints."""
        return {
            "overall": self.overall.to_dict(),
            "files": {name: score.to_dict() for name, score in self.files.items()},
            "protocol": {
                "collar": self.protocol.collar,
                "skip_overlap": self.protocol.skip_overlap,
                "uem": self.uem,
                "change_tolerance": self.overall.changes.tolerance,
                "description": self.describe(),
            },
        }


def score_file(
    reference: Diarization,
    hypothesis: Diarization,
    *,
    uem: Timeline | None = None,
    protocol: Protocol = DEFAULT,
    tolerance: float = DEFAULT_TOLERANCE,
) -> FileScore:
    """Score one recording by every metric of the report; `tolerance` is that of change points, in seconds."""
    return FileScore(
        diarization=diarization_error(reference, hypothesis, uem=uem, protocol=protocol),
        jaccard=jaccard_error(reference, hypothesis, uem=uem, protocol=protocol),
        count=speaker_count_error(reference, hypothesis, uem=uem),
        detection=detection_error(reference, hypothesis, uem=uem, protocol=protocol),
        purity=cluster_purity(reference, hypothesis, uem=uem, protocol=protocol),
        agreement=cluster_agreement(reference, hypothesis, uem=uem, protocol=protocol),
        changes=change_point_score(reference, hypothesis, uem=uem, tolerance=tolerance),
    )


def score_files(
    references: Mapping[str, Diarization],
    hypotheses: Mapping[str, Diarization],
    uem: Mapping[str, Timeline] | None = None,
    protocol: Protocol = DEFAULT,
    allow_missing: bool = False,
    tolerance: float = DEFAULT_TOLERANCE,
) -> Report:
    """Score every reference against the hypothesis of the same name.

    Args:
        references: file name → who really spoke when; rows of the report come in this order.
        hypotheses: file name → what a system says.
        uem: file name → scored region, of every reference; others are not looked at.
        protocol: collar and overlap policy.
        allow_missing: count a reference without a hypothesis as missed speech.
        tolerance: seconds by which a change point may be off.

    Raises:
        InputError: without references, or listing the references without hypothesis (unless allowed), the
            hypotheses without reference, or the references without UEM.
    """
    check_names(references, hypotheses, uem, allow_missing)
    files = {
        name: score_file(
            reference,
            hypotheses.get(name, Diarization()),
            uem=None if uem is None else uem[name],
            protocol=protocol,
            tolerance=tolerance,
        )
        for name, reference in references.items()
    }
    return Report(reduce(add, files.values()), MappingProxyType(files), protocol, uem is not None)


def check_names(
    references: Mapping[str, Diarization],
    hypotheses: Mapping[str, Diarization],
    uem: Mapping[str, Timeline] | None,
    allow_missing: bool,
) -> None:
    """Raise `InputError` unless both sides, and the UEM if there is one, hold the same recordings."""
    if not references:
        raise InputError("there is no reference to score against")
    problems = [
        _listing("without hypothesis", () if allow_missing else references.keys() - hypotheses.keys()),
        _listing("without reference", hypotheses.keys() - references.keys()),
        _listing("without UEM", () if uem is None else references.keys() - uem.keys()),
    ]
    if any(problems):
        raise InputError("; ".join(filter(None, problems)))


def _listing(what: str, names: Any) -> str:
    return f"{what}: {', '.join(sorted(names))}" if names else ""
