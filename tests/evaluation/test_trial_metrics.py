import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.errors import InputError, UsageError
from tertulia.evaluation import Decisions, auc, cllr, decisions, det_curve, equal_error_rate, min_dcf

SCORES = [0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1]
LABELS = [1, 1, 0, 1, 0, 1, 0, 0]


def test_det_curve_by_hand():
    thresholds, miss, false_alarm = det_curve([0.1, 0.5, 0.5, 0.9], [False, True, False, True])
    assert thresholds.tolist() == [0.1, 0.5, 0.9, math.inf]
    assert miss.tolist() == [0, 0, 0.5, 1]
    assert false_alarm.tolist() == [1, 0.5, 0, 0]


def test_equal_error_rate_by_hand():
    # At a threshold of 0.6: one of four targets missed, one of four others accepted.
    assert equal_error_rate(SCORES, LABELS) == pytest.approx(0.25)
    assert equal_error_rate([2, 3, 0, 1], [1, 1, 0, 0]) == 0
    assert equal_error_rate([0, 1, 2, 3], [1, 1, 0, 0]) == 1
    assert equal_error_rate([5, 5, 5, 5], [1, 0, 1, 0]) == pytest.approx(0.5)


def test_equal_error_rate_between_two_points():
    # From (miss 0, false alarm 1/2) straight to (miss 1/3, false alarm 0): equal at 1/5.
    assert equal_error_rate([1, 2, 2, 3, 3], [0, 0, 1, 1, 1]) == pytest.approx(0.2)


def test_auc_by_hand():
    # Of 4 × 4 pairs the target wins 4 + 4 + 3 + 2.
    assert auc(SCORES, LABELS) == pytest.approx(13 / 16)
    assert auc([1, 1], [1, 0]) == 0.5


def test_min_dcf_by_hand():
    # At 0.8: half of the targets missed, no false alarm; nothing is cheaper at p = 0.01.
    assert min_dcf(SCORES, LABELS) == pytest.approx(0.5)
    # At p = 0.5 the cost is miss + false alarm: 0.5 + 0 and 0.25 + 0.25 are both the least.
    assert min_dcf(SCORES, LABELS, p_target=0.5) == pytest.approx(0.5)
    # Misses four times as dear: accept from 0.3 on, none missed, half of the others accepted.
    assert min_dcf(SCORES, LABELS, p_target=0.5, c_miss=4) == pytest.approx(0.5)
    assert min_dcf([0, 1], [1, 0]) == 1


def test_cllr_by_hand():
    assert cllr([0.0, 0.0], [1, 0]) == pytest.approx(1)
    assert cllr([math.log(3), -math.log(3)], [1, 0]) == pytest.approx(math.log2(4 / 3))
    assert cllr([1000.0, -1000.0], [1, 0]) == pytest.approx(0, abs=1e-12)
    assert cllr([-1000.0, 1000.0], [1, 0]) == pytest.approx(1000 / math.log(2))


def test_decisions_by_hand():
    counts = decisions(SCORES, LABELS, 0.6)
    assert counts == Decisions(threshold=0.6, true_accept=3, false_accept=1, true_reject=3, false_reject=1)
    assert (counts.accuracy, counts.precision, counts.recall, counts.f1) == (0.75, 0.75, 0.75, 0.75)
    assert (counts + counts).accuracy == 0.75
    with pytest.raises(UsageError, match="threshold"):
        counts + decisions(SCORES, LABELS, 0.5)


def test_decisions_without_trials_or_without_targets():
    nothing = decisions([], [], 0.5)
    assert (nothing.accuracy, nothing.precision, nothing.recall, nothing.f1) == (1, 1, 1, 1)
    wrong = decisions([0.9], [0], 0.5)
    assert (wrong.accuracy, wrong.precision, wrong.recall, wrong.f1) == (0, 0, 1, 0)


@pytest.mark.parametrize("metric", [det_curve, equal_error_rate, min_dcf, auc, cllr])
@pytest.mark.parametrize("labels", [[1, 1], [0, 0]])
def test_one_class_is_refused(metric, labels):
    with pytest.raises(InputError, match="of 2 trials are targets"):
        metric([0.1, 0.2], labels)


@pytest.mark.parametrize(
    ("scores", "labels", "error", "words"),
    [
        ([0.1, 0.2], [1], UsageError, "one shape"),
        ([[0.1, 0.2]], [[1, 0]], UsageError, "one shape"),
        ([0.1, math.nan], [1, 0], InputError, "NaN"),
        ([0.1, 0.2], [1, 2], InputError, "true or false"),
    ],
)
def test_bad_trials(scores, labels, error, words):
    with pytest.raises(error, match=words):
        equal_error_rate(scores, labels)


@pytest.mark.parametrize("costs", [{"p_target": 0}, {"p_target": 1}, {"c_miss": 0}, {"c_fa": math.inf}])
def test_bad_costs(costs):
    with pytest.raises(UsageError, match="p_target"):
        min_dcf(SCORES, LABELS, **costs)


TRIALS = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=60).filter(
    lambda trials: len({label for _, label in trials}) == 2
)


@given(TRIALS)
@settings(deadline=None)
def test_against_scikit_learn_and_brute_force(trials):
    sklearn = pytest.importorskip("sklearn.metrics")
    scores, labels = (np.array(column) for column in zip(*trials, strict=True))
    assert auc(scores, labels) == pytest.approx(sklearn.roc_auc_score(labels, scores))
    counts = decisions(scores, labels, 1)
    assert counts.accuracy == pytest.approx(sklearn.accuracy_score(labels, scores >= 1))
    assert counts.f1 == pytest.approx(sklearn.f1_score(labels, scores >= 1, zero_division=1.0))
    costs = [
        (0.05 * np.mean(scores[labels] < t) + 0.95 * np.mean(scores[~labels] >= t)) / 0.05
        for t in range(-5, 7)
    ]
    assert min_dcf(scores, labels, p_target=0.05) == pytest.approx(min(costs))


@given(TRIALS)
@settings(deadline=None)
def test_the_equal_error_rate_lies_on_the_curve_and_turns_over(trials):
    scores, labels = (np.array(column) for column in zip(*trials, strict=True))
    rate = equal_error_rate(scores, labels)
    _, miss, false_alarm = det_curve(scores, labels)
    # On the polyline, miss as a function of false alarm passes through (rate, rate).
    crossing = np.interp(0.0, miss - false_alarm, miss)
    assert rate == pytest.approx(crossing)
    assert equal_error_rate(-scores, ~labels) == pytest.approx(rate)
    assert equal_error_rate(-scores, labels) == pytest.approx(1 - rate)
