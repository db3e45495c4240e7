from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tertulia.audio import Waveform, read
from tertulia.audio.writing import writing
from tertulia.errors import AudioError, OutputError, UsageError
from tertulia.frontend import FRONT_ENDS, Prepared, Vocals, behind, prepared
from tertulia.timeline import Diarization, Provenance

RATE = 16_000


@dataclass(frozen=True)
class Halved:
    """Makes everything half as loud."""

    factor: float = 0.5
    sample_rate = RATE

    def __call__(self, blocks):
        for block in blocks:
            yield block * np.float32(self.factor)


@dataclass
class Listening:
    """A system that remembers what it was given."""

    heard: list = field(default_factory=list)

    def __call__(self, source, speakers=None, *, channels="mix", progress=None, name=""):
        self.heard.append((read(source, channels=channels).samples, channels, name, Path(source)))
        told = Provenance("0", "listening", settings={"own": 1}, messages=("said by the system",))
        return Diarization([(0.0, 0.5, "a")], uri=Path(name).stem, duration=1.0, provenance=told)


@pytest.fixture
def stereo():
    rng = np.random.default_rng(0)
    return Waveform(0.5 * rng.standard_normal((2, 300_000)).astype(np.float32), RATE)


@pytest.mark.parametrize(("channels", "kept"), [("mix", "mix"), (1, "mix"), ("split", "split")])
def test_a_system_hears_what_leaves_the_front_end(stereo, channels, kept):
    system = Listening()
    result = Prepared(system, Halved())(stereo, channels=channels, name="talk.wav")
    ((samples, how, name, path),) = system.heard
    expected = {"mix": stereo.mono().samples, 1: stereo.samples[1:], "split": stereo.samples}[channels]
    assert samples == pytest.approx(expected / 2, abs=1e-7)
    assert (how, name) == (kept, "talk.wav")
    assert not path.exists()
    assert result.uri == "talk"


def test_provenance_tells_of_both(stereo):
    result = Prepared(Listening(), Halved(0.25))(stereo)
    assert result.provenance.system == "listening"
    assert result.provenance.settings == {"own": 1, "front_end": {"name": "Halved", "factor": 0.25}}
    assert result.provenance.messages == ("mixing 2 channels down to one", "said by the system")


def test_known_front_ends_go_by_their_name(stereo):
    result = behind(Listening(), "vocals")(Waveform(stereo.samples[:, :RATE], RATE))
    assert result.provenance.settings["front_end"]["name"] == "vocals"
    assert result.provenance.settings["front_end"]["margin"] == 10.0
    assert FRONT_ENDS["vocals"] is Vocals


def test_every_front_end_keeps_the_length():
    sound = np.random.default_rng(0).standard_normal(50_000).astype(np.float32)
    for kind in FRONT_ENDS.values():
        assert sum(map(len, kind()([sound]))) == 50_000


def test_unknown_front_ends_are_named():
    with pytest.raises(UsageError, match="unknown front end 'x'; there is: vocals"):
        behind(Listening(), "x")


def test_what_cannot_be_read(tmp_path):
    with (
        pytest.raises(AudioError, match=r"no\.wav: does not exist"),
        prepared(tmp_path / "no.wav", Halved()),
    ):
        pass


@pytest.mark.parametrize("extension", ["wav", "flac", "rf64"])
def test_sound_is_written_block_by_block(tmp_path, stereo, extension):
    path = tmp_path / f"out.{extension}"
    with writing(path, RATE, 2) as write:
        for block in np.array_split(stereo.samples, 7, axis=1):
            write(block)
        assert not path.exists()
    back = read(path, channels="split").samples
    limited = stereo.samples if extension == "rf64" else np.clip(stereo.samples, -1, 1)
    assert back == pytest.approx(limited, abs=1e-7 if extension == "rf64" else 1 / 32_000)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_failure_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "a.wav", RATE) as write:
        write(np.zeros((1, 5), np.float32) / (1 // 0))
    assert list(tmp_path.iterdir()) == []
    with (
        pytest.raises(UsageError, match="kind of sound file 'mp3'"),
        writing(tmp_path / "a.mp3", RATE),
    ):
        pass
    with pytest.raises(OutputError, match="cannot be written"), writing(tmp_path / "no" / "a.wav", RATE):
        pass
    with pytest.raises(UsageError, match="blocks need shape"), writing(tmp_path / "a.wav", RATE) as write:
        write(np.zeros(5, np.float32))
