import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.errors import UsageError
from tertulia.evaluation import ChangePoints, change_point_score, change_points, match_changes
from tertulia.timeline import Diarization, Timeline


def test_change_points_are_all_starts_and_ends_once():
    diarization = Diarization([(0, 2, "A"), (2, 5, "B"), (4, 6, "A")])
    assert change_points(diarization).tolist() == [0, 2, 4, 5, 6]
    assert change_points(Diarization()).tolist() == []


def test_times_that_differ_by_rounding_are_one():
    assert change_points(Diarization([(0, 0.3, "A"), (0.1 + 0.2, 1, "B")])).tolist() == [0, 0.3, 1]


def test_a_uem_keeps_what_lies_in_it_and_makes_no_points():
    diarization = Diarization([(0, 2, "A"), (2, 5, "B"), (6, 9, "A")])
    uem = Timeline([(1, 2), (4, 5.5), (8, 20)])
    assert change_points(diarization, uem).tolist() == [2, 5, 9]
    assert change_points(diarization, Timeline([(2, 4), (6, 7)])).tolist() == [2, 6]


def test_score_by_hand():
    reference = Diarization([(0, 2, "A"), (2, 5, "B")])
    hypothesis = Diarization([(0.1, 2.25, "x"), (3, 5.3, "y")])
    score = change_point_score(reference, hypothesis, tolerance=0.25)
    assert score == ChangePoints(tolerance=0.25, reference=3, hypothesis=4, matched=2)
    assert (score.precision, score.recall, score.f1) == pytest.approx((2 / 4, 2 / 3, 4 / 7))


def test_the_tolerance_itself_is_allowed():
    assert match_changes([0.7], [0.8], tolerance=0.1).matched == 1
    assert match_changes([0.7], [0.801], tolerance=0.1).matched == 0
    assert match_changes([1], [1], tolerance=0).matched == 1


def test_one_point_matches_once():
    assert match_changes([1, 1.1], [1.05], tolerance=0.25).matched == 1
    # Pairing the nearest first (1.3 with 1.4) would leave 1.0 alone.
    assert match_changes([1.0, 1.3], [1.2, 1.4], tolerance=0.2).matched == 2
    assert match_changes([0.0, 0.4], [0.3, 0.7], tolerance=0.3).matched == 2


def test_nothing_to_find_or_nothing_found():
    assert (ChangePoints().precision, ChangePoints().recall, ChangePoints().f1) == (1, 1, 1)
    missed = match_changes([1.0], [])
    assert (missed.precision, missed.recall, missed.f1) == (1, 0, 0)


def test_counts_add_under_one_tolerance():
    total = sum([match_changes([1.0], [1.0]), match_changes([5.0], [9.0])])
    assert (total.reference, total.hypothesis, total.matched) == (2, 2, 1)
    with pytest.raises(UsageError, match="tolerance"):
        match_changes([], [], tolerance=0.1) + match_changes([], [], tolerance=0.2)


@pytest.mark.parametrize("tolerance", [-1, float("nan")])
def test_impossible_tolerance(tolerance):
    with pytest.raises(UsageError, match="tolerance"):
        match_changes([1], [1], tolerance=tolerance)


@pytest.mark.parametrize("times", [[float("nan")], [[1.0]], 1.0])
def test_impossible_times(times):
    with pytest.raises(UsageError, match="finite times"):
        match_changes(times, [1.0])


TIMES = st.lists(st.integers(0, 40), max_size=8, unique=True)


@given(TIMES, TIMES, st.integers(0, 6))
@settings(deadline=None)
def test_as_many_matches_as_the_hungarian_method(reference, hypothesis, tolerance):
    from scipy.optimize import linear_sum_assignment

    near = np.abs(np.subtract.outer(np.array(reference), np.array(hypothesis))) <= tolerance
    most = near[linear_sum_assignment(near, maximize=True)].sum() if near.size else 0
    assert match_changes(reference, hypothesis, tolerance=tolerance).matched == most
