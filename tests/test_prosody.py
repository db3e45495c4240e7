from __future__ import annotations

import numpy as np
import pytest

from tertulia.prosody import STATISTICS, prosody, statistics_of

RATE = 16_000


def voice(pitch, seconds=1.0, harmonics=6):
    """A tone with harmonics, of a steady pitch or of one for each sample."""
    pitch = np.broadcast_to(pitch, round(seconds * RATE))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return (0.1 * sum(np.cos(k * phase) / k for k in range(1, harmonics + 1))).astype(np.float32)


@pytest.mark.parametrize("pitch", [70.0, 98.7, 140.0, 221.3, 333.0, 450.0])
def test_the_pitch_of_a_tone(pitch):
    tracks = prosody(voice(pitch))
    inner = tracks.pitch[5:-5]
    assert not np.isnan(inner).any()
    assert 55 * 2 ** (inner / 12) == pytest.approx(np.full(len(inner), pitch), rel=0.01)
    assert tracks.voicing[5:-5].min() > 0.9


def test_pitch_follows_a_glide_and_its_slope_is_known():
    # One octave up in one second: twelve semitones a second.
    tracks = prosody(voice(110 * 2 ** (np.arange(RATE) / RATE)))
    found = dict(zip(STATISTICS, statistics_of(tracks, slice(5, 95)), strict=True))
    assert found["pitch slope"] == pytest.approx(12, abs=0.3)
    assert found["pitch mean"] == pytest.approx(12 + 6, abs=0.3)  # 110 Hz is an octave over 55 Hz
    assert found["pitch change"] == pytest.approx(0.12, abs=0.02)


def test_noise_has_no_pitch():
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    assert np.isnan(prosody(noise).pitch).mean() > 0.95


def test_a_louder_recording_has_the_same_statistics():
    rng = np.random.default_rng(1)
    speech = voice(150 + 30 * np.sin(np.arange(RATE) / 2000)) + 0.01 * rng.standard_normal(RATE)
    quiet, loud = (statistics_of(prosody((gain * speech).astype(np.float32))) for gain in (0.1, 1.0))
    assert quiet == pytest.approx(loud, abs=0.05)


def test_level_and_tilt():
    low, high = (prosody(voice(f, harmonics=1)) for f in (200.0, 400.0))
    assert low.level[50] == pytest.approx(20 * np.log10(0.1 / np.sqrt(2)), abs=0.3)
    assert high.tilt[50] < -20
    bright = prosody((0.1 * np.sin(2 * np.pi * 3000 * np.arange(RATE) / RATE)).astype(np.float32))
    assert bright.tilt[50] > 20


def test_syllables_are_counted():
    swell = 0.02 + np.clip(np.sin(2 * np.pi * 4 * np.arange(2 * RATE) / RATE), 0, 1)  # four a second
    found = statistics_of(prosody((swell * voice(120.0, 2.0)).astype(np.float32)))
    assert found[STATISTICS.index("pace: syllables")] == pytest.approx(4, abs=0.6)


@pytest.mark.parametrize("count", [0, 1, 79, 80, 100, 700, 1600])
@pytest.mark.parametrize("sound", ["silence", "noise"])
def test_anything_has_finite_statistics(count, sound):
    samples = np.zeros(count, np.float32)
    if sound == "noise":
        samples += np.random.default_rng(0).standard_normal(count).astype(np.float32)
    tracks = prosody(samples)
    assert len(tracks) == (count + 80) // 160
    found = statistics_of(tracks)
    assert found.shape == (len(STATISTICS),)
    assert np.isfinite(found).all()
