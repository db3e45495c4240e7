"""Metrics: frozen records of summed quantities, added over files and divided only at the end.

Importing this package loads numpy alone; scipy is loaded by the first metric that needs it.

    >>> from tertulia.timeline import Diarization
    >>> reference = Diarization([(0, 6, "Ana"), (6, 10, "Ben")])
    >>> hypothesis = Diarization([(0, 7, "1"), (7, 9, "2")])
    >>> diarization_error(reference, hypothesis).der
    0.2
"""

from tertulia.evaluation.bootstrap import bootstrap, bootstrap_difference
from tertulia.evaluation.changes import ChangePoints, change_point_score, change_points, match_changes
from tertulia.evaluation.clustering import (
    ClusterAgreement,
    ClusterPurity,
    cluster_agreement,
    cluster_purity,
)
from tertulia.evaluation.crossshow import cross_show_errors, cross_show_mapping
from tertulia.evaluation.diarization import (
    DetectionError,
    DiarizationError,
    SpeakerCountError,
    detection_error,
    diarization_error,
    speaker_count_error,
    speaker_mapping,
)
from tertulia.evaluation.emotion import EmotionError, emotion_error, score_emotions
from tertulia.evaluation.jaccard import JaccardError, jaccard_error
from tertulia.evaluation.protocol import Protocol, Score
from tertulia.evaluation.report import FileScore, Report, score_file, score_files
from tertulia.evaluation.trials import Decisions, auc, cllr, decisions, det_curve, equal_error_rate, min_dcf

__all__ = [
    "ChangePoints",
    "ClusterAgreement",
    "ClusterPurity",
    "Decisions",
    "DetectionError",
    "DiarizationError",
    "EmotionError",
    "FileScore",
    "JaccardError",
    "Protocol",
    "Report",
    "Score",
    "SpeakerCountError",
    "auc",
    "bootstrap",
    "bootstrap_difference",
    "change_point_score",
    "change_points",
    "cllr",
    "cluster_agreement",
    "cluster_purity",
    "cross_show_errors",
    "cross_show_mapping",
    "decisions",
    "det_curve",
    "detection_error",
    "diarization_error",
    "emotion_error",
    "equal_error_rate",
    "jaccard_error",
    "match_changes",
    "min_dcf",
    "score_emotions",
    "score_file",
    "score_files",
    "speaker_count_error",
    "speaker_mapping",
]
