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
from tertulia.identity.scoring import Score, Scorer, default_scorer, identify, open_set_threshold, verify
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
    scorer = Scorer("net", COHORT, LINE, Compensation(np.diag([1.0, 3.0, 1.0, 1.0])))
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
        verify(Score(0.5, 1.0, 0.0))


def test_decisions_follow_the_rate_of_false_accepts():
    lax, strict = (open_set_threshold(rate, 1) for rate in (0.1, 0.001))
    assert lax < strict
    between = Score(0.5, 1.0, (lax + strict) / 2)
    assert verify(between, 0.1).accepted
    decision = verify(between, 0.001)
    assert not decision.accepted
    assert (decision.threshold, decision.false_accept, decision.score) == (strict, 0.001, between)


def test_a_larger_gallery_asks_for_more():
    assert open_set_threshold(0.01, 1) < open_set_threshold(0.01, 10) < open_set_threshold(0.01, 10_000)
    # n chances of 1 − (1 − f)^(1/n) each are f in all.
    assert open_set_threshold(1 - 0.999**5, 5) == pytest.approx(open_set_threshold(0.001, 1))


def test_the_best_is_found_or_nobody():
    far, near = Score(0.1, 0.0, -3.0), Score(0.9, 9.0, 20.0)
    assert identify([far, near, far], gallery=3) == 1
    assert identify([far, far], gallery=2) is None
    assert identify([], gallery=5) is None


def test_one_among_more_people_needs_a_higher_score():
    score = Score(0.5, 1.0, (open_set_threshold(0.01, 1) + open_set_threshold(0.01, 1000)) / 2)
    assert identify([score], gallery=1) == 0
    assert identify([score], gallery=1000) is None


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, 2.0, math.nan])
def test_rates_lie_between_zero_and_one(rate):
    with pytest.raises(UsageError, match="between 0 and 1"):
        verify(Score(0.5, 1.0, 0.0), rate)


def test_a_gallery_holds_somebody():
    with pytest.raises(UsageError, match="one person or more; got 0"):
        open_set_threshold(0.01, 0)
