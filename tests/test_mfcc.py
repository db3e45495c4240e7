import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, rankdata

from tertulia.features import fbank
from tertulia.mfcc import deltas, mfcc, mfcc_of_blocks, normalized, warped

RATE = 16_000


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def test_cepstra_are_the_cosine_transform_of_log_energies():
    samples = noise(RATE)
    bands = fbank(samples, 24, window="hamming").astype(np.float64)
    k = np.arange(24)
    expected = np.stack(
        [
            np.sqrt((1 if n == 0 else 2) / 24)
            * (bands * np.cos(np.pi * n * (k + 0.5) / 24)).sum(axis=1)
            * (1 + 11 * np.sin(np.pi * n / 22))
            for n in range(13)
        ],
        axis=1,
    )
    np.testing.assert_allclose(mfcc(samples), expected, atol=1e-3)


def test_louder_sound_changes_c0_alone():
    samples = noise(RATE)
    change = mfcc(4 * samples) - mfcc(samples)
    np.testing.assert_allclose(change[:, 0], np.sqrt(24) * np.log(16), rtol=1e-3)
    np.testing.assert_allclose(change[:, 1:], 0, atol=1e-2)


@pytest.mark.parametrize("seconds", [0.0, 0.004, 0.3, 61.0, 135.004])
@pytest.mark.parametrize("block", [1_000, 160_000, 10_000_000])
def test_blocks_give_the_frames_of_the_whole(seconds, block):
    if block == 1_000 and seconds > 100:
        pytest.skip("the same with more blocks")
    samples = noise(round(seconds * RATE))
    parts = list(mfcc_of_blocks(samples[i : i + block] for i in range(0, len(samples), block)))
    joined = np.concatenate(parts) if parts else np.empty((0, 13))
    np.testing.assert_array_equal(joined, mfcc(samples))


@pytest.mark.parametrize("cepstra", [0, 25])
def test_impossible_numbers_of_cepstra(cepstra):
    with pytest.raises(ValueError, match=f"there are 1 to 24 cepstra; got {cepstra}"):
        mfcc(noise(800), cepstra=cepstra)


def test_deltas_of_a_line_are_its_slope():
    line = np.arange(10, dtype=np.float32)[:, None] * np.array([[1.0, -2.0]], np.float32)
    np.testing.assert_allclose(deltas(line)[2:-2], [[1, -2]] * 6, atol=1e-6)
    # By hand at the edge, which is repeated: (1·(1 − 0) + 2·(2 − 0)) / 10.
    assert deltas(line)[0, 0] == pytest.approx(0.5)
    assert deltas(np.empty((0, 3), np.float32)).shape == (0, 3)
    with pytest.raises(ValueError, match="whole number from 1; got 0"):
        deltas(line, 0)


def test_normalisation():
    values = np.random.default_rng(0).normal([5, -3, 7], [2, 0.1, 0], (400, 3)).astype(np.float32)
    done = normalized(values)
    np.testing.assert_allclose(done.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(done.std(axis=0), [1, 1, 0], atol=1e-4)
    np.testing.assert_allclose(normalized(values, variance=False).std(axis=0), values.std(axis=0), rtol=1e-5)
    assert normalized(values[:0]).shape == (0, 3)
    np.testing.assert_array_equal(normalized(values[:1]), 0)


def test_warping_by_hand():
    values = np.array([[3.0], [1.0], [2.0]], np.float32)
    np.testing.assert_allclose(warped(values)[:, 0], norm.ppf([5 / 6, 1 / 6, 3 / 6]), atol=1e-6)
    np.testing.assert_array_equal(warped(np.ones((500, 2), np.float32)), 0)
    assert warped(np.empty((0, 4), np.float32)).shape == (0, 4)
    with pytest.raises(ValueError, match="from 1; got 0"):
        warped(values, 0)


@settings(deadline=None, max_examples=30)
@given(frames=st.integers(1, 60), width=st.integers(1, 41), seed=st.integers(0, 99))
def test_warping_is_the_rank_in_the_window(frames, width, seed):
    values = np.random.default_rng(seed).integers(0, 6, (frames, 2)).astype(np.float32)
    done = warped(values, width)
    size = min(width, frames)
    for i in range(frames):
        first = min(max(i - size // 2, 0), frames - size)
        ranks = rankdata(values[first : first + size], axis=0)[i - first]
        np.testing.assert_allclose(done[i], norm.ppf((ranks - 0.5) / size), atol=1e-5)


def test_warping_undoes_gain_and_offset():
    values = np.random.default_rng(1).normal(size=(700, 3)).astype(np.float32)
    np.testing.assert_allclose(warped(8 * values + 2), warped(values), atol=1e-5)
