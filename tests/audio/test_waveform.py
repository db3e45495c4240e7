import numpy as np
import pytest

from tertulia.audio import Limits, Resampler, Waveform
from tertulia.errors import AudioError, UsageError


def test_shape_duration_and_channels():
    wave = Waveform(np.zeros((2, 8_000), np.float32), 16_000)
    assert (wave.channels, len(wave), wave.duration) == (2, 8_000, 0.5)
    assert wave.channel(1).samples.shape == (1, 8_000)


def test_samples_are_read_only_and_the_callers_array_stays_writable():
    array = np.zeros((1, 4), np.float32)
    wave = Waveform(array, 16_000)
    with pytest.raises(ValueError, match="read-only"):
        wave.samples[0, 0] = 1
    array[0, 0] = 1


def test_mono_is_the_mean():
    wave = Waveform(np.array([[1.0, 0.0], [0.0, -0.5]], np.float32), 8_000)
    np.testing.assert_array_equal(wave.mono().samples, [[0.5, -0.25]])
    assert wave.channel(0).mono().samples.shape == (1, 2)


def test_mono_of_huge_values_does_not_overflow():
    wave = Waveform(np.full((4, 2), 3e38, np.float32), 8_000)
    np.testing.assert_allclose(wave.mono().samples, 3e38, rtol=1e-6)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([-128, 64], np.int8), [-1.0, 0.5]),
        (np.array([0, 128, 192], np.uint8), [-1.0, 0.0, 0.5]),
        (np.array([-32768, 16384], np.int16), [-1.0, 0.5]),
        (np.array([-(2**31), 2**30], np.int32), [-1.0, 0.5]),
        (np.array([0.25, 2.0]), [0.25, 2.0]),
        ([0.25, 2.0], [0.25, 2.0]),
    ],
)
def test_from_array_knows_full_scale(array, expected):
    np.testing.assert_array_equal(Waveform.from_array(array, 16_000).samples, [expected])


@pytest.mark.parametrize("array", [np.zeros(3, np.int64), np.zeros(3, complex), np.zeros(3, bool), ["a"]])
def test_from_array_refuses_other_types(array):
    with pytest.raises(UsageError, match="samples are floats, uint8"):
        Waveform.from_array(array, 16_000)


@pytest.mark.parametrize("shape", [(3,), (1, 2, 3), (0, 5), (48_000, 2)])
def test_refuses_other_shapes(shape):
    with pytest.raises(UsageError, match=r"shape \(channels, n\)"):
        Waveform(np.zeros(shape, np.float32), 16_000)


@pytest.mark.parametrize("rate", [0, -1, 999, 768_001, 16_000.5])
def test_refuses_impossible_rates(rate):
    with pytest.raises(UsageError, match="a sample rate is a whole number"):
        Waveform(np.zeros((1, 3), np.float32), rate)
    with pytest.raises(UsageError, match="a sample rate is a whole number"):
        Waveform(np.zeros((1, 3), np.float32), 16_000).resample(rate)


@pytest.mark.parametrize("index", [-1, 2])
def test_refuses_channels_that_are_not_there(index):
    with pytest.raises(UsageError, match="there is: 0 to 1"):
        Waveform(np.zeros((2, 3), np.float32), 16_000).channel(index)


@pytest.mark.parametrize("source_rate", [8_000, 44_100, 48_000, 192_000])
def test_resampling_keeps_a_tone(source_rate):
    def tone(rate):
        return np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)

    wave = Waveform.from_array(np.stack([tone(source_rate), -tone(source_rate)]), source_rate).resample(
        16_000
    )
    assert wave.samples.shape == (2, 16_000)
    middle = slice(1_000, 15_000)  # the edges ring
    np.testing.assert_allclose(wave.samples[0, middle], tone(16_000)[middle], atol=1e-3)
    np.testing.assert_array_equal(wave.samples[1], -wave.samples[0])


def test_resampling_to_the_same_rate_changes_nothing():
    wave = Waveform(np.ones((1, 5), np.float32), 16_000)
    assert wave.resample(16_000) is wave


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("step", [1_000, 7_777, 40_000])
def test_resampler_does_not_depend_on_blocks(channels, step):
    signal = np.random.default_rng(0).standard_normal((channels, 100_000)).astype(np.float32)
    resampler = Resampler(44_100, 16_000, channels)
    parts = [resampler(signal[:, i : i + step]) for i in range(0, signal.shape[1], step)]
    parts.append(resampler(signal[:, :0], last=True))
    np.testing.assert_array_equal(
        np.concatenate(parts, axis=1), Resampler(44_100, 16_000, channels)(signal, last=True)
    )


def test_blocks_join_to_the_whole():
    samples = np.arange(600_000, dtype=np.float32).reshape(2, -1)
    blocks = list(Waveform(samples, 16_000).blocks())
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), samples)


@pytest.mark.parametrize(("rate", "channels"), [(999, 1), (768_001, 1), (16_000, 0), (16_000, 1_025)])
def test_limits_refuse(rate, channels):
    with pytest.raises(AudioError, match="can be read"):
        Limits().check(rate, channels)
