"""Low-level features, against librosa."""

from __future__ import annotations

import numpy as np
import pytest

from tertulia.detection.crowd import FEATURES, RATE, clip_features, fixed_length, low_level

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


def test_pooling_and_vocals(clip):
    mean = clip_features(clip, vocals=False, pooling="mean")
    frames = clip_features(clip, vocals=False, pooling="frames")
    np.testing.assert_allclose(frames.reshape(FEATURES, -1).mean(axis=1), mean, rtol=1e-4)
    assert not np.allclose(clip_features(clip, vocals=True, pooling="mean"), mean)
