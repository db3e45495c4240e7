from __future__ import annotations

import math

import numpy as np
import pytest

from tertulia.errors import InputError, ModelMissingError, UsageError
from tertulia.identity import scoring
from tertulia.identity.calibration import Calibration
from tertulia.identity.cohort import Cohort
from tertulia.identity.compensation import Compensation
from tertulia.identity.listening import Listener
from tertulia.identity.scoring import Score, Scorer, default_scorer
from tertulia.identity.telephone import Telephone
from tertulia.identity.thresholds import Thresholds
from tertulia.identity.voiceprint import Voiceprint

COHORT, LINE = Cohort(np.eye(4), top=2, share=0.5), Calibration(np.array([-1.0, 2.0, 0.0, 0.0]))
SCORER = Scorer("net", COHORT, LINE)


def voice(*vector, seconds=10.0, model="net"):
    return Voiceprint(np.array(vector, np.float32), seconds, model)


def test_a_score_by_hand():
    score = SCORER(voice(0.8, 0.6, 0, 0), voice(0.8, 0.6, 0, 0))
    assert score.raw == pytest.approx(1.0)
    assert score.normalised == pytest.approx(1 - 0.5 * 0.7)
    assert score.llr == pytest.approx(2 * score.normalised - 1)


def test_voices_are_compared_where_they_are_compensated():
    scorer = Scorer("net", COHORT, LINE, compensation=Compensation(np.diag([1.0, 3.0, 1.0, 1.0])))
    score = scorer(voice(1, 0, 0, 0), voice(0.6, 0.8, 0, 0))
    assert score.raw == pytest.approx(0.6)  # that of the voices as they are
    compensated = 0.6 / np.hypot(0.6, 2.4)
    means = (0.5, (0.6 + 2.4) / np.hypot(0.6, 2.4) / 2)
    assert score.normalised == pytest.approx(compensated - 0.5 * sum(means) / 2)


def test_probability_is_bayes_rule():
    assert Score(0.5, 1.0, 0.0).probability() == 0.5
    assert Score(0.5, 1.0, math.log(9)).probability() == pytest.approx(0.9)
    assert Score(0.5, 1.0, math.log(9)).probability(prior=0.1) == pytest.approx(0.5)
    assert Score(0.5, 1.0, 5000.0).probability() == 1.0
    assert Score(0.5, 1.0, -5000.0).probability() == 0.0


@pytest.mark.parametrize("prior", [0.0, 1.0, -0.1])
def test_a_prior_that_decides_everything_is_refused(prior):
    with pytest.raises(UsageError, match="between 0 and 1"):
        Score(0.5, 1.0, 0.0).probability(prior)


def test_many_are_one_after_the_other_and_nobody_is_fine():
    gallery = [voice(1, 0, 0, 0), voice(0.8, 0.6, 0, 0, seconds=2.0), voice(0, 0, 1, 1)]
    query = voice(0.6, 0.8, 0, 0)
    assert SCORER.many(query, gallery) == [SCORER(query, each) for each in gallery]
    assert SCORER.many(query, []) == []
    assert SCORER.ratios([], gallery).shape == (0, 3)
    np.testing.assert_allclose(
        SCORER.ratios([query], gallery)[0], [s.llr for s in SCORER.many(query, gallery)]
    )


def test_voices_of_another_network_are_refused():
    with pytest.raises(InputError, match="one network"):
        SCORER(voice(1, 0, 0, 0), voice(1, 0, 0, 0, model="other"))
    with pytest.raises(InputError, match="one network"):
        SCORER.many(voice(1, 0, 0, 0, model="other"), [])


def test_the_bundled_scorer_is_for_the_bundled_network():
    assert default_scorer(Listener().model).model == Listener().model
    with pytest.raises(ModelMissingError, match=r"another.*bundled calibration is for"):
        default_scorer("another")


def test_missing_parameters_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "PARAMETERS", tmp_path / "none.npz")
    with pytest.raises(ModelMissingError, match=r"none\.npz"):
        default_scorer("net")


def test_parameters_of_another_format_or_none_are_refused(tmp_path, monkeypatch):
    old, cut, odd = (tmp_path / f"{name}.npz" for name in ("old", "cut", "odd"))
    np.savez(old, model="net", rates=np.ones(3))  # as the first format was, which had no number
    cut.write_bytes(old.read_bytes()[:100])
    np.savez(odd, format=scoring.FORMAT, model="net")
    for path, why in (
        (old, r"old\.npz has format 1.*reads format 2"),
        (cut, r"cut\.npz"),
        (odd, r"odd\.npz"),
    ):
        monkeypatch.setattr(scoring, "PARAMETERS", path)
        with pytest.raises(ModelMissingError, match=why):
            default_scorer("net")


def test_decisions_follow_the_rate_of_false_accepts():
    one, other = voice(0.8, 0.6, 0, 0), voice(0.6, 0.8, 0, 0)
    llr = SCORER(one, other).llr  # that of calibrated ratios: accepted from e^(−llr) on
    assert SCORER.verify(one, other, math.exp(-llr) + 0.01).accepted
    decision = SCORER.verify(one, other, 0.001)
    assert not decision.accepted
    assert decision.score == SCORER(one, other)
    assert (decision.threshold, decision.false_accept) == (pytest.approx(-math.log(0.001)), 0.001)


def test_thresholds_know_the_seconds_and_the_telephone_of_both_sides():
    thresholds = Thresholds(
        np.array([0.1, 0.01]),
        np.array([0.0, 1.0]),
        np.array([0, -1.0, 0, 5.0, 7.0]),
        np.array([1.0, 0, 0, 0]),
    )
    scorer = Scorer("net", COHORT, LINE, thresholds, telephone=Telephone(np.array([0, 0, 0, 1e3]), -500.0))
    near, far = voice(1, 0, 0, 0, seconds=2.0), voice(0, 0, 0, 1, seconds=6.0)
    required = scorer.required([near, far], [near, far], 0.01)
    paces = np.log([[2, 3], [3, 6]])
    np.testing.assert_allclose(required, 1 - paces + [[0, 7], [7, 5]])
    assert scorer.verify(near, far, 0.01).threshold == pytest.approx(8 - np.log(3))


def test_a_telephone_calibrates():
    line = Calibration(np.array([-1.0, 2.0, 0.0, 0.0, -3.0, 1.5]))
    scorer = Scorer("net", COHORT, line, telephone=Telephone(np.array([0, 0, 0, 1e3]), -500.0))
    near, far = voice(1, 0, 0, 0), voice(0, 0, 0, 1)
    without = Scorer("net", COHORT, Calibration(line.coefficients[:4]))
    np.testing.assert_allclose(
        scorer.ratios([near, far], [near, far]) - without.ratios([near, far], [near, far]),
        [[0, 1.5], [1.5, -3]],
    )


def test_a_larger_gallery_asks_for_more():
    ones, others = [voice(1, 0, 0, 0)], [voice(0, 1, 0, 0)]
    asked = [float(SCORER.required(ones, others, 0.01, people)[0, 0]) for people in (1, 10, 10_000)]
    assert asked == sorted(asked)
    assert asked[0] < asked[-1]
    # n chances of 1 − (1 − f)^(1/n) each are f in all.
    of_five = SCORER.required(ones, others, 1 - 0.999**5, 5)
    np.testing.assert_allclose(of_five, SCORER.required(ones, others, 0.001, 1))


def test_nobody_to_compare_with_needs_nothing():
    assert SCORER.required([], [voice(1, 0, 0, 0)]).shape == (0, 1)


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, 2.0, math.nan])
def test_rates_lie_between_zero_and_one(rate):
    with pytest.raises(UsageError, match="between 0 and 1"):
        SCORER.verify(voice(1, 0, 0, 0), voice(1, 0, 0, 0), rate)
