from __future__ import annotations

import numpy as np
import pytest

from tertulia.audio import Waveform, read
from tertulia.errors import AudioError, OutputError
from tertulia.separation import export_clips, solo
from tertulia.separation.scratch import file_name
from tertulia.timeline import Diarization, Timeline

RATE = 8_000


@pytest.fixture
def ramp():
    """Four seconds in which every sample is its own number."""
    return Waveform(np.arange(4 * RATE, dtype=np.float32)[None] / 2**15, RATE)


TALK = Diarization([(0.5, 1.5, "Ana"), (1.0, 2.0, "Ben"), (3.0, 3.25, "Ana")])


def test_every_turn_becomes_a_file_with_exactly_its_samples(ramp, tmp_path):
    files = export_clips(ramp, TALK, tmp_path)
    assert {name: [p.relative_to(tmp_path).as_posix() for p in paths] for name, paths in files.items()} == {
        "Ana": ["Ana/0001_00000.500-00001.500.wav", "Ana/0002_00003.000-00003.250.wav"],
        "Ben": ["Ben/0001_00001.000-00002.000.wav"],
    }
    back = read(files["Ben"][0], sample_rate=None)
    assert back.sample_rate == RATE
    assert np.array_equal(back.samples[0] * 2**15, np.arange(RATE, 2 * RATE))


def test_overlap_can_be_left_out(ramp, tmp_path):
    files = export_clips(ramp, TALK, tmp_path, alone=True, extension="flac")
    assert [path.stem for path in files["Ana"]] == ["0001_00000.500-00001.000", "0002_00003.000-00003.250"]
    assert [path.name for path in files["Ben"]] == ["0001_00001.500-00002.000.flac"]
    assert solo(TALK)["Ben"] == Timeline([(1.5, 2.0)])


def test_short_ones_can_be_left_out_and_long_ones_cut(ramp, tmp_path):
    files = export_clips(ramp, TALK, tmp_path, shortest=0.3, longest=0.4)
    assert [path.stem.split("_")[1] for path in files["Ben"]] == [
        "00001.000-00001.333",
        "00001.333-00001.667",
        "00001.667-00002.000",
    ]
    assert len(files["Ana"]) == 3
    joined = np.concatenate([read(path, sample_rate=None).samples[0] for path in files["Ben"]])
    assert np.array_equal(joined * 2**15, np.arange(RATE, 2 * RATE))


def test_nothing_lies_beyond_the_recording(ramp, tmp_path):
    files = export_clips(ramp, Diarization([(3.5, 9.0, "a"), (10.0, 11.0, "a")]), tmp_path)
    assert len(files["a"]) == 1
    assert read(files["a"][0], sample_rate=None).duration == 0.5


def test_names_are_fit_for_files_and_stay_apart():
    names = ["..", ".", "a/b", "a%2Fb", "", "Ana María", "x\\y", "a:b", "\ud800", "nul\0", ".hidden", "%"]
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(names)
    assert not any("/" in file or "\\" in file or file.startswith(".") or "\0" in file for file in files)
    assert file_name("Ana María") == "Ana María"


def test_nobody_speaking_makes_no_clips(ramp, tmp_path):
    assert export_clips(ramp, Diarization(), tmp_path / "none") == {}
    assert not (tmp_path / "none").exists()


def test_what_cannot_be_read_or_written(ramp, tmp_path):
    with pytest.raises(AudioError, match="does not exist"):
        export_clips(tmp_path / "no.wav", TALK, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot make the folder"):
        export_clips(ramp, TALK, tmp_path / "file")
