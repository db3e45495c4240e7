import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.audio import Waveform, open_audio, read, write_wav
from tertulia.errors import AudioError, OutputError, UsageError

RATE = 16_000
UNKNOWN = 0xFFFFFFFF


def chunk(kind: bytes, body: bytes, size: int | None = None) -> bytes:
    size = len(body) if size is None else size
    return kind + struct.pack("<I", size) + body + b"\0" * (len(body) % 2)


def form(tag=1, channels=1, rate=RATE, bits=16, align=None, extra=b"") -> bytes:
    align = channels * bits // 8 if align is None else align
    return chunk(
        b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * align % 2**32, align, bits) + extra
    )


def wav(*chunks: bytes, kind=b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return kind + struct.pack("<I", len(body) if size is None else size) + body


SAMPLES = np.arange(-500, 500, dtype="<i2") * 60
DATA = chunk(b"data", SAMPLES.tobytes())
EXPECTED = SAMPLES[np.newaxis].astype(np.float32) / 32768


class Pipe(io.RawIOBase):
    """A stream that cannot seek and gives little at a time."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def readable(self):
        return True

    def read(self, size=-1):
        return self._file.read(min(size, 777))


@pytest.mark.parametrize("source", [bytes, io.BytesIO, Pipe])
def test_plain_pcm(source):
    wave = read(source(wav(form(), DATA)))
    np.testing.assert_array_equal(wave.samples, EXPECTED)
    assert wave.sample_rate == RATE


@settings(deadline=None, max_examples=60)
@given(
    subtype=st.sampled_from(["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]),
    container=st.sampled_from(["WAV", "WAVEX", "RF64"]),
    channels=st.integers(1, 5),
    frames=st.integers(1, 300),
    seed=st.integers(0, 2**16),
)
def test_reads_what_libsndfile_writes_as_libsndfile_reads_it(subtype, container, channels, frames, seed):
    values = np.random.default_rng(seed).uniform(-1, 1, (frames, channels))
    file = io.BytesIO()
    soundfile.write(file, values, RATE, format=container, subtype=subtype)
    expected, _ = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32", always_2d=True)
    wave = read(file.getvalue(), channels="split")
    np.testing.assert_array_equal(wave.samples, expected.T)


@settings(deadline=None)
@given(
    values=st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=50),
    channels=st.integers(1, 3),
)
def test_float_files_written_are_read_back_exactly(values, channels, tmp_path_factory):
    path = tmp_path_factory.mktemp("round") / "x.wav"
    wave = Waveform(np.tile(np.array(values, np.float32), (channels, 1)), 44_100)
    write_wav(path, wave, bits=32)
    again = read(path, sample_rate=None, channels="split")
    np.testing.assert_array_equal(again.samples, wave.samples)
    assert again.sample_rate == 44_100
    assert soundfile.info(path).frames == len(values)


def test_16_bit_files_are_rounded_limited_and_complete(tmp_path):
    path = tmp_path / "x.wav"
    write_wav(path, Waveform(np.array([[0.0, 0.5, -1.0, 1.0, 7.0, -7.0]], np.float32), RATE))
    stored, rate = soundfile.read(path, dtype="int16")
    np.testing.assert_array_equal(stored, [0, 16384, -32768, 32767, 32767, -32768])
    assert rate == RATE
    assert [p.name for p in tmp_path.iterdir()] == ["x.wav"]


def test_writing_leaves_the_old_file_when_it_fails(tmp_path):
    path = tmp_path / "x.wav"
    path.write_bytes(b"old")
    with pytest.raises(UsageError, match="NaN"):
        write_wav(path, Waveform(np.array([[np.nan]], np.float32), RATE))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.wav"]


def test_writing_errors(tmp_path):
    wave = Waveform(np.zeros((1, 4), np.float32), RATE)
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        write_wav(tmp_path / "no" / "x.wav", wave)
    with pytest.raises(UsageError, match="16 or 32 bits; got 24"):
        write_wav(tmp_path / "x.wav", wave, bits=24)
    endless = Waveform(np.broadcast_to(np.float32(0), (1, 1)), RATE)
    object.__setattr__(endless, "samples", np.broadcast_to(np.float32(0), (1, 1 << 31)))
    with pytest.raises(OutputError, match="more than a WAV file holds"):
        write_wav(tmp_path / "x.wav", endless)


# ── headers that are unusual, and right ──────────────────────────────────────────────────────────────────


def test_odd_chunks_are_padded():
    np.testing.assert_array_equal(read(wav(chunk(b"note", b"abc"), form(), DATA)).samples, EXPECTED)


def test_odd_chunks_whose_writer_forgot_the_padding():
    odd = b"note" + struct.pack("<I", 3) + b"abc"
    np.testing.assert_array_equal(read(wav(odd, form(), DATA)).samples, EXPECTED)


@pytest.mark.parametrize("source", [bytes, Pipe])
def test_large_chunks_before_the_samples_are_skipped(source):
    large = chunk(b"LIST", bytes(3_000_000))
    for chunks in [(large, form()), (form(), large)]:
        np.testing.assert_array_equal(read(source(wav(*chunks, DATA))).samples, EXPECTED)


def test_chunks_after_the_samples_are_not_sound():
    np.testing.assert_array_equal(read(wav(form(), DATA, chunk(b"LIST", b"INFO" * 99))).samples, EXPECTED)


def test_extensible():
    extra = (
        struct.pack("<HHI", 22, 16, 4) + struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")
    )
    np.testing.assert_array_equal(read(wav(form(tag=0xFFFE, extra=extra), DATA)).samples, EXPECTED)


@pytest.mark.parametrize("kind", [b"RF64", b"BW64"])
def test_64_bit_sizes(kind):
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, len(SAMPLES) * 2, len(SAMPLES), 0))
    data = chunk(b"data", SAMPLES.tobytes(), UNKNOWN)
    file = wav(ds64, form(), data, chunk(b"LIST", b"INFO"), kind=kind, size=UNKNOWN)
    with open_audio(file) as recording:
        assert recording.duration == len(SAMPLES) / RATE
        np.testing.assert_array_equal(np.concatenate(list(recording), axis=1), EXPECTED)
        assert recording.messages == ()


@pytest.mark.parametrize("size", [0, UNKNOWN, UNKNOWN - 36, 0x7FFFF000, 0x7FFFFFFF, 0x80000000])
@pytest.mark.parametrize("riff", [0, UNKNOWN, 36])
def test_streamed_files_go_on_to_their_end(size, riff):
    with open_audio(wav(form(), chunk(b"data", SAMPLES.tobytes(), size), size=riff)) as recording:
        assert recording.duration is None
        np.testing.assert_array_equal(np.concatenate(list(recording), axis=1), EXPECTED)
        assert recording.messages == ()


def test_a_law_goes_to_the_next_reader():
    file = io.BytesIO()
    soundfile.write(file, EXPECTED[0], RATE, format="WAV", subtype="ALAW")
    expected, _ = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")
    np.testing.assert_array_equal(read(file.getvalue()).samples[0], expected)


# ── headers that lie ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("source", [bytes, Pipe])
def test_more_promised_than_there_is(source):
    data = chunk(b"data", np.tile(SAMPLES, 16).tobytes(), 2 * RATE * 60)
    with open_audio(source(wav(form(), data))) as recording:
        assert recording.duration == 60
        assert sum(block.shape[1] for block in recording) == 16_000
    assert recording.messages == ("truncated: decoded 1.0 s of the 60.0 s the header promises",)


def test_an_incomplete_frame_is_dropped():
    file = wav(form(channels=2), chunk(b"data", b"\0\1" * 7, 32))
    assert read(file, channels="split").samples.shape == (2, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (wav(), "ends before its samples"),
        (wav(form()), "ends before its samples"),
        (wav(form(), chunk(b"LIST", b"INFO", 0xFFFFFFF7), DATA), "its chunks claim 4294967"),
        (wav(DATA, form()), "samples come before their format"),
        (wav(chunk(b"fmt ", b"\1\0"), DATA), "a format of 2 bytes"),
        (wav(form(), chunk(b"data", b"")), "holds no samples"),
        (wav(form(), chunk(b"data", b""), chunk(b"LIST", b"INFO" * 9)), "holds no samples"),
        (wav(form(), chunk(b"data", b"\1")), "holds no samples"),
        (wav(form(channels=0), DATA), "has 0 channels; 1 to 1024"),
        (wav(form(channels=2_000), DATA), "has 2000 channels; 1 to 1024"),
        (wav(form(rate=0), DATA), "sample rate of 0 Hz; 1000 to 768000"),
        (wav(form(rate=4_000_000_000), DATA), "sample rate of 4000000000 Hz"),
        (wav(form(), *[chunk(b"junk", b"")] * 10_001, DATA), "more than 10000 chunks"),
    ],
)
@pytest.mark.parametrize("source", [bytes, Pipe])
def test_broken_files(source, content, message):
    with pytest.raises(AudioError, match=f"^talk: .*{message}"):
        read(source(content), name="talk")


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("bits", [32, 64])
def test_nan_and_infinity_become_zero_and_are_counted(bits):
    values = np.array([0.5, np.nan, np.inf, -np.inf, np.nan, 3.0, np.nan], f"<f{bits // 8}")
    with open_audio(wav(form(tag=3, bits=bits), chunk(b"data", values.tobytes()))) as recording:
        np.testing.assert_array_equal(np.concatenate(list(recording), axis=1), [[0.5, 0, 0, 0, 0, 3.0, 0]])
    assert recording.messages == ("3 NaN samples replaced by zero", "2 infinite samples replaced by zero")


def test_doubles_beyond_float_become_zero_and_are_counted():
    values = np.array([1e300, -0.25], "<f8")
    with open_audio(wav(form(tag=3, bits=64), chunk(b"data", values.tobytes()))) as recording:
        np.testing.assert_array_equal(np.concatenate(list(recording), axis=1), [[0, -0.25]])
    assert recording.messages == ("1 infinite samples replaced by zero",)


def test_large_finite_values_are_kept():
    values = np.full(1_000, 3e38, "<f4")
    with open_audio(wav(form(tag=3, bits=32), chunk(b"data", values.tobytes()))) as recording:
        np.testing.assert_array_equal(np.concatenate(list(recording), axis=1), values[np.newaxis])
    assert recording.messages == ()
