from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

import pytest

from tertulia import formats
from tertulia.errors import AudioError, ModelMissingError, UsageError
from tertulia.progress import Progress
from tertulia.speakers import Speakers
from tertulia.timeline import Diarization

LINES = "00:00:01.44 – 00:00:13.31  SPEAKER_00\n00:00:12.00 – 00:00:15.50  SPEAKER_01\n"


# ── standard output ──────────────────────────────────────────────────────────────────────────────────


def test_one_recording_prints_its_turns(cli, fake):
    outcome = cli("diarize", "meeting.mp3")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, LINES, "")


def test_lines_of_several_recordings_begin_with_the_file(cli, fake):
    outcome = cli("diarize", "a.wav", "x/b.flac")
    assert outcome.stdout.splitlines() == [
        "a.wav: 00:00:01.44 – 00:00:13.31  SPEAKER_00",
        "a.wav: 00:00:12.00 – 00:00:15.50  SPEAKER_01",
        "x/b.flac: 00:00:01.44 – 00:00:13.31  SPEAKER_00",
        "x/b.flac: 00:00:12.00 – 00:00:15.50  SPEAKER_01",
    ]


def test_json_of_several_recordings_is_one_object_a_line(cli, fake):
    outcome = cli("diarize", "a.wav", "b.wav", "--format", "json")
    objects = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [o["recording"] for o in objects] == ["a", "b"]


def test_pyannote_json_of_several_recordings_is_one_object_a_line(cli, fake):
    outcome = cli("diarize", "a.wav", "b.wav", "--format", "pyannote-json")
    objects = [json.loads(line) for line in outcome.stdout.splitlines()]
    turn = {"speaker": "SPEAKER_00", "start": "1.440", "end": "13.310"}
    assert [o["diarization"][0] for o in objects] == [turn, turn]


def test_json_of_one_recording_is_one_document(cli, fake):
    outcome = cli("diarize", "a.wav", "--format", "json")
    assert json.loads(outcome.stdout)["speakers"][0]["name"] == "SPEAKER_00"
    assert "\n  " in outcome.stdout  # indented, for people


def test_rttm_of_several_recordings_can_be_read_as_one_file(cli, fake, tmp_path):
    outcome = cli("diarize", "a.wav", "b.wav", "--format", "rttm")
    (tmp_path / "all.rttm").write_text(outcome.stdout)
    assert set(formats.read_many(tmp_path / "all.rttm")) == {"a", "b"}


def test_latency_reaches_the_system(cli, fake):
    assert cli("diarize", "a.wav", "--latency", "1.04").code == 0
    assert cli("diarize", "a.wav").code == 0
    assert fake.latencies == ["1.04", None]


@pytest.mark.parametrize("name", [name for name in formats.FORMATS if name != "text"])
def test_every_format_goes_to_stdout_as_to_a_file(cli, fake, tmp_path, name):
    printed = cli("diarize", "a.wav", "--format", name).stdout
    cli("diarize", "a.wav", "--format", name, "-o", tmp_path)
    (file,) = tmp_path.iterdir()
    assert printed == file.read_text()


@pytest.mark.parametrize("name", ["srt", "vtt", "textgrid", "audacity", "csv", "elan"])
def test_formats_of_one_recording_refuse_several_on_stdout(cli, fake, name):
    outcome = cli("diarize", "a.wav", "b.wav", "--format", name)
    assert outcome.code == 2
    assert f"{name} holds one recording" in outcome.stderr
    assert fake.calls == []


def test_several_formats_need_a_folder(cli, fake):
    outcome = cli("diarize", "a.wav", "--format", "rttm,json")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "-o" in outcome.stderr


def test_silence_is_an_empty_result(cli, fake):
    fake.turns = ()
    outcome = cli("diarize", "a.wav")
    assert (outcome.code, outcome.stdout) == (0, "")
    assert outcome.stderr == "tertulia: a.wav: nobody speaks\n"


def test_a_full_disk_is_an_output_error(cli, fake, monkeypatch):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    outcome = cli("diarize", "a.wav")
    assert outcome.code == 3
    assert "cannot write to standard output: No space left on device" in outcome.stderr


def test_a_reader_that_went_away_ends_the_run_in_silence(cli, fake, monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    outcome = cli("diarize", "a.wav", "b.wav")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert len(fake.calls) == 1  # nobody would see the second


def test_a_broken_pipe_inside_the_diarizer_is_not_taken_for_that(cli, fake):
    fake.errors["a"] = BrokenPipeError(32, "Broken pipe")
    outcome = cli("diarize", "a.wav")
    assert outcome.code == 1
    assert "BrokenPipeError" in outcome.stderr


# ── files ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_folder_gets_every_format_of_every_recording_and_stdout_nothing(cli, fake, tmp_path):
    out = tmp_path / "new" / "out"
    outcome = cli("diarize", "a.wav", "b.b.flac", "-o", out, "--format", "rttm, json,srt,rttm")
    names = {"a.rttm", "a.json", "a.srt", "b.b.rttm", "b.b.json", "b.b.srt"}
    assert (outcome.code, outcome.stdout) == (0, "")
    assert {path.name for path in out.iterdir()} == names
    assert f"a.wav: wrote {out / 'a.rttm'}, " in outcome.stderr
    expected = Diarization(fake.turns)
    assert all(formats.read(out / name) == expected for name in names)


def test_a_folder_gets_rttm_by_default(cli, fake, tmp_path):
    cli("diarize", "a.wav", "-o", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.rttm"]


@pytest.mark.parametrize("folder", ["pyannote-3.1", "v2.wav", "out.rttm.d", "plain"])
def test_a_name_with_a_dot_is_a_folder(cli, fake, tmp_path, folder):
    assert cli("diarize", "a.wav", "-o", tmp_path / folder).code == 0
    assert (tmp_path / folder / "a.rttm").is_file()


@pytest.mark.parametrize(
    ("file", "name"), [("x.srt", "srt"), ("X.TEXTGRID", "textgrid"), ("x.pyannote.json", "pyannote-json")]
)
def test_the_extension_of_a_file_chooses_the_format(cli, fake, tmp_path, file, name):
    outcome = cli("diarize", "a.wav", "-o", tmp_path / "deep" / file)
    assert (outcome.code, outcome.stdout) == (0, "")
    written = (tmp_path / "deep" / file).read_text()
    assert written == cli("diarize", "a.wav", "--format", name).stdout


def test_a_format_that_is_named_goes_before_the_extension(cli, fake, tmp_path):
    cli("diarize", "a.wav", "-o", tmp_path / "labels.txt", "--format", "audacity")
    assert (tmp_path / "labels.txt").read_text().startswith("1.440\t13.310\t")


def test_two_formats_make_it_a_folder(cli, fake, tmp_path):
    cli("diarize", "a.wav", "-o", tmp_path / "x.rttm", "--format", "rttm,srt")
    assert {path.name for path in (tmp_path / "x.rttm").iterdir()} == {"a.rttm", "a.srt"}


def test_two_inputs_make_it_a_folder(cli, fake, tmp_path):
    cli("diarize", "a.wav", "b.wav", "-o", tmp_path / "x.rttm")
    assert {path.name for path in (tmp_path / "x.rttm").iterdir()} == {"a.rttm", "b.rttm"}


def test_a_folder_that_is_there_or_has_a_slash_is_a_folder(cli, fake, tmp_path):
    (tmp_path / "x.rttm").mkdir()
    assert cli("diarize", "a.wav", "-o", tmp_path / "x.rttm").code == 0
    assert cli("diarize", "a.wav", "-o", f"{tmp_path}/y.rttm/").code == 0
    assert (tmp_path / "x.rttm" / "a.rttm").is_file()
    assert (tmp_path / "y.rttm" / "a.rttm").is_file()


def test_existing_files_are_replaced(cli, fake, tmp_path):
    (tmp_path / "a.rttm").write_text("old")
    assert cli("diarize", "a.wav", "-o", tmp_path).code == 0
    assert (tmp_path / "a.rttm").read_text().startswith("SPEAKER a 1 1.440 ")


def test_no_file_is_written_when_one_of_its_formats_cannot_be(cli, fake, tmp_path):
    fake.turns = ((0.0, 1.0, "two\nlines"),)
    outcome = cli("diarize", "a.wav", "-o", tmp_path, "--format", "json,srt")
    assert outcome.code == 3
    assert "a.wav: this format cannot carry the speaker name" in outcome.stderr
    assert list(tmp_path.iterdir()) == []


# ── refused before any work ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["a.wav", "--format", "docx"],
            "unknown format 'docx'; there is: audacity, audioseg, console",
        ),
        (["a.wav", "--format", "rttm,"], "unknown format ''"),
        (["a.wav", "a.flac"], "2 inputs are called 'a'"),
        (["x/a.wav", "y/a.wav", "-o", "out"], "2 inputs are called 'a'"),
        (["-", "stdin.wav"], "2 inputs are called 'stdin'"),
        (["a.wav", "--num-speakers", "0"], "whole number from 1; got num 0"),
        (["a.wav", "--num-speakers", "2", "--max-speakers", "3"], "not both"),
        (["a.wav", "--min-speakers", "3", "--max-speakers", "2"], "cannot both hold"),
        (["a.wav", "--num-speakers", "two"], "--num-speakers"),
        (["a.wav", "--threads", "0"], "--threads"),
        (["a.wav", "--channels", "left"], "channels are mix, split or a number from 0; got 'left'"),
        (["a.wav", "--channels", "-1"], "channels are mix, split or a number from 0; got '-1'"),
        (
            ["a.wav", "--loud"],
            "unknown option '--loud'; there is: --channels, --device, --embedding",
        ),
        ([], "INPUT"),
    ],
)
def test_wrong_calls_are_refused(cli, fake, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    outcome = cli("diarize", *arguments)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("tertulia: ")
    assert outcome.stderr.count("\n") == 1
    assert message in outcome.stderr
    assert fake.loaded == []
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_system_is_refused_with_the_names_there_are(cli):
    outcome = cli("diarize", "a.wav", "--system", "nemo")
    assert outcome.code == 2
    assert outcome.stderr.startswith("tertulia: unknown system 'nemo'; there is: ")
    assert "default" in outcome.stderr


def test_an_output_folder_that_cannot_be_is_refused(cli, fake, tmp_path):
    (tmp_path / "taken").write_text("")
    for path in ("taken", "taken/below", "taken/x.rttm"):
        outcome = cli("diarize", "a.wav", "-o", tmp_path / path)
        assert outcome.code == 3
        assert "cannot write into" in outcome.stderr
    assert fake.calls == []


def test_a_folder_nothing_can_be_made_in_is_refused(cli, fake, tmp_path, monkeypatch):
    def read_only(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    outcome = cli("diarize", "a.wav", "-o", tmp_path)
    assert outcome.code == 3
    assert outcome.stderr == f"tertulia: cannot write into {tmp_path}: Read-only file system\n"
    assert fake.calls == []


@pytest.mark.parametrize("path", ["x" * 300, "x" * 300 + ".rttm", "x" * 300 + "/y.rttm"])
def test_a_folder_that_cannot_even_be_looked_at_is_refused(cli, fake, tmp_path, path):
    # Too long a name stands for a folder without permission, which is nothing to whoever runs tests as root.
    assert cli("diarize", "a.wav", "-o", tmp_path / path).code == 3


def test_a_directory_in_the_place_of_a_result_is_refused(cli, fake, tmp_path):
    (tmp_path / "a.rttm").mkdir()
    outcome = cli("diarize", "a.wav", "-o", tmp_path)
    assert outcome.code == 3
    assert "is a directory" in outcome.stderr
    assert fake.calls == []


# ── what the diarizer is told ────────────────────────────────────────────────────────────────────────


def test_other_networks_are_passed_on(cli, fake):
    assert cli("diarize", "a.wav", "--embedding", "resnet34=here", "--segmentation", "mine.onnx").code == 0
    assert fake.exchanged == [("resnet34=here", "mine.onnx")]


def test_the_system_is_loaded_once_for_all_recordings(cli, fake):
    cli("diarize", "a.wav", "b.wav", "--system", "mine.toml", "--threads", "2")
    assert fake.loaded == [("mine.toml", 2)]
    assert [call["source"] for call in fake.calls] == [Path("a.wav"), Path("b.wav")]


def test_counts_reach_the_diarizer(cli, fake):
    cli("diarize", "a.wav", "--num-speakers", "2")
    cli("diarize", "a.wav", "--min-speakers", "2", "--max-speakers", "4")
    assert [call["speakers"] for call in fake.calls] == [Speakers(2), Speakers(None, 2, 4)]


@pytest.mark.parametrize(("given", "kept"), [("mix", "mix"), ("split", "split"), ("1", 1)])
def test_channels_reach_the_diarizer(cli, fake, given, kept):
    cli("diarize", "a.wav", "--channels", given)
    assert fake.calls[0]["channels"] == kept


def test_exclusive_leaves_one_speaker_at_a_time(cli, fake):
    outcome = cli("diarize", "a.wav", "--exclusive")
    assert outcome.stdout == LINES.replace("13.31", "12.00")


def test_standard_input_is_called_stdin(cli, fake, monkeypatch, tmp_path):
    pipe = io.TextIOWrapper(io.BytesIO(b"sound"))
    monkeypatch.setattr(sys, "stdin", pipe)
    cli("diarize", "-", "-o", tmp_path)
    assert fake.calls[0]["source"] is pipe.buffer
    assert (tmp_path / "stdin.rttm").read_text().startswith("SPEAKER stdin 1 ")


def test_standard_input_that_is_a_terminal_is_refused(cli, fake, terminal):
    terminal("stdin")
    outcome = cli("diarize", "-")
    assert outcome.code == 2
    assert "pipe a recording into it" in outcome.stderr


def test_standard_input_that_is_closed_is_bad_input(cli, fake, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    outcome = cli("diarize", "-")
    assert (outcome.code, outcome.stderr) == (3, "tertulia: stdin: standard input is closed\n")


# ── messages, failures, interruption ─────────────────────────────────────────────────────────────────


def test_repairs_are_told_once_a_file_on_stderr(cli, fake):
    fake.messages = ("mixing 2 channels down to one",)
    outcome = cli("diarize", "a.wav", "b.wav")
    assert outcome.stderr.splitlines() == [
        "tertulia: a.wav: mixing 2 channels down to one",
        "tertulia: b.wav: mixing 2 channels down to one",
    ]
    assert "mixing" not in outcome.stdout


def test_quiet_says_nothing(cli, fake, tmp_path):
    fake.messages = ("mixing 2 channels down to one",)
    outcome = cli("diarize", "a.wav", "--quiet", "-o", tmp_path)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")


def test_quiet_does_not_hide_errors(cli, fake):
    fake.errors["a"] = AudioError("a.wav: is empty")
    outcome = cli("diarize", "a.wav", "-q")
    assert (outcome.code, outcome.stderr) == (3, "tertulia: a.wav: is empty\n")


def test_a_bad_file_costs_no_other_its_result(cli, fake, tmp_path):
    fake.errors["b"] = AudioError("b.wav: is empty")
    outcome = cli("diarize", "a.wav", "b.wav", "c.wav", "-o", tmp_path)
    assert outcome.code == 5
    assert {path.name for path in tmp_path.iterdir()} == {"a.rttm", "c.rttm"}
    assert outcome.stderr.count("b.wav") == 1
    assert "tertulia: b.wav: is empty\n" in outcome.stderr


def test_every_failure_is_named_even_where_the_error_does_not(cli, fake):
    fake.errors = {"a": UsageError("no channel 3"), "c": RuntimeError("boom")}
    outcome = cli("diarize", "a.wav", "b.wav", "c.wav")
    assert outcome.code == 5
    assert "tertulia: a.wav: no channel 3\n" in outcome.stderr
    assert "tertulia: c.wav: unexpected RuntimeError: boom" in outcome.stderr
    assert outcome.stdout.startswith("b.wav: ")


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (AudioError("x"), AudioError("y"), 3),
        (UsageError("x"), UsageError("y"), 2),
        (ModelMissingError("x"), ModelMissingError("y"), 4),
        (RuntimeError("x"), KeyError("y"), 1),
        (AudioError("x"), UsageError("y"), 5),
    ],
)
def test_when_all_fail_alike_the_code_is_that_of_the_error(cli, fake, first, second, code):
    fake.errors = {"a": first, "b": second}
    assert cli("diarize", "a.wav", "b.wav").code == code


def test_missing_weights_are_exit_code_4(cli, monkeypatch):
    def load(system, threads, **exchanged):
        raise ModelMissingError("weights of 'big' are not here; 'default' would work")

    monkeypatch.setattr("tertulia.load", load)
    outcome = cli("diarize", "a.wav")
    assert (outcome.code, outcome.stderr) == (
        4,
        "tertulia: weights of 'big' are not here; 'default' would work\n",
    )


def test_interruption_keeps_what_is_done_and_leaves_nothing_half_written(cli, fake, tmp_path):
    fake.errors["b"] = KeyboardInterrupt()
    outcome = cli("diarize", "a.wav", "b.wav", "c.wav", "-o", tmp_path)
    assert outcome.code == 130
    assert outcome.stderr.endswith("tertulia: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.rttm"]
    assert len(fake.calls) == 2


# ── progress ─────────────────────────────────────────────────────────────────────────────────────────


def run_with_progress(fake, monkeypatch, cli, *options, seconds=(0.0, 3.0)):
    """Diarize a recording whose progress hook is called when so many seconds have passed."""
    now = time.monotonic()

    def diarize(source, speakers, **more):
        if more["progress"]:
            for passed in seconds:
                monkeypatch.setattr(time, "monotonic", lambda passed=passed: now + passed)
                more["progress"](Progress(30.0, 60.0))
        fake.calls.append(more)
        return Diarization(fake.turns)

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr("tertulia.load", lambda system, **options: diarize)
    return cli("diarize", "[b]talk.wav", *options)


def test_a_bar_appears_after_two_seconds_on_a_terminal(fake, monkeypatch, cli, terminal):
    screen = terminal("stderr")
    outcome = run_with_progress(fake, monkeypatch, cli)
    assert "[b]talk.wav" in screen.getvalue()
    assert "50%" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K")  # and is gone afterwards
    assert outcome.stdout == LINES


def test_no_bar_for_what_is_quick(fake, monkeypatch, cli, terminal):
    screen = terminal("stderr")
    run_with_progress(fake, monkeypatch, cli, seconds=(0.0, 1.9))
    assert screen.getvalue() == ""


def test_no_bar_when_told_to_be_quiet(fake, monkeypatch, cli, terminal):
    screen = terminal("stderr")
    run_with_progress(fake, monkeypatch, cli, "--quiet")
    assert screen.getvalue() == ""
    assert fake.calls[0]["progress"] is None


def test_no_bar_without_a_terminal(fake, monkeypatch, cli):
    outcome = run_with_progress(fake, monkeypatch, cli)
    assert outcome.stderr == ""
    assert fake.calls[0]["progress"] is None


def test_the_bar_lives_with_recordings_of_unknown_length(fake, monkeypatch, cli, terminal):
    screen = terminal("stderr")
    monkeypatch.setattr("tertulia.cli._progress._PATIENCE", 0.0)

    def diarize(source, speakers, **more):
        more["progress"](Progress(30.0, None))
        return Diarization(fake.turns)

    monkeypatch.setattr("tertulia.load", lambda system, **options: diarize)
    assert cli("diarize", "a.wav").stdout == LINES
    assert "a.wav" in screen.getvalue()


def test_quality_and_device_reach_the_system(cli, fake):
    assert cli("diarize", "a.wav", "--quality", "fast", "--device", "cuda").code == 0
    assert cli("diarize", "a.wav").code == 0
    assert fake.chosen == [("fast", "cuda"), (None, "cpu")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--quality", "perfect"], "unknown quality 'perfect'; there is: balanced, best, fast"),
        (["--quality", "fast", "--system", "default"], "give default or fast, not both"),
        (["--device", "tpu"], "unknown device 'tpu'; there is: cpu, cuda"),
    ],
)
def test_impossible_choices_are_refused(cli, options, message):
    outcome = cli("diarize", "a.wav", *options)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert message in outcome.stderr
