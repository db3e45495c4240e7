import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.embedding import unit
from tertulia.embedding.pooling import statistics


@settings(deadline=None)
@given(st.integers(2, 40), st.integers(1, 4), st.integers(0, 10**6))
def test_masks_select_frames(frames, masks, seed):
    random = np.random.default_rng(seed)
    values = random.normal(3, 2, (frames, 5)).astype(np.float32)
    chosen = random.random((masks, frames)) < 0.5
    chosen[:, :2] = True
    pooled = statistics(values, chosen.astype(np.float32))
    assert pooled.shape == (masks, 10)
    assert pooled.dtype == np.float32
    for row, mask in zip(pooled, chosen, strict=True):
        np.testing.assert_allclose(row[:5], values[mask].mean(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(row[5:], values[mask].std(axis=0, ddof=1), rtol=2e-3, atol=2e-3)


@settings(deadline=None)
@given(st.integers(2, 40), st.integers(0, 10**6))
def test_weights_as_in_the_formula(frames, seed):
    random = np.random.default_rng(seed)
    values = random.normal(0, 2, (frames, 3))
    weights = random.uniform(0.1, 1, frames)
    first, second = weights.sum(), (weights**2).sum()
    mean = np.average(values, axis=0, weights=weights)
    variance = (weights[:, None] * (values - mean) ** 2).sum(axis=0) / (first - second / first)
    (pooled,) = statistics(values.astype(np.float32), weights[None].astype(np.float32))
    np.testing.assert_allclose(pooled, np.concatenate([mean, np.sqrt(variance)]), rtol=2e-3, atol=2e-3)


def test_the_scale_of_weights_does_not_matter():
    values = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    weights = np.random.default_rng(1).random((2, 20)).astype(np.float32)
    np.testing.assert_allclose(statistics(values, weights), statistics(values, 8 * weights), rtol=1e-4)


def test_one_frame_has_no_deviation():
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    pooled = statistics(values, np.eye(4, dtype=np.float32))
    np.testing.assert_array_equal(pooled, np.concatenate([values, np.zeros((4, 3))], axis=1))


def test_constant_frames_have_no_deviation():
    pooled = statistics(np.full((50, 2), 1234.5, np.float32), np.ones((1, 50), np.float32))
    np.testing.assert_allclose(pooled[0, :2], 1234.5)
    np.testing.assert_array_equal(pooled[0, 2:], 0)


def test_unit():
    vectors = np.array([[3, 4], [0, 0], [np.nan, 1]], np.float32)
    scaled = unit(vectors)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled[0], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(scaled[1], [0, 0])
    assert np.isnan(scaled[2]).all()
