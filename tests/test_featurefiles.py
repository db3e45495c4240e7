import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia import featurefiles
from tertulia.errors import FormatError, InputError, UsageError
from tertulia.featurefiles import Features, is_feature_file, parse, read

MFCC, D, C, Z, K = 6, 0o400, 0o2000, 0o4000, 0o10000
VALUES = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)


def htk(values, kind=MFCC, period=100_000, order=">"):
    head = struct.pack(f"{order}iihH", len(values), period, 4 * values.shape[1], kind)
    return head + values.astype(f"{order}f4").tobytes() + (b"\x12\x34" if kind & K else b"")


def compressed(values, order=">"):
    """As the HTK Book says: A = 2·32767 / (max − min), B = (max + min)·32767 / (max − min)."""
    low, high = values.min(axis=0), values.max(axis=0)
    a, b = 2 * 32767 / (high - low), (high + low) * 32767 / (high - low)
    shorts = np.rint(values * a - b).astype(f"{order}i2")
    head = struct.pack(f"{order}iihH", len(values) + 4, 100_000, 2 * values.shape[1], MFCC | C)
    return head + np.stack([a, b]).astype(f"{order}f4").tobytes() + shorts.tobytes()


def spro(values, rate=100.0, flags=9, header=b"", wide=False):
    packed = struct.pack("<HQf" if wide else "<HIf", values.shape[1], flags, rate)
    return header + packed + values.astype("<f4").tobytes()


def text(values, separator=" "):
    return "".join(separator.join(f"{x!r}" for x in row) + "\n" for row in values.tolist()).encode()


HEADER = b"<header>\nsnr = 20; # dB\n</header>\n"
FILES = {
    "htk": htk(VALUES),
    "htk with a checksum": htk(VALUES, MFCC | D | Z | K),
    "htk in the other byte order": htk(VALUES, order="<"),
    "spro": spro(VALUES),
    "spro of a 64-bit machine": spro(VALUES, wide=True),
    "spro with a header": spro(VALUES, header=HEADER),
    "text": text(VALUES),
    "text with commas": b"# c0,c1,c2\n\n" + text(VALUES, ","),
    "gzipped text": gzip.compress(text(VALUES, ";").replace(b"\n", b"\r\n")),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_kind_is_told_by_its_content(kind, tmp_path):
    path = tmp_path / "features.bin"
    path.write_bytes(FILES[kind])
    assert is_feature_file(path)
    found = read(path)
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.values.dtype == np.float32
    assert found.step == pytest.approx(0.01)
    assert found.duration == pytest.approx(0.07)


@pytest.mark.parametrize("order", [">", "<"])
def test_compressed_htk(order):
    found = parse(compressed(VALUES, order))
    span = VALUES.max(axis=0) - VALUES.min(axis=0)
    assert found.values.shape == VALUES.shape
    assert (np.abs(found.values - VALUES) <= span / 65534 + 1e-6).all()


def test_steps_come_from_the_headers():
    assert parse(htk(VALUES, period=125_000)).step == pytest.approx(0.0125)
    assert parse(spro(VALUES, rate=50.0)).step == pytest.approx(0.02)


def test_audio_is_not_taken_for_features(recording, tmp_path):
    import soundfile

    samples, rate = soundfile.read(recording)
    assert not is_feature_file(recording)
    for extension in ("wav", "ogg", "mp3", "flac"):
        soundfile.write(tmp_path / f"a.{extension}", samples[:rate], rate)
        assert not is_feature_file(tmp_path / f"a.{extension}")
    assert not is_feature_file(tmp_path / "is not there")


def test_what_is_called_features_is_read_as_such(tmp_path):
    (tmp_path / "a.MFC").write_bytes(b"RIFF")
    assert is_feature_file(tmp_path / "a.MFC")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "f: is empty"),
        (htk(VALUES)[:-1], r"looks like HTK features, but has 95 bytes where 96 are promised"),
        (spro(VALUES, header=HEADER)[:-1], "SPro header, but its vectors do not fit it"),
        (HEADER[:12], "SPro header"),
        (b"\xff" * 64, "holds no features of HTK, SPro or plain text"),
        (htk(VALUES, 0), "holds a waveform, no features"),
        (struct.pack(">iihH", 2, 100_000, 3, MFCC) + b"123456", "vectors of 3 bytes"),
        (struct.pack(">iihH", 4, 100_000, 6, MFCC | C) + bytes(24), "compressed HTK without a vector"),
        (struct.pack(">iihH", 5, 100_000, 2, MFCC | C) + bytes(10), "a scale of zero"),
        (htk(np.full((2, 2), np.nan)), "2 frames are not, the first is 0"),
        (htk(VALUES, period=20_000_000), r"a step in \(0, 1\) s"),
        (b"# nothing\n", "holds no frames"),
        (b"1 2\n3 x\n", r"f:2: a frame is numbers; got b'3 x'"),
        (b"1 2\n3\n", r"f:2: frames have one size; got 1 numbers after 2"),
        (b"1 2\nnan 1\n", r"f:2: a frame is finite numbers"),
        (gzip.compress(b"1 2\n")[:-4], "is damaged gzip"),
    ],
)
def test_what_cannot_be_read_is_said(data, problem):
    with pytest.raises(FormatError, match=problem):
        parse(data, "f")


def test_a_decompression_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(featurefiles, "_MOST", 1000)
    with pytest.raises(FormatError, match="more than 0 MiB"):
        parse(gzip.compress(b"1 2\n" * 1000))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*none\.htk"):
        read(tmp_path / "none.htk")


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((3, 0)), np.full((3, 2), np.inf)])
def test_features_are_checked(values):
    with pytest.raises(UsageError, match="features"):
        Features(values.astype(np.float32), 0.01)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_damaged_files_are_read_or_refused_but_nothing_else(data):
    whole = FILES[data.draw(st.sampled_from(sorted(FILES)))]
    begin = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(begin, len(whole)))
    try:
        found = parse(whole[:begin] + data.draw(st.binary(max_size=20)) + whole[end:])
    except FormatError:
        return
    assert np.isfinite(found.values).all()
