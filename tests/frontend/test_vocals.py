from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.frontend import Vocals
from tertulia.frontend.repet import (
    _istft,
    _stft,
    accompaniment,
    foreground,
    neighbours,
    softmask,
)
from tertulia.simulation.sounds import rms

RATE = 16_000


def music(seconds: float) -> np.ndarray:
    """Four chords over and over, with a beat."""
    time = np.arange(round(seconds * RATE)) / RATE
    chord = np.array([[220, 277, 330], [196, 247, 294], [175, 220, 262], [165, 208, 247]])
    pitch = chord[(time / 0.5).astype(int) % 4]  # (n, 3)
    phase = 2 * np.pi * np.cumsum(pitch, axis=0) / RATE
    return (0.1 * np.sin(phase).sum(axis=1) * np.exp(-4 * (time % 0.5))).astype(np.float32)


def snr(reference: np.ndarray, estimate: np.ndarray) -> float:
    return 10 * np.log10(np.sum(reference**2.0) / np.sum((reference - estimate) ** 2.0))


@pytest.fixture(scope="module")
def mixture(sound):
    return sound[: 12 * RATE] + music(12)


def test_it_is_the_published_recipe(mixture):
    librosa = pytest.importorskip("librosa")
    spectrum = librosa.stft(mixture)
    full = np.abs(spectrum)
    usual = librosa.decompose.nn_filter(full, aggregate=np.median, metric="cosine", width=16)
    usual = np.minimum(full, usual)
    mask = librosa.util.softmask(full - usual, 10 * usual, power=2)
    expected = librosa.istft(mask * spectrum, length=len(mixture))
    assert np.allclose(accompaniment(full.T, 16).T, usual, atol=1e-4)
    assert snr(expected, foreground(mixture, 16, 10.0, 2.0)) > 80
    other = librosa.util.softmask(usual, 2 * (full - usual), power=2)
    assert softmask(usual, 2 * (full - usual), 2) == pytest.approx(other, abs=1e-5)


def test_the_spectrum_is_inverted(mixture):
    assert _istft(_stft(mixture), len(mixture)) == pytest.approx(mixture, abs=1e-5)
    assert _istft(_stft(mixture[:1000]), 1000) == pytest.approx(mixture[:1000], abs=1e-5)


def test_neighbours_by_hand():
    # Frames 0, 3 and 6 look the same, so do 1 and 4; frame 7 is silent.
    looks = np.array([[1, 0], [0, 1], [1, 1], [2, 0], [0, 3], [1, 1.2], [1, 0.01], [0, 0]], np.float32)
    found = neighbours(looks, 2, 2)
    assert found[0].tolist() == [False, False, True, True, False, False, False, False]
    assert not any(found[i, j] for i in range(8) for j in range(8) if abs(i - j) < 2)
    assert (found.sum(axis=1) <= 2).all()


def test_accompaniment_is_the_median_of_what_repeats():
    bar = np.eye(4, dtype=np.float32)
    magnitudes = np.tile(bar, (40, 1))
    magnitudes[21] += np.float32([0, 0, 0, 0.5])  # a voice above the second frame of a bar
    usual = accompaniment(magnitudes, 2)
    assert usual == pytest.approx(np.tile(bar, (40, 1)), abs=1e-6)


def test_softmask_by_hand():
    wanted, other = np.float32([[3, 0, 0, 1e-30]]), np.float32([[4, 0, 2, 1e-30]])
    assert softmask(wanted, other, 2).tolist() == [[pytest.approx(9 / 25), 0, 0, pytest.approx(0.5)]]


def test_music_goes_and_the_voice_stays(sound):
    voice, background = sound[7 * RATE : 17 * RATE], music(10)
    (heard,) = Vocals()([voice + background])
    (left,) = Vocals()([background])
    assert rms(left) < 0.2 * rms(background)
    assert np.corrcoef(heard, voice)[0, 1] > np.corrcoef(voice + background, voice)[0, 1]


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=8))
def test_as_many_samples_come_out_as_go_in(lengths):
    rng = np.random.default_rng(1)
    blocks = [rng.standard_normal(n).astype(np.float32) for n in lengths]
    heard = list(Vocals(block=2.0, fade=0.25)(blocks))
    assert sum(map(len, heard)) == sum(lengths)
    assert all(block.dtype == np.float32 for block in heard)
    assert max(map(len, heard)) <= 3 * RATE


def test_blocks_join_without_a_step(mixture):
    whole = np.concatenate(list(Vocals(block=20.0)([mixture])))
    parts = np.concatenate(list(Vocals(block=4.0, fade=0.5)(np.split(mixture, 50))))
    assert len(whole) == len(parts) == len(mixture)
    assert np.abs(np.diff(parts)).max() <= 1.5 * np.abs(np.diff(mixture)).max()
    assert snr(whole, parts) > 3


def test_the_cut_of_the_blocks_makes_no_difference(mixture):
    vocals = Vocals(block=4.0, fade=0.5)
    one = np.concatenate(list(vocals([mixture])))
    many = np.concatenate(list(vocals(np.array_split(mixture, 77))))
    assert np.array_equal(one, many)


def test_what_is_too_short_to_compare_stays_as_it_is(sound):
    short = sound[: RATE // 2]
    (heard,) = Vocals()([short])
    assert np.array_equal(heard, short)


@pytest.mark.parametrize("seconds", [0.01, 1.0, 3.0])
def test_silence_stays_silent(seconds):
    (heard,) = Vocals()([np.zeros(round(seconds * RATE), np.float32)])
    assert len(heard) == round(seconds * RATE)
    assert not heard.any()


@pytest.mark.parametrize(
    "wrong", [{"apart": 0.0}, {"margin": 0.0}, {"power": -1.0}, {"block": 2.0, "fade": 1.0}, {"fade": 0.0}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=r"above zero|fade lies in"):
        Vocals(**wrong)
