import json

import pytest

from tertulia.errors import InputError
from tertulia.evaluation import Protocol, score_file, score_files
from tertulia.timeline import Diarization, Timeline

REFERENCES = {"b": Diarization([(0, 10, "A")]), "a": Diarization([(0, 4, "A"), (4, 30, "B")])}
HYPOTHESES = {"a": Diarization([(0, 30, "x")]), "b": Diarization([(0, 10, "x"), (15, 16, "y")])}


def test_rows_and_the_pooled_total():
    report = score_files(REFERENCES, HYPOTHESES)
    assert list(report.files) == ["b", "a"]
    assert report.files["b"] == score_file(REFERENCES["b"], HYPOTHESES["b"])
    assert report.files["b"].diarization.der == pytest.approx(0.1)
    assert report.files["a"].diarization.der == pytest.approx(4 / 30)
    assert report.overall.diarization.der == pytest.approx(5 / 40)
    assert report.overall.jaccard.jer == pytest.approx((0 + 1 + 4 / 30) / 3)
    assert report.overall.count.mean == 1


def test_the_shape_that_evaluate_prints():
    uem = {"a": Timeline([(0, 30)]), "b": Timeline([(0, 20)]), "c": Timeline([(0, 1)])}
    printed = score_files(REFERENCES, HYPOTHESES, uem, Protocol(0.25)).to_dict()
    assert printed == json.loads(json.dumps(printed))
    assert set(printed) == {"overall", "files", "protocol"}
    assert set(printed["files"]) == {"a", "b"}
    assert printed["protocol"] == {
        "collar": 0.25,
        "skip_overlap": False,
        "uem": True,
        "change_tolerance": 0.25,
        "description": "collar 0.25 s each side, overlap scored, UEM given",
    }
    for row in (printed["overall"], *printed["files"].values()):
        assert {"der", "false_alarm", "missed", "confusion", "jer"} <= set(row)
        assert {"rand_index", "adjusted_rand_index", "mutual_information", "detection_error"} <= set(row)
        assert row["der"] == pytest.approx(row["false_alarm"] + row["missed"] + row["confusion"])
    assert printed["overall"]["seconds"]["total"] == pytest.approx(9.5 + 3.5 + 25.5)


def test_a_missing_uem_is_said():
    assert "no UEM: 0 to the latest end" in score_files(REFERENCES, HYPOTHESES).describe()


def test_unmatched_files_are_listed():
    with pytest.raises(InputError, match=r"^without hypothesis: a, b; without reference: c, d$"):
        score_files(REFERENCES, {"d": Diarization(), "c": Diarization()})
    with pytest.raises(InputError, match=r"^without UEM: b$"):
        score_files(REFERENCES, HYPOTHESES, {"a": Timeline([(0, 30)])})
    with pytest.raises(InputError, match="no reference"):
        score_files({}, HYPOTHESES)


def test_a_missing_hypothesis_may_count_as_missed_speech():
    report = score_files(REFERENCES, {"a": HYPOTHESES["a"]}, allow_missing=True)
    assert report.files["b"].diarization.missed == 10
    assert report.overall.diarization.der == pytest.approx(14 / 40)
    with pytest.raises(InputError, match=r"^without reference: c$"):
        score_files(REFERENCES, {"c": Diarization()}, allow_missing=True)
