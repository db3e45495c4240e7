import os
import threading
import time
import tracemalloc

import numpy as np
import pytest
import soundfile

from tertulia.audio import Limits, Waveform, open_audio, read, write_wav
from tertulia.errors import AudioError, UsageError

STEREO = Waveform(np.stack([np.full(16_000, 0.5), np.full(16_000, -0.25)]).astype(np.float32), 16_000)


def test_mixing_is_the_mean_and_is_told():
    with open_audio(STEREO) as recording:
        assert (recording.channels, recording.source_channels) == (1, 2)
        np.testing.assert_array_equal(np.concatenate(list(recording), axis=1), np.full((1, 16_000), 0.125))
    assert recording.messages == ("mixing 2 channels down to one",)


def test_split_keeps_all_channels():
    with open_audio(STEREO, channels="split") as recording:
        assert recording.channels == 2
        np.testing.assert_array_equal(np.concatenate(list(recording), axis=1), STEREO.samples)
    assert recording.messages == ()


@pytest.mark.parametrize("channel", [0, 1])
def test_one_channel_counted_from_zero(channel):
    np.testing.assert_array_equal(
        read(STEREO, channels=channel).samples, STEREO.samples[channel : channel + 1]
    )


@pytest.mark.parametrize("channel", [2, -1])
def test_a_channel_that_is_not_there(channel):
    with pytest.raises(UsageError, match=f"no channel {channel}; there is: 0 to 1"):
        open_audio(STEREO, channels=channel)


@pytest.mark.parametrize("channels", ["left", None, 1.5, True])
def test_wrong_channels(channels):
    with pytest.raises(UsageError, match="'mix', 'split' or a number from 0"):
        open_audio(STEREO, channels=channels)


@pytest.mark.parametrize("rate", [0, 999, 10**6])
def test_wrong_rate(rate):
    with pytest.raises(UsageError, match="1000 to 768000 Hz"):
        open_audio(STEREO, sample_rate=rate)


@pytest.mark.parametrize("source", [None, 3, ["a.wav"], (1, 2, 3)])
def test_wrong_source(source):
    with pytest.raises(UsageError, match="audio is a path, bytes"):
        open_audio(source)


def test_text_file_object_is_refused(tmp_path):
    path = tmp_path / "x.wav"
    path.write_text("RIFF")
    with path.open() as file, pytest.raises(UsageError, match="audio is a path, bytes, a binary file"):
        open_audio(file)


def test_missing_file_directory_and_empty_file(tmp_path):
    empty = tmp_path / "empty.wav"
    empty.touch()
    for path, message in [
        (tmp_path / "no.wav", "does not exist"),
        (tmp_path, "is a directory"),
        (empty, "is empty"),
    ]:
        with pytest.raises(AudioError) as caught:
            open_audio(path)
        assert str(caught.value).startswith(f"{path}: {message}")
    with pytest.raises(AudioError, match="cannot be opened"):
        open_audio("a\0b.wav")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tmp_path):
    path = tmp_path / "x.wav"
    write_wav(path, STEREO)
    path.chmod(0)
    with pytest.raises(AudioError, match="cannot be opened: Permission denied"):
        open_audio(path)


def test_refused_by_the_system(tmp_path, monkeypatch):
    path = tmp_path / "x.wav"
    write_wav(path, STEREO)

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", denied)
    with pytest.raises(AudioError, match=r"x\.wav: cannot be opened: Permission denied"):
        open_audio(path)


def test_names():
    assert open_audio(STEREO).name == "waveform"
    assert open_audio(STEREO, name="stdin").name == "stdin"


def test_name_of_a_file_object(tmp_path):
    write_wav(tmp_path / "x.wav", STEREO)
    with (tmp_path / "x.wav").open("rb") as file:
        with open_audio(file) as recording:
            assert recording.name == str(tmp_path / "x.wav")
        assert not file.closed


def test_arrays_and_files_give_the_same(tmp_path):
    values = np.random.default_rng(0).uniform(-1, 1, 30_000).astype(np.float32)
    write_wav(tmp_path / "x.wav", Waveform.from_array(values, 44_100), bits=32)
    from_file = read(tmp_path / "x.wav").samples
    np.testing.assert_array_equal(read((values, 44_100)).samples, from_file)
    np.testing.assert_array_equal(Waveform.from_array(values, 44_100).resample(16_000).samples, from_file)


@pytest.mark.parametrize("rate", [8_000, 22_050, 192_000])
def test_streaming_equals_resampling_the_whole(tmp_path, rate):
    values = np.random.default_rng(1).uniform(-1, 1, (2, 700_000)).astype(np.float32)
    wave = Waveform(values, rate)
    write_wav(tmp_path / "x.wav", wave, bits=32)
    with open_audio(tmp_path / "x.wav", channels="split") as recording:
        blocks = list(recording)
    assert len(blocks) > 2
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), wave.resample(16_000).samples)


def test_twenty_milliseconds():
    assert read((np.ones(160, np.float32), 8_000)).samples.shape == (1, 320)


def test_too_short_for_one_sample():
    with pytest.raises(AudioError, match=r"^waveform: is too short"):
        read((np.ones(1, np.float32), 192_000))


def test_an_empty_waveform_holds_no_samples():
    with pytest.raises(AudioError, match=r"^waveform: holds no samples"):
        read((np.ones(0, np.float32), 16_000))


def test_1024_channels(tmp_path):
    values = np.zeros((1_024, 4_800), np.float32)
    values[3] = 0.5
    write_wav(tmp_path / "x.wav", Waveform(values, 16_000), bits=32)
    with open_audio(tmp_path / "x.wav") as recording:
        np.testing.assert_array_equal(
            np.concatenate(list(recording), axis=1), np.full((1, 4_800), 0.5 / 1_024)
        )
    assert recording.messages == ("mixing 1024 channels down to one",)


def test_the_length_is_limited():
    with pytest.raises(AudioError, match=r"goes on past 0\.0001 hours, the limit for 2 channels"):
        read(STEREO, limits=Limits(channel_hours=0.0002))
    read(STEREO, limits=Limits(channel_hours=0.0006))


def test_memory_stays_bounded(tmp_path):
    path = tmp_path / "long.wav"
    frames = 16_000 * 600
    soundfile.write(path, np.zeros(16, np.int16), 16_000)
    header = bytearray(path.read_bytes()[:44])
    header[40:44] = (frames * 2).to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(header)
        file.truncate(44 + frames * 2)
    tracemalloc.start()
    with open_audio(path, sample_rate=8_000) as recording:
        assert sum(block.shape[1] for block in recording) == frames // 2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20  # the samples would be 38 MB


def test_a_closed_recording_yields_nothing_and_closes_its_file(tmp_path):
    write_wav(tmp_path / "x.wav", Waveform(np.zeros((1, 600_000), np.float32), 16_000))
    recording = open_audio(tmp_path / "x.wav")
    next(recording)
    recording.close()
    recording.close()
    assert list(recording) == []
    open_audio(tmp_path / "x.wav")  # an unclosed file would be a ResourceWarning, an error here


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe_is_read_like_a_stream(tmp_path):
    write_wav(tmp_path / "x.wav", STEREO)
    os.mkfifo(tmp_path / "pipe")
    content = (tmp_path / "x.wav").read_bytes()
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,))
    writer.start()
    assert read(tmp_path / "pipe").duration == 1.0
    writer.join()


def test_plain_wav_is_fast(tmp_path):
    path = tmp_path / "x.wav"
    write_wav(path, Waveform(np.zeros((1, 16_000 * 600), np.float32), 16_000))
    durations = []
    for _ in range(5):
        begin = time.perf_counter()
        with open_audio(path) as recording:
            assert sum(block.shape[1] for block in recording) == 16_000 * 600
        durations.append(time.perf_counter() - begin)
    assert min(durations) < 0.15  # about 0.02 s on an idle machine
