from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.identity.cohort import Cohort

AXES = Cohort(np.eye(4), top=2)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_statistics_are_those_of_the_nearest():
    mean, deviation = AXES.statistics(np.array([[0.8, 0.6, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]))
    np.testing.assert_allclose(mean, [0.7, 0.5])
    np.testing.assert_allclose(deviation, [0.1, 0.5])


def test_a_score_is_measured_by_both_sides():
    one, other = np.array([[0.8, 0.6, 0.0, 0.0]]), np.array([[0.0, 0.0, 0.0, 1.0]])
    # ½ ((0.9 − 0.7) / 0.1 + (0.9 − 0.5) / 0.5) = ½ (2 + 0.8)
    np.testing.assert_allclose(AXES.normalised(np.array([[0.9]]), one, other), [[1.4]])


def test_a_voice_like_everybody_elses_needs_a_higher_cosine():
    rng = np.random.default_rng(0)
    crowd = unit(np.array([1.0, 0, 0, 0, 0]) + 0.3 * rng.standard_normal((20, 5)))
    cohort = Cohort(crowd, top=10)
    common, rare = np.array([[1.0, 0, 0, 0, 0]]), np.array([[0, 1.0, 0, 0, 0]])
    score = np.array([[0.5]])
    assert cohort.normalised(score, common, common) < 0 < cohort.normalised(score, rare, rare)


def test_who_is_the_same_to_the_whole_cohort_divides_by_no_zero():
    cohort = Cohort(np.array([[1.0, 0], [1.0, 0]]), top=2)
    assert np.isfinite(cohort.normalised(np.array([[0.5]]), np.array([[0, 1.0]]), np.array([[0, 1.0]]))).all()


@pytest.mark.parametrize("top", [1, 5])
def test_top_has_to_fit_the_cohort(top):
    with pytest.raises(ValueError, match=f"between 2 and the 4 of the cohort; got {top}"):
        Cohort(np.eye(4), top=top)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4))
def test_symmetric_and_pair_by_pair(seed, ones, others):
    rng = np.random.default_rng(seed)
    cohort = Cohort(unit(rng.standard_normal((12, 6))), top=5)
    a, b = unit(rng.standard_normal((ones, 6))), unit(rng.standard_normal((others, 6)))
    scores = cohort.normalised(a @ b.T, a, b)
    np.testing.assert_allclose(scores.T, cohort.normalised(b @ a.T, b, a))
    np.testing.assert_allclose(scores[:1, :1], cohort.normalised(a[:1] @ b[:1].T, a[:1], b[:1]))
