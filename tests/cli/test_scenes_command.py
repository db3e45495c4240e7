from __future__ import annotations

import itertools

import numpy as np
import pytest

from tertulia.audio import Waveform, write_wav


@pytest.fixture
def talk(tmp_path):
    write_wav(tmp_path / "talk.wav", Waveform(np.zeros((1, 48_000), np.float32), 16_000))
    return tmp_path / "talk.wav"


def test_silence_by_the_bundled_network(cli, talk):
    assert cli("scenes", talk).stdout == "0.0000000 3.0000000 -\n"


def test_a_conversation_by_the_bundled_network(cli, recording):
    outcome = cli("scenes", recording)
    assert outcome.code == 0
    lines = [line.split() for line in outcome.stdout.splitlines()]
    assert float(lines[0][0]) == 0
    assert float(lines[-1][1]) == 30
    assert all(before[1] == after[0] for before, after in itertools.pairwise(lines))
    spoken = sum(float(end) - float(start) for start, end, label in lines if label == "s")
    assert spoken > 18


@pytest.mark.parametrize(("name", "letter"), [("music", "m"), ("silence", "-"), ("speech over music", "ms")])
def test_lines_as_audioseg_writes_them(cli, talk, tells, name, letter):
    tells(name)
    assert cli("scenes", talk).stdout == f"0.0000000 3.0000000 {letter}\n"


def test_files_and_probabilities(cli, talk, tells, tmp_path):
    tells("noise")
    outcome = cli(
        "scenes", talk, "-o", tmp_path / "o", "--format", "rttm,json", "--probabilities", tmp_path / "p"
    )
    assert (outcome.code, outcome.stdout) == (0, "")
    assert "SPEAKER talk 1 0.000 3.000 <NA> <NA> n <NA> <NA>" in (tmp_path / "o" / "talk.rttm").read_text()
    assert np.load(tmp_path / "p" / "talk.npy").shape == (300, 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--change", "-1"], "change is a cost from zero"),
        (["--presenter", "a.wav", "--enrolled", "Ana"], "not by both"),
        (["--false-accept", "2"], "a rate of false accepts lies between 0 and 1"),
        (["--channels", "split"], "channels are mix or a number"),
        (["--format", "x"], "unknown format 'x'"),
    ],
)
def test_wrong_options(cli, talk, tells, options, message):
    tells("music")
    outcome = cli("scenes", talk, *options)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert message in outcome.stderr


def test_a_presenter_who_cannot_be_heard(cli, talk, tells, tmp_path):
    tells("music")
    assert cli("scenes", talk, "--presenter", tmp_path / "no.wav").code == 3
