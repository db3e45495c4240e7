"""Mixtures against scikit-learn, and adaptation by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.gaussians import GMM, Statistics, adapted, em_step, fit

RANDOM = np.random.default_rng(0)
FRAMES = np.concatenate([RANDOM.normal(-2, 1, (300, 3)), RANDOM.normal(2, 0.5, (200, 3))])
START = GMM(np.array([0.3, 0.7]), np.array([[-1.0, 0, 0], [1, 1, 1]]), np.ones((2, 3)))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("iterations", [1, 5, 20])
def test_em_against_scikit_learn(iterations):
    from sklearn.mixture import GaussianMixture

    model = START
    for _ in range(iterations):
        model = em_step(model, Statistics.of(model, FRAMES))
    oracle = GaussianMixture(
        2,
        covariance_type="diag",
        reg_covar=0,
        tol=0,
        max_iter=iterations,
        weights_init=START.weights,
        means_init=START.means,
        precisions_init=1 / START.variances,
    ).fit(FRAMES)
    np.testing.assert_allclose(model.weights, oracle.weights_, atol=1e-6)
    np.testing.assert_allclose(model.means, oracle.means_, atol=1e-6)
    np.testing.assert_allclose(model.variances, oracle.covariances_, atol=1e-6)
    np.testing.assert_allclose(model.log_likelihood(FRAMES), oracle.score_samples(FRAMES), atol=1e-6)


def test_statistics_against_scikit_learn_posteriors_and_add_up():
    whole = Statistics.of(START, FRAMES)
    joint = START.log_components(FRAMES)
    posterior = np.exp(joint - np.logaddexp(joint[:, 0], joint[:, 1])[:, None])
    np.testing.assert_allclose(whole.count, posterior.sum(axis=0))
    np.testing.assert_allclose(whole.first, posterior.T @ FRAMES)
    np.testing.assert_allclose(whole.second, posterior.T @ FRAMES**2)
    assert whole.log_likelihood == pytest.approx(START.log_likelihood(FRAMES).sum())
    halves = Statistics.of(START, FRAMES[:77]) + Statistics.of(START, FRAMES[77:])
    np.testing.assert_allclose(halves.first, whole.first)
    assert halves.frames == whole.frames == 500


def test_more_frames_than_are_held_at_once():
    many = np.tile(FRAMES, (90, 1))  # 45 000
    assert Statistics.of(START, many).log_likelihood == pytest.approx(
        90 * Statistics.of(START, FRAMES).log_likelihood
    )
    assert START.log_likelihood(many).shape == (45_000,)
    assert START.log_likelihood(FRAMES[:0]).shape == (0,)


def test_fitting_finds_the_two_clouds():
    model = fit(FRAMES, 2)
    order = np.argsort(model.means[:, 0])
    np.testing.assert_allclose(model.weights[order], [0.6, 0.4], atol=0.02)
    np.testing.assert_allclose(model.means[order], [[-2] * 3, [2] * 3], atol=0.2)
    np.testing.assert_array_equal(fit(FRAMES, 2).means, model.means)


@settings(deadline=None, max_examples=25)
@given(frames=st.integers(1, 40), components=st.integers(1, 8), seed=st.integers(0, 50))
def test_em_never_loses_likelihood(frames, components, seed):
    values = np.random.default_rng(seed).normal(size=(frames, 2))
    model = fit(values, components, iterations=1)
    before = model.log_likelihood(values).mean()
    for _ in range(5):
        model = em_step(model, Statistics.of(model, values), 0.05)
        after = model.log_likelihood(values).mean()
        assert after >= before - 1e-6 or (model.variances <= 0.05 + 1e-9).any()
        before = after


@pytest.mark.parametrize("values", [np.zeros((1, 3)), np.full((50, 3), 7.0), np.eye(3) * 1e5])
def test_degenerate_frames_give_a_usable_model(values):
    model = fit(values, 8)
    assert len(model) <= len(values)
    assert np.isfinite(model.log_likelihood(values)).all()
    assert np.isfinite(model.log_likelihood(values + 100)).all()


def test_a_component_that_sees_nothing_stays_where_it_is():
    far = GMM([0.5, 0.5], [[0.0], [1e4]], [[1.0], [1.0]])
    moved = em_step(far, Statistics.of(far, np.array([[0.0], [2.0]])))
    assert moved.means[1, 0] == 1e4
    assert moved.means[0, 0] == pytest.approx(1.0)
    assert moved.weights[1] > 0


# ── adaptation ───────────────────────────────────────────────────────────────────────────────────────────


def test_adaptation_by_hand():
    """One component, four frames of mean 3 and mean square 10, relevance 4: α = ½."""
    background = GMM([1.0], [[1.0]], [[2.0]])
    seen = Statistics.of(background, np.array([[2.0], [4.0], [2.0], [4.0]]))
    everything = adapted(background, seen, 4.0, ("weights", "means", "variances"))
    assert everything.means[0, 0] == pytest.approx(0.5 * 3 + 0.5 * 1)
    assert everything.variances[0, 0] == pytest.approx(0.5 * 10 + 0.5 * (2 + 1) - 2**2)
    means = adapted(background, seen, 4.0)
    assert (means.means[0, 0], means.variances[0, 0]) == (pytest.approx(2.0), 2.0)


def test_adapted_weights_by_hand():
    background = GMM([0.5, 0.5], [[0.0], [100.0]], [[1.0], [1.0]])
    seen = Statistics.of(background, np.zeros((16, 1)))
    weights = adapted(background, seen, 16.0, ("weights",)).weights
    # α = (½, 0): (½·1 + ½·½, ½) = (0.75, 0.5), scaled to add up to one.
    np.testing.assert_allclose(weights, [0.6, 0.4])


def test_nothing_seen_changes_nothing():
    same = adapted(START, Statistics.of(START, FRAMES[:0]), parameters=("weights", "means", "variances"))
    np.testing.assert_allclose(same.means, START.means)
    np.testing.assert_allclose(same.weights, START.weights)
    np.testing.assert_allclose(same.variances, START.variances)


def test_much_evidence_is_maximum_likelihood():
    seen = Statistics.of(START, FRAMES)
    np.testing.assert_allclose(adapted(START, seen, 1e-9).means, em_step(START, seen).means, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: fit(FRAMES[:0], 2), "needs frames"),
        (lambda: fit(FRAMES, 0), "components and iterations from 1"),
        (lambda: fit(FRAMES[0], 2), "needs frames"),
        (lambda: GMM([1.0], [[0.0]], [[0.0]]), "positive variances"),
        (lambda: GMM([1.0], [[np.nan]], [[1.0]]), "finite means"),
        (lambda: GMM([0.5, 0.5], [[0.0]], [[1.0]]), "positive weight for each of its 1 means"),
        (lambda: GMM([1.0], [0.0], [1.0]), "shape"),
        (lambda: START.log_likelihood(np.zeros((4, 2))), r"shape \(frames, 3\); got \(4, 2\)"),
        (lambda: em_step(START, Statistics.of(START, FRAMES[:0])), "no frames"),
        (lambda: adapted(START, Statistics.of(START, FRAMES), 0), "relevance factor is above zero"),
    ],
)
def test_what_is_no_mixture(make, said):
    with pytest.raises(ValueError, match=said):
        make()
