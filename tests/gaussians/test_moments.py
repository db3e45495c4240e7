"""Single Gaussians from sufficient statistics, and distances between them, against NumPy and SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from tertulia.gaussians import Moments, adjacent, bic_penalty, bic_shift, glr, kl2

RIDGE = 1e-3
RANDOM = np.random.default_rng(0)
FRAMES = RANDOM.normal(size=(300, 4)) @ RANDOM.normal(size=(4, 4)) + [1.0, -20.0, 3.0, 400.0]


def covariance(frames: np.ndarray) -> np.ndarray:
    return np.cov(frames.T, bias=True) + RIDGE * np.eye(frames.shape[1])


def brute_bic(x: np.ndarray, y: np.ndarray, weight: float) -> float:
    both = np.concatenate([x, y])
    dim = x.shape[1]
    ratio = sum(
        sign * len(part) / 2 * np.log(np.linalg.det(covariance(part)))
        for sign, part in ((1, both), (-1, x), (-1, y))
    )
    return ratio - weight * 0.5 * (dim + dim * (dim + 1) / 2) * np.log(len(both))


def test_moments_against_numpy():
    moments = Moments.of(FRAMES, [(0, 100), (100, 300)])
    for i, part in enumerate((FRAMES[:100], FRAMES[100:])):
        np.testing.assert_allclose(moments.mean[i], part.mean(axis=0))
        np.testing.assert_allclose(moments.covariance[i], covariance(part), rtol=1e-6, atol=1e-8)
        assert moments.log_determinant[i] == pytest.approx(np.linalg.slogdet(covariance(part))[1], rel=1e-7)
        assert moments.diagonal_log_determinant[i] == pytest.approx(np.log(np.diag(covariance(part))).sum())
        oracle = multivariate_normal(part.mean(axis=0), covariance(part)).logpdf(FRAMES)
        np.testing.assert_allclose(moments.log_density(FRAMES)[:, i], oracle, rtol=1e-6)


def test_moments_add_up():
    parts = Moments.of(FRAMES, [(0, 10), (10, 300)])
    whole = Moments.of(FRAMES, [(0, 300)])
    joined = parts[:1] + parts[1:]
    for name in ("count", "total", "square"):
        np.testing.assert_allclose(getattr(joined, name), getattr(whole, name))
    again = Moments.join([parts[1:], parts[:1]])
    np.testing.assert_allclose(again.count, [290, 10])
    labels = np.array([1, 0] * 150)
    by_label = Moments.of_labels(FRAMES, labels)
    np.testing.assert_allclose(by_label.mean[1], FRAMES[::2].mean(axis=0))
    assert len(Moments.of_labels(FRAMES[:0], labels[:0])) == 0


@pytest.mark.parametrize(
    ("features", "bounds", "said"),
    [
        (np.zeros(3), [(0, 1)], r"shape \(frames, dim\); got \(3,\)"),
        (np.zeros((3, 2)), [(0, 4)], "lie in the 3 frames"),
        (np.zeros((3, 2)), [(-1, 2)], "lie in the 3 frames"),
        (np.zeros((3, 2)), [(2, 1)], "lie in the 3 frames"),
    ],
)
def test_stretches_that_are_not_there(features, bounds, said):
    with pytest.raises(ValueError, match=said):
        Moments.of(features, bounds)


@settings(deadline=None, max_examples=40)
@given(split=st.integers(6, 54), weight=st.floats(0, 5), seed=st.integers(0, 99))
def test_bic_against_brute_force(split, weight, seed):
    random = np.random.default_rng(seed)
    frames = random.normal(size=(60, 3)) * random.uniform(0.5, 3, 3) + random.normal(size=3)
    one, two = Moments.of(frames, [(0, split)]), Moments.of(frames, [(split, 60)])
    expected = brute_bic(frames[:split], frames[split:], weight)
    assert bic_shift(one, two, weight)[0] == pytest.approx(expected, abs=1e-6)


def test_penalty_by_hand():
    assert bic_penalty(2, np.e) == pytest.approx(2.5)  # 2 means and 3 covariances
    assert bic_penalty(2, np.e, diagonal=True) == pytest.approx(2.0)
    assert bic_penalty(2, 0) == 0


def test_kl2_by_hand():
    x = np.array([[-1.0], [1.0]])  # mean 0, variance 1
    y = np.array([[1.0], [5.0]])  # mean 3, variance 4
    one, two = Moments.of(x, [(0, 2)]), Moments.of(y, [(0, 2)])
    v, w = 1 + RIDGE, 4 + RIDGE
    expected = 0.5 * (v / w + w / v - 2 + 9 * (1 / v + 1 / w))
    assert kl2(one, two)[0] == pytest.approx(expected)
    assert kl2(two, one)[0] == pytest.approx(expected)
    assert kl2(one, one)[0] == pytest.approx(0)


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((10, 3)),
        np.full((10, 3), 1e6),
        np.repeat(RANDOM.normal(size=(10, 1)), 3, axis=1),  # of rank one
        RANDOM.normal(0, 1e4, (10, 3)),
    ],
)
def test_degenerate_features_give_finite_distances(frames, diagonal):
    stretches = Moments.of(frames, [(0, 1), (1, 1), (1, 10), (0, 10)])
    for i in range(4):
        one = stretches[i : i + 1]
        ratio = glr(one, stretches, diagonal=diagonal)
        assert (ratio >= 0).all()
        for distance in (ratio, bic_shift(one, stretches, diagonal=diagonal), kl2(one, stretches)):
            assert np.isfinite(distance).all()
    assert np.isfinite(stretches.log_determinant).all()
    assert np.isfinite(stretches.log_density(frames)).all()


def test_ratio_grows_with_the_difference():
    same = RANDOM.normal(size=(200, 3))
    stretches = [Moments.of(same + shift, [(0, 200)]) for shift in (0, 1, 3)]
    assert glr(stretches[0], stretches[0])[0] == pytest.approx(0, abs=1e-9)
    near, far = (glr(stretches[0], other)[0] for other in stretches[1:])
    assert 0 < near < far


@settings(deadline=None, max_examples=30)
@given(frames=st.integers(0, 90), span=st.integers(1, 4), hop=st.integers(1, 7))
def test_adjacent_windows_against_slices(frames, span, hop):
    width = span * hop
    places, before, after = adjacent(FRAMES[:frames], width, hop)
    blocks = frames // hop
    assert places.tolist() == [i * hop for i in range(span, blocks - span + 1)]
    expected = Moments.of(FRAMES[:frames], [(p - width, p) for p in places])
    np.testing.assert_allclose(before.total, expected.total)
    np.testing.assert_allclose(before.square, expected.square)
    expected = Moments.of(FRAMES[:frames], [(p, p + width) for p in places])
    np.testing.assert_allclose(after.total, expected.total)
    np.testing.assert_allclose(after.square, expected.square)
    assert (before.count == width).all()


@pytest.mark.parametrize(("width", "hop"), [(5, 2), (2, 5), (5, 0)])
def test_windows_that_do_not_fit(width, hop):
    with pytest.raises(ValueError, match="width that is a multiple of a hop"):
        adjacent(FRAMES, width, hop)
