"""Low-level features, against librosa."""

from __future__ import annotations

import numpy as np
import pytest

from tertulia.detection.crowd import POOLINGS, RATE, OneOrTwo, clip_table, fixed_length, low_level
from tertulia.errors import UsageError

librosa = pytest.importorskip("librosa")


@pytest.fixture(scope="module")
def clip(sound: np.ndarray) -> np.ndarray:
    return librosa.resample(sound[:32_000], orig_sr=16_000, target_sr=RATE)


def test_they_are_librosa_s(clip):
    table, spectrum = low_level(clip), np.abs(librosa.stft(clip))
    np.testing.assert_allclose(table[:, :40].T, librosa.feature.mfcc(y=clip, n_mfcc=40), atol=0.01)
    np.testing.assert_allclose(table[:, 40], librosa.feature.zero_crossing_rate(clip)[0], atol=1e-6)
    np.testing.assert_allclose(table[:, 41], librosa.feature.rms(S=spectrum)[0], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(table[:, 42], librosa.feature.spectral_rolloff(S=spectrum)[0], atol=1e-3)


def test_silence_is_finite():
    assert np.isfinite(low_level(np.zeros(RATE, np.float32))).all()


def test_padding_is_of_sound_not_of_features(clip):
    short = clip[:5000]
    np.testing.assert_array_equal(fixed_length(short, 0.5), np.r_[short, np.zeros(RATE // 2 - 5000)])
    np.testing.assert_array_equal(fixed_length(clip, 0.5), clip[: RATE // 2])


def test_vocals_are_separated_on_request(clip):
    assert not np.allclose(clip_table(clip, vocals=True), clip_table(clip, vocals=False))


def test_frames_and_means_by_hand():
    tables = np.array([[[1, 10], [3, 50]]], np.float32)  # one clip, two frames, two features
    np.testing.assert_array_equal(POOLINGS["mean"](tables), [[2, 30]])
    np.testing.assert_array_equal(POOLINGS["frames"](tables), [[1, 3, 10, 50]])


def test_statistics_by_hand():
    """A change halfway stays in blocks, one from frame to frame does not; no block is part of one."""
    half = 43 * 22  # frames that blocks of 22 and of 43 divide
    changes = np.r_[np.zeros(half), np.full(half, 4.0)]  # 0 0 … 4 4
    flickers = np.tile([3.0, -3.0, -3.0, 3.0], half // 2)  # sums to 0 in every even block of whole fours
    tables = np.stack([changes, flickers, np.full(2 * half, 7.0)], axis=1)[None].astype(np.float32)
    mean, deviation, short, long = POOLINGS["statistics"](tables).reshape(4, 3)
    np.testing.assert_allclose(mean, [2, 0, 7], atol=1e-6)
    np.testing.assert_allclose(deviation, [2, 3, 0], atol=1e-6)
    # 22 frames are five fours and two whose sum is 0 (3 − 3 or −3 + 3); 43 leave one out: ±3 ∕ 43.
    np.testing.assert_allclose(short, [2, 0, 0], atol=1e-6)
    np.testing.assert_allclose(long, [2, 3 / 43, 0], atol=1e-6)
    rest = np.concatenate([tables, np.full((1, 21, 3), 100, np.float32)], axis=1)
    np.testing.assert_allclose(POOLINGS["statistics"](rest).reshape(4, 3)[2:], [short, long], atol=1e-6)


def test_a_pooling_that_does_not_fit_is_refused():
    with pytest.raises(UsageError, match=r"pooling.*median.*frames, mean, statistics"):
        OneOrTwo(pooling="median")
    with pytest.raises(UsageError, match="2 s or more"):
        OneOrTwo(seconds=1.9)
