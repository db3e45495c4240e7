from __future__ import annotations

import numpy as np
import pytest

from tertulia.audio import Waveform, read, write_wav

RTTM = (
    "SPEAKER talk 1 0.500 1.000 <NA> <NA> Ana <NA> <NA>\nSPEAKER talk 1 1.000 1.000 <NA> <NA> Ben <NA> <NA>\n"
)


@pytest.fixture
def talk(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 48_000)).astype(np.float32)
    write_wav(tmp_path / "talk.wav", Waveform(noise, 16_000))
    (tmp_path / "talk.rttm").write_text(RTTM)
    return tmp_path / "talk.wav"


def test_clips_of_every_speaker(cli, talk, tmp_path):
    out = tmp_path / "clips"
    outcome = cli("clips", talk, "-o", out, "--turns", tmp_path / "talk.rttm")
    assert (outcome.code, outcome.stderr) == (0, "")
    rows = [line.split("\t") for line in outcome.stdout.splitlines()]
    assert [row[1:4] for row in rows] == [["Ana", "0.500", "1.500"], ["Ben", "1.000", "2.000"]]
    assert all(read(row[4]).duration == 1.0 for row in rows)
    assert (out / "talk" / "Ana").is_dir()


def test_one_file_a_speaker(cli, talk, tmp_path):
    outcome = cli(
        "separate", "--by-speaker", talk, "-o", tmp_path / "v", "--turns", tmp_path, "--format", "flac"
    )
    assert (outcome.code, outcome.stderr) == (0, "")
    assert [line.split("\t")[1] for line in outcome.stdout.splitlines()] == ["Ana", "Ben"]
    assert read(tmp_path / "v" / "talk_Ana.flac").duration == 3.0


def test_turns_are_found_where_none_are_given(cli, fake, talk, tmp_path):
    outcome = cli("clips", talk, "-o", tmp_path / "c", "--system", "mine", "--num-speakers", "2")
    assert outcome.code == 0
    assert fake.loaded == [("mine", None)]
    assert fake.calls[0]["speakers"].num == 2
    (line,) = outcome.stdout.splitlines()  # the second speaker begins after the end of the recording
    assert line.split("\t")[1:4] == ["SPEAKER_00", "1.440", "13.310"]


def test_silence_makes_nothing_and_is_no_error(cli, talk, tmp_path):
    (tmp_path / "empty.rttm").write_text("")
    for command in (["clips"], ["separate", "--by-speaker"]):
        outcome = cli(*command, talk, "-o", tmp_path / "o", "--turns", tmp_path / "empty.rttm")
        assert (outcome.code, outcome.stdout) == (0, "")
        assert "there are no clips" in outcome.stderr or "nobody speaks" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["clips", "{talk}", "-o", "{out}", "--min-duration", "-1"], 2, "--min-duration"),
        (["clips", "{talk}", "-o", "{out}", "--max-duration", "0"], 2, "--max-duration"),
        (["clips", "{talk}", "{talk}", "-o", "{out}"], 2, "several inputs are called 'talk'"),
        (["separate", "{talk}", "{talk}", "-o", "{out}"], 2, "several inputs are called 'talk'"),
        (["clips", "{talk}", "-o", "{out}", "--turns", "{out}.rttm"], 3, "cannot read"),
        (["separate", "{talk}", "-o", "{out}", "--separator", "x"], 2, "unknown separator 'x'"),
        (["separate", "{talk}", "-o", "{out}", "--separator", "sepformer=no.onnx"], 4, "no weights"),
        (["separate", "{talk}", "-o", "{out}", "--channels", "split"], 2, "channels are mix or a number"),
        (["clips", "{talk}"], 2, "Missing option"),
    ],
)
def test_mistakes(cli, talk, tmp_path, arguments, code, message):
    filled = [argument.format(talk=talk, out=tmp_path / "out") for argument in arguments]
    outcome = cli(*filled)
    assert (outcome.code, outcome.stdout) == (code, "")
    assert message in outcome.stderr


def test_turns_of_another_recording(cli, talk, tmp_path):
    (tmp_path / "other.rttm").write_text(RTTM.replace(" talk ", " one ") + RTTM.replace(" talk ", " two "))
    outcome = cli("clips", talk, "-o", tmp_path / "o", "--turns", tmp_path / "other.rttm")
    assert outcome.code == 3
    assert "holds no turns of 'talk'; there is: one, two" in outcome.stderr
