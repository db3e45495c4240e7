from __future__ import annotations

import json

import numpy as np
import pytest

from tertulia import inference
from tertulia.audio import Waveform, write_wav
from tertulia.emotions import EMOTIONS, recognizers

RTTM = (
    "SPEAKER talk 1 0.000 2.000 <NA> <NA> Ana <NA> <NA>\nSPEAKER talk 1 2.000 1.000 <NA> <NA> Ben <NA> <NA>\n"
)


@pytest.fixture
def talk(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 48_000)).astype(np.float32)
    write_wav(tmp_path / "talk.wav", Waveform(noise, 16_000))
    (tmp_path / "talk.rttm").write_text(RTTM)
    return tmp_path / "talk.wav"


@pytest.fixture(autouse=True)
def _always_sad(monkeypatch):
    def describe(self, speech, spans):
        return np.zeros((len(spans), 2), np.float32)

    def judge(self, described, usual):
        return np.tile(np.array([0.1, 0.1, 0.7, 0.1], np.float32), (len(described), 1))

    monkeypatch.setattr(recognizers.VoiceAndProsody, "describe", describe)
    monkeypatch.setattr(recognizers.VoiceAndProsody, "judge", judge)


def test_which_emotion_when(cli, talk, tmp_path):
    outcome = cli("emotions", talk, "--turns", tmp_path / "talk.rttm")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout == "00:00:00.00 – 00:00:03.00  sad\n"


@pytest.mark.parametrize("by", ["moment", "turn"])
def test_by_speaker_and_turn(cli, talk, tmp_path, by):
    outcome = cli("emotions", talk, "--turns", tmp_path / "talk.rttm", "--by", by, "--format", "rttm")
    assert [line.split()[7] for line in outcome.stdout.splitlines()] == ["Ana/sad", "Ben/sad"]


def test_a_table_of_speakers(cli, talk, tmp_path):
    lines = cli("emotions", talk, "--turns", tmp_path / "talk.rttm", "--by", "speaker").stdout.splitlines()
    assert len(lines) == 2 * len(EMOTIONS)
    assert f"{talk}\tBen\tsad\t1.00\t1.000" in lines
    told = cli("emotions", talk, "--turns", tmp_path, "--by", "speaker", "--format", "json").stdout
    assert json.loads(told)["speakers"]["Ana"] == {"neutral": 0, "happy": 0, "sad": 2.0, "angry": 0}


def test_files_and_what_was_done(cli, talk, tmp_path):
    outcome = cli("emotions", talk, "-o", tmp_path / "o", "--turns", tmp_path, "--format", "rttm,json")
    assert (outcome.code, outcome.stdout) == (0, "")
    told = json.loads((tmp_path / "o" / "talk.json").read_text())
    assert told["provenance"]["system"] == "emotions"
    assert told["provenance"]["settings"]["emotions"]["change"] == 2.0


def test_turns_are_found_where_none_are_given(cli, fake, talk):
    outcome = cli("emotions", talk, "--by", "turn", "--format", "json")
    assert outcome.code == 0
    assert fake.calls


def test_nobody_speaks(cli, talk, tmp_path):
    (tmp_path / "talk.rttm").write_text("")
    outcome = cli("emotions", talk, "--turns", tmp_path / "talk.rttm")
    assert (outcome.code, outcome.stdout) == (0, "")
    assert "nobody speaks" in outcome.stderr


def test_without_the_weights_it_ends_with_four(cli, talk, monkeypatch):
    monkeypatch.setattr(inference, "_COMPANION", "there_is_no_such_package")
    outcome = cli("emotions", talk)
    assert (outcome.code, outcome.stdout) == (4, "")
    assert "pip install ./weights-nc" in outcome.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--change", "-1"], "change is a cost from zero"),
        (["--recognizer", "x"], "unknown recognizer 'x'"),
        (["--by", "speaker", "-o", "out"], "--by speaker goes to standard output"),
        (["--by", "speaker", "--format", "rttm"], "written as text or json; got 'rttm'"),
        (["--by", "x"], "'x' is not one of"),
        (["--channels", "split"], "channels are mix or a number"),
        (["--format", "x"], "unknown format 'x'"),
    ],
)
def test_wrong_options(cli, talk, options, message):
    outcome = cli("emotions", talk, *options)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert message in outcome.stderr


def test_what_is_no_recording(cli, tmp_path):
    outcome = cli("emotions", tmp_path / "no.wav")
    assert outcome.code == 3
    assert "does not exist" in outcome.stderr


# ── scoring ──────────────────────────────────────────────────────────────────────────────────────────────


def rttm(name, *turns):
    lines = (f"SPEAKER {name} 1 {a} {b - a} <NA> <NA> {emotion} <NA> <NA>\n" for a, b, emotion in turns)
    return "".join(lines)


def test_emotions_are_scored(cli, tmp_path):
    (tmp_path / "ref.rttm").write_text(
        rttm("a", (0, 2, "neutral"), (2, 6, "sad"), (6, 10, "neutral")) + rttm("b", (0, 10, "sad"))
    )
    (tmp_path / "hyp.rttm").write_text(
        rttm("a", (1, 3, "sad"), (3, 4, "happy"), (8, 9, "happy")) + rttm("b", (0, 10, "sad"))
    )
    (tmp_path / "all.uem").write_text("a 1 0 10\nb 1 0 10\n")
    paths = [tmp_path / "ref.rttm", tmp_path / "hyp.rttm", "--emotions", "--uem", tmp_path / "all.uem"]
    table = cli("evaluate", *paths, "--per-file")
    assert [line.split() for line in table.stdout.splitlines()[1:4]] == [
        ["a", "50.00", "20.00", "20.00", "10.00", "10.00"],
        ["b", "0.00", "0.00", "0.00", "0.00", "10.00"],
        ["all", "2", "25.00", "10.00", "10.00", "5.00", "20.00"],
    ]
    told = json.loads(cli("evaluate", *paths, "--json").stdout)
    assert told["overall"] == {"eder": 0.25, "false_alarm": 0.1, "missed": 0.1, "confusion": 0.05}
    assert told["files"]["b"]["eder"] == 0
    assert "UEM given" in told["protocol"]["description"]
