import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.features import fbank, sliding_mean

RATE = 16_000
RANDOM = np.random.default_rng(0)


def noise(samples: int) -> np.ndarray:
    return RANDOM.normal(0, 0.1, samples).astype(np.float32)


def reference(samples: np.ndarray, bands: int = 80) -> np.ndarray:
    """Whole 25 ms frames every 10 ms, written from Kaldi's definition; (frames, bands)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), 400)[::160]
    frames = frames - frames.mean(axis=1, keepdims=True)
    frames = frames - 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)  # pre-emphasis
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85  # Povey
    power = np.abs(np.fft.rfft(frames * window, 512)) ** 2

    def mel(hz):
        return 1127 * np.log(1 + hz / 700)

    edges = np.linspace(mel(20), mel(RATE / 2), bands + 2)
    bins = mel(np.arange(256) * RATE / 512)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0, np.minimum(rising, falling))  # (256, bands)
    return np.log(np.maximum(power[:, :256] @ weights, np.finfo(np.float32).eps))


def test_against_the_definition():
    samples = noise(RATE)
    np.testing.assert_allclose(fbank(samples, centred=False), reference(samples), atol=2e-3)


def kaldi(samples: np.ndarray, bands: int, rate: int, centred: bool, window: str) -> np.ndarray:
    """Features by Kaldi's own code."""
    kaldi = pytest.importorskip("kaldi_native_fbank")
    options = kaldi.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = rate
    options.frame_opts.snip_edges = not centred
    options.frame_opts.window_type = window
    options.mel_opts.num_bins = bands
    extractor = kaldi.OnlineFbank(options)
    extractor.accept_waveform(rate, samples)
    extractor.input_finished()
    frames = [extractor.get_frame(i) for i in range(extractor.num_frames_ready)]
    return np.array(frames, np.float32).reshape(-1, bands)


@pytest.mark.parametrize("window", ["povey", "hamming"])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("bands", "rate"), [(80, 16_000), (24, 8_000), (40, 22_050)])
def test_against_kaldi(bands, rate, centred, window):
    lengths = (3 * rate, rate // 100, rate // 90, rate // 3)
    for samples in (*map(noise, lengths), 1e-4 * noise(rate)):
        got = fbank(samples, bands, rate, centred=centred, window=window)
        np.testing.assert_allclose(got, kaldi(samples, bands, rate, centred, window), atol=1e-3)


def test_speech_against_kaldi(sound):
    np.testing.assert_allclose(fbank(sound), kaldi(sound, 80, RATE, True, "povey"), atol=1e-3)


def test_centred_frames_are_where_they_say():
    samples = noise(RATE)
    centred, whole = fbank(samples), fbank(samples, centred=False)
    # A frame centred on (i + ½) · 10 ms begins 7.5 ms, 120 samples, before i · 10 ms.
    shifted = fbank(samples[40:], centred=False)  # 40 = 160 − 120: begins where centred frame 1 does
    np.testing.assert_allclose(centred[1:98], shifted[:97], atol=2e-3)
    assert (len(centred), len(whole)) == (100, 98)


@pytest.mark.parametrize(
    ("samples", "centred", "whole"),
    [(0, 0, 0), (1, 0, 0), (79, 0, 0), (80, 1, 0), (399, 2, 0), (400, 3, 1), (560, 4, 2)],
)
def test_number_of_frames(samples, centred, whole):
    assert fbank(noise(samples)).shape == (centred, 80)
    assert fbank(noise(samples), centred=False).shape == (whole, 80)


def test_other_bands_and_rates():
    assert fbank(noise(8000), bands=24, sample_rate=8000).shape == (100, 24)


def test_silence_is_finite_and_even():
    features = fbank(np.zeros(RATE, np.float32))
    assert np.isfinite(features).all()
    assert np.ptp(features) == 0


def test_twice_the_sound_is_four_times_the_energy():
    samples = noise(RATE)
    np.testing.assert_allclose(fbank(2 * samples) - fbank(samples), np.log(4), atol=1e-3)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 40))
def test_sliding_mean_is_the_mean_around_each_frame(frames, half):
    values = np.random.default_rng(frames).normal(5, 2, (frames, 3)).astype(np.float32)
    expected = [values[max(i - half, 0) : i + half + 1].mean(axis=0) for i in range(frames)]
    got = sliding_mean(values, 2 * half + 1)
    np.testing.assert_allclose(got, np.array(expected).reshape(-1, 3), rtol=1e-5)
    assert got.dtype == np.float32


def test_sliding_mean_of_a_long_recording_does_not_drift():
    values = np.full((400_000, 1), 0.1, np.float32)
    np.testing.assert_array_equal(sliding_mean(values, 301), values)
