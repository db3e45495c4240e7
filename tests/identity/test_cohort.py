from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.identity.cohort import Cohort

AXES = Cohort(np.eye(4), top=2, share=0.5)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_means_are_those_of_the_nearest():
    means = AXES.means(np.array([[0.8, 0.6, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]))
    np.testing.assert_allclose(means, [0.7, 0.5])


def test_a_score_is_measured_by_both_sides():
    one, other = np.array([[0.8, 0.6, 0.0, 0.0]]), np.array([[0.0, 0.0, 0.0, 1.0]])
    # 0.9 − ½ · (0.7 + 0.5) / 2
    np.testing.assert_allclose(AXES.normalised(np.array([[0.9]]), one, other), [[0.6]])


def test_no_share_leaves_scores_as_they_are():
    cohort = Cohort(np.eye(4), top=2, share=0.0)
    np.testing.assert_array_equal(
        cohort.normalised(np.array([[0.9]]), np.eye(4)[:1], np.eye(4)[1:2]), [[0.9]]
    )


def test_a_voice_like_everybody_elses_needs_a_higher_cosine():
    rng = np.random.default_rng(0)
    crowd = unit(np.array([1.0, 0, 0, 0, 0]) + 0.3 * rng.standard_normal((20, 5)))
    cohort = Cohort(crowd, top=10, share=1.0)
    common, rare = np.array([[1.0, 0, 0, 0, 0]]), np.array([[0, 1.0, 0, 0, 0]])
    score = np.array([[0.5]])
    assert cohort.normalised(score, common, common) < 0 < cohort.normalised(score, rare, rare)


@pytest.mark.parametrize("top", [0, 5])
def test_top_has_to_fit_the_cohort(top):
    with pytest.raises(ValueError, match=f"between 1 and the 4 of the cohort; got {top}"):
        Cohort(np.eye(4), top=top, share=0.5)


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_shares_lie_between_none_and_all(share):
    with pytest.raises(ValueError, match="a share lies between 0 and 1"):
        Cohort(np.eye(4), top=2, share=share)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4))
def test_symmetric_and_pair_by_pair(seed, ones, others):
    rng = np.random.default_rng(seed)
    cohort = Cohort(unit(rng.standard_normal((12, 6))), top=5, share=0.7)
    a, b = unit(rng.standard_normal((ones, 6))), unit(rng.standard_normal((others, 6)))
    scores = cohort.normalised(a @ b.T, a, b)
    np.testing.assert_allclose(scores.T, cohort.normalised(b @ a.T, b, a))
    np.testing.assert_allclose(scores[:1, :1], cohort.normalised(a[:1] @ b[:1].T, a[:1], b[:1]))
