from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.errors import InputError
from tertulia.evaluation import cllr
from tertulia.identity.calibration import Calibration, OperatingPoints, qualities


def trials(rng, n, seconds, separation):
    """Gaussian scores of unit variance, whose true llr is separation · (score − separation / 2)."""
    targets = rng.random(n) < 0.2
    scores = rng.standard_normal(n) + separation * targets
    return scores, targets, np.full(n, seconds)


def test_the_ratio_by_hand():
    calibration = Calibration(np.array([-1.0, 2.0, 0.5, 0.25]))
    # Harmonic mean of 2 and 6 s: 3 s.
    expected = -1 + 2 * 0.7 + 0.5 * np.log(3) + 0.25 * 0.7 * np.log(3)
    assert calibration(0.7, 2.0, 6.0) == pytest.approx(expected)
    assert calibration(0.7, 6.0, 2.0) == pytest.approx(expected)


def test_more_speech_than_was_ever_calibrated_with_changes_nothing():
    calibration = Calibration(np.array([-1.0, 2.0, 0.5, 0.25]))
    assert calibration(0.7, 20.0, 20.0) == calibration(0.7, 500.0, 40.0)
    assert calibration(0.7, 1.0, 1.0) == calibration(0.7, 0.5, 0.3)


def test_qualities_by_hand():
    np.testing.assert_allclose(qualities(2.0, 6.0), [np.log(3), 0, 0])
    np.testing.assert_allclose(qualities(4.0, 4.0, (0.9, 0.2)), [np.log(4), 0.18, 0.7])
    assert qualities(np.ones((3, 1)), np.ones(2), (0.5, np.zeros(2))).shape == (3, 2, 3)


def test_a_telephone_on_one_side_or_both_moves_the_ratio():
    calibration = Calibration(np.array([-1.0, 2.0, 0.0, 0.0, -3.0, 1.5]))
    assert calibration(0.7, 3.0, 3.0) == pytest.approx(0.4)
    assert calibration(0.7, 3.0, 3.0, (1.0, 1.0)) == pytest.approx(-2.6)
    assert calibration(0.7, 3.0, 3.0, (1.0, 0.0)) == calibration(0.7, 3.0, 3.0, (0.0, 1.0))
    assert calibration(0.7, 3.0, 3.0, (1.0, 0.0)) == pytest.approx(1.9)


def test_what_a_telephone_does_is_found():
    """Scores of two telephones are 2 higher, whoever speaks: calibrated, they are what they were."""
    rng = np.random.default_rng(3)
    scores, targets, seconds = trials(rng, 40_000, 3.0, 3.0)
    both = rng.random(len(scores)) < 0.3
    calibration = Calibration.fit(scores + 2 * both, targets, seconds, seconds, (both, both))
    at = np.array([0.0, 1.5, 3.0])
    np.testing.assert_allclose(calibration(at + 2, 3.0, 3.0, (1.0, 1.0)), calibration(at, 3.0, 3.0), atol=0.2)


def test_shapes_broadcast():
    calibration = Calibration(np.array([0.0, 1.0, 0.1, 0.0]))
    assert calibration(np.zeros((3, 2)), np.ones((3, 1)), np.ones(2)).shape == (3, 2)


def test_the_true_ratio_of_gaussian_scores_is_found():
    scores, targets, seconds = trials(np.random.default_rng(0), 40_000, 3.0, 3.0)
    calibration = Calibration.fit(scores, targets, seconds, seconds)
    at = np.array([0.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(calibration(at, 3.0, 3.0), 3 * (at - 1.5), atol=0.3)


def test_durations_get_slopes_of_their_own():
    rng = np.random.default_rng(1)
    short, long = trials(rng, 20_000, 1.5, 2.0), trials(rng, 20_000, 10.0, 5.0)
    scores, targets, seconds = (np.concatenate(pair) for pair in zip(short, long, strict=True))
    calibration = Calibration.fit(scores, targets, seconds, seconds)
    assert calibration(1.0, 1.5, 1.5) == pytest.approx(0.0, abs=0.2)
    assert calibration(2.5, 10.0, 10.0) == pytest.approx(0.0, abs=0.4)
    for scores, targets, seconds in (short, long):
        ignorant = Calibration.fit(scores, targets, np.ones(len(scores)), np.ones(len(scores)))
        best = cllr(ignorant(scores, 1.0, 1.0), targets)
        assert cllr(calibration(scores, seconds, seconds), targets) == pytest.approx(best, abs=0.005)


def test_scores_that_never_overlap_stay_finite():
    calibration = Calibration.fit([0.0, 0.1, 0.9, 1.0], [False, False, True, True], [3.0] * 4, [3.0] * 4)
    assert np.isfinite(calibration.coefficients).all()
    assert calibration(0.0, 3.0, 3.0) < -2 < 2 < calibration(1.0, 3.0, 3.0)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(InputError, match="got 2 of 2"):
        Calibration.fit([0.0, 1.0], [True, True], [1.0, 1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="rise with the score"):
        Calibration.fit([1.0, 0.9, 0.0, 0.1], [False, False, True, True], [2.0] * 4, [2.0] * 4)
    with pytest.raises(ValueError, match="rise with the score"):
        Calibration(np.array([0.0, 1.0, 0.0, -0.4]))  # falls from 12 s on
    with pytest.raises(ValueError, match="4 coefficients or 6; got 5"):
        Calibration(np.ones(5))


def test_operating_points_are_interpolated_on_the_logarithm_of_the_rate():
    points = OperatingPoints(np.array([0.1, 0.01]), np.array([1.0, 3.0]))
    assert points.threshold(0.1) == 1.0
    assert points.threshold(np.sqrt(0.001)) == pytest.approx(2.0)
    assert points.threshold(0.01) == pytest.approx(3.0)
    assert points.threshold(0.5) == 1.0


def test_beyond_what_was_measured_a_calibrated_ratio_bounds_the_rate():
    points = OperatingPoints(np.array([0.1, 0.01]), np.array([1.0, 3.0]))
    assert points.threshold(0.0001) == pytest.approx(3.0 + np.log(100))


def test_the_worst_list_counts():
    rng = np.random.default_rng(0)
    lists = [rng.standard_normal(50_000), rng.standard_normal(50_000) - 2]
    points = OperatingPoints.measure(lists, [0.01, 0.1])
    np.testing.assert_allclose(points.rates, [0.1, 0.01])
    np.testing.assert_allclose(points.ratios, [1.2816, 2.3263], atol=0.03)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 0.9))
def test_no_more_than_the_rate_is_accepted(seed, rate):
    scores = np.random.default_rng(seed).standard_normal(1000)
    points = OperatingPoints.measure([scores], [0.5, 0.1, 0.02, 0.005])
    accepted = (scores >= points.threshold(rate)).mean()
    assert accepted <= max(rate, 0.5) + 0.002
