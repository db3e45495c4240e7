from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest

from tertulia import formats
from tertulia.audio import Waveform, write_wav

LINE = re.compile(r"segment_(\d{3})  (\d+\.\d\d)  (\d+\.\d\d) (SPEECH|NON_SPEECH)")


@pytest.fixture(scope="module")
def speech(tmp_path_factory, sound):
    path = tmp_path_factory.mktemp("vad") / "talk.wav"
    write_wav(path, Waveform(sound[None, : 12 * 16_000], 16_000))
    return path


def test_the_table_covers_the_recording_without_gaps(cli, speech):
    outcome = cli("vad", speech)
    assert outcome.code == 0
    assert outcome.stderr == ""
    rows = [LINE.fullmatch(line).groups() for line in outcome.stdout.splitlines()]
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    assert rows[0][1] == "0.00"
    assert rows[-1][2] == "12.00"
    assert all(a[2] == b[1] for a, b in itertools.pairwise(rows))
    assert all(a[3] != b[3] for a, b in itertools.pairwise(rows))
    assert {row[3] for row in rows} == {"SPEECH", "NON_SPEECH"}


@pytest.mark.parametrize("name", ["rttm", "json", "audacity"])
def test_other_formats(cli, speech, tmp_path, name):
    outcome = cli("vad", speech, "-o", tmp_path, "--format", name)
    assert outcome.code == 0
    assert outcome.stdout == ""
    found = formats.read(tmp_path / f"talk.{formats.FORMATS[name].extension}")
    assert set(found.speakers) == {"SPEECH"}


def test_json_says_what_was_done(cli, speech):
    told = json.loads(cli("vad", speech, "--method", "energy", "--format", "json").stdout)
    assert told["provenance"]["system"] == "vad: energy"
    assert told["provenance"]["settings"]["boundaries"]["energy"] is False


def test_probabilities_go_to_a_file(cli, speech, tmp_path):
    outcome = cli("vad", speech, "--probabilities", tmp_path / "p")
    table = np.load(tmp_path / "p" / "talk.npy")
    assert outcome.code == 0
    assert "talk.npy" in outcome.stderr
    assert table.shape[1] == 2
    assert (np.diff(table[:, 0]) > 0).all()
    assert table[:, 1].min() >= 0
    assert table[:, 1].max() <= 1


def test_rules_are_heeded(cli, speech):
    def seconds(*options):
        lines = cli("vad", speech, "--method", "silero", *options).stdout.splitlines()
        rows = (LINE.fullmatch(line).groups() for line in lines)
        return sum(float(row[2]) - float(row[1]) for row in rows if row[3] == "SPEECH")

    assert seconds("--energy") < seconds() < seconds("--min-duration-off", "3")
    assert seconds("--onset", "0.999", "--offset", "0.99") <= seconds("--onset", "0.1")
    assert seconds("--min-duration-on", "11.99") == 0


def test_several_inputs_are_told_apart(cli, speech, tmp_path):
    (tmp_path / "other.wav").write_bytes(speech.read_bytes())
    outcome = cli("vad", speech, tmp_path / "other.wav", "--method", "energy")
    assert {line.split(": ")[0] for line in outcome.stdout.splitlines()} == {
        str(speech),
        str(tmp_path / "other.wav"),
    }


def test_silence_is_one_line_and_no_error(cli, tmp_path):
    write_wav(tmp_path / "silence.wav", Waveform(np.zeros((1, 32_000), np.float32), 16_000))
    outcome = cli("vad", tmp_path / "silence.wav")
    assert outcome.code == 0
    assert outcome.stdout == "segment_001  0.00  2.00 NON_SPEECH\n"
    assert "nobody speaks" in outcome.stderr


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--method", "x"], 2, "unknown method 'x'; there is: "),
        (["--onset", "2"], 2, "hysteresis needs 0 < offset ≤ onset ≤ 1"),
        (["--channels", "split"], 2, "channels are mix or a number from 0; got 'split'"),
        (["--format", "x"], 2, "unknown format 'x'"),
        (["--certain", "-1"], 2, "certain is a probability"),
    ],
)
def test_wrong_options(cli, speech, options, code, message):
    outcome = cli("vad", speech, *options)
    assert (outcome.code, outcome.stdout) == (code, "")
    assert message in outcome.stderr


def test_what_is_no_recording(cli, tmp_path):
    outcome = cli("vad", tmp_path / "no.wav")
    assert outcome.code == 3
    assert "does not exist" in outcome.stderr
    (tmp_path / "file").write_text("")
    write_wav(tmp_path / "a.wav", Waveform(np.zeros((1, 1600), np.float32), 16_000))
    outcome = cli("vad", tmp_path / "a.wav", "--probabilities", tmp_path / "file")
    assert outcome.code == 3
    assert "cannot write" in outcome.stderr
