"""Shifts of a background model against mixtures adapted and evaluated frame by frame."""

import numpy as np
import pytest

from tertulia.gaussians import GMM, Statistics, adapted
from tertulia.gaussians.shifts import Shifts

RANDOM = np.random.default_rng(0)
BACKGROUND = GMM([0.4, 0.6], [[-2.0, 0.0, 1.0], [2.0, 1.0, -1.0]], [[1.0, 2.0, 0.5], [0.5, 1.0, 1.0]])
FRAMES = RANDOM.normal(0.5, 2.0, size=(200, 3))
SHIFTS = Shifts.of(BACKGROUND, FRAMES)


def test_posteriors_and_statistics_are_those_of_the_mixture():
    np.testing.assert_allclose(SHIFTS.posteriors.sum(axis=1), 1, rtol=1e-6)
    some = slice(20, 90)
    seen = Statistics.of(BACKGROUND, FRAMES[some])
    count, first = SHIFTS.statistics(some)
    np.testing.assert_allclose(count, seen.count, rtol=1e-5)
    np.testing.assert_allclose(first, seen.first - seen.count[:, None] * BACKGROUND.means, atol=1e-3)
    mask = np.zeros(200, dtype=bool)
    mask[some] = True
    np.testing.assert_allclose(SHIFTS.statistics(mask)[0], count, rtol=1e-6)


def test_a_shift_is_the_adaptation_of_the_means():
    model = adapted(BACKGROUND, Statistics.of(BACKGROUND, FRAMES[:50]), 16.0)
    shift = SHIFTS.adapted(*SHIFTS.statistics(slice(0, 50)), 16.0)
    np.testing.assert_allclose(BACKGROUND.means + shift, model.means, atol=1e-5)


def test_scores_are_the_bound_by_definition_and_under_the_ratio():
    shift = SHIFTS.adapted(*SHIFTS.statistics(slice(0, 50)), 16.0)
    model = GMM(BACKGROUND.weights, BACKGROUND.means + shift, BACKGROUND.variances)
    joint = BACKGROUND.log_components(FRAMES)
    posterior = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
    bound = (posterior * (model.log_components(FRAMES) - joint)).sum(axis=1)
    scores = SHIFTS.scores(shift)
    np.testing.assert_allclose(scores, bound, atol=1e-4)
    exact = model.log_likelihood(FRAMES) - BACKGROUND.log_likelihood(FRAMES)
    assert (scores <= exact + 1e-4).all()


def test_totals_are_sums_of_scores():
    shifts = [SHIFTS.adapted(*SHIFTS.statistics(slice(i, i + 40)), 16.0) for i in (0, 60, 120)]
    edges = np.array([0, 30, 31, 150])
    expected = [
        [SHIFTS.scores(shift)[a:b].sum() for shift in shifts] for a, b in ((0, 30), (30, 31), (31, 150))
    ]
    np.testing.assert_allclose(SHIFTS.totals(shifts, edges), expected, atol=1e-3)
    assert SHIFTS.totals([], edges).shape == (3, 0)
    assert SHIFTS.totals(shifts, edges[:1]).shape == (0, 3)


@pytest.mark.parametrize("which", [slice(0, 0), np.zeros(200, dtype=bool)], ids=["slice", "mask"])
def test_no_frames_are_no_shift(which):
    shift = SHIFTS.adapted(*SHIFTS.statistics(which), 16.0)
    np.testing.assert_array_equal(shift, 0)
    np.testing.assert_array_equal(SHIFTS.scores(shift), 0)


def test_a_recording_without_frames():
    nothing = Shifts.of(BACKGROUND, np.empty((0, 3)))
    assert len(nothing) == 0
    assert nothing.scores(np.zeros((2, 3), np.float32)).shape == (0,)


def test_frames_far_from_everything_have_posteriors_all_the_same():
    far = Shifts.of(BACKGROUND, np.full((3, 3), 1e4))
    assert np.isfinite(far.posteriors).all()
    np.testing.assert_allclose(far.posteriors.sum(axis=1), 1)
