"""What all commands share: the parser's errors, the lists, what nobody foresaw, speed."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

import tertulia
from tertulia import systems
from tertulia.cli import COMMANDS
from tertulia.formats import ARRAYS, FORMATS


def test_version(cli):
    assert cli("--version").stdout == f"tertulia {tertulia.__version__}\n"


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_every_command(cli, option):
    outcome = cli(option)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert all(f"\n  {name} " in outcome.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_in_plain_text(cli, command):
    outcome = cli(command, "--help")
    assert outcome.code == 0
    assert outcome.stdout.startswith(f"Usage: tertulia {command} ")
    assert "\x1b" not in outcome.stdout


def test_the_help_of_diarize_lists_the_formats(cli):
    text = " ".join(cli("diarize", "--help").stdout.split())
    assert ", ".join(FORMATS) in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a command is needed; there is: clips, cluster, compare, convert"),
        (["diarise"], "unknown command 'diarise'; there is: clips, cluster, compare, convert"),
        (["--colour"], "unknown option '--colour'; there is: --help, --version"),
        (["evaluate", "a.rttm"], "Missing argument 'HYP'; see 'tertulia evaluate --help'"),
        (["diarize", "a.wav", "--format"], "'--format' requires an argument"),
        (["systems", "all"], "unexpected extra argument"),
    ],
)
def test_wrong_calls_are_one_line_and_exit_code_2(cli, arguments, message):
    outcome = cli(*arguments)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("tertulia: ")
    assert message in outcome.stderr
    assert outcome.stderr.count("\n") == 1


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────


def test_piped_systems_are_one_line_each_name_first(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    lines = cli("systems").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == [system.name for system in systems.available()]
    assert all(len(line.split("\t")) == 3 for line in lines)
    assert lines[0].startswith("default\t")


def test_a_summary_over_two_lines_is_still_one_line(cli, monkeypatch):
    odd = systems.System("odd", "two\nlines\tand a tab", "none", {}, {}, {})
    monkeypatch.setattr(systems, "available", lambda: (odd,))
    assert cli("systems").stdout == "odd\ttwo lines and a tab\tnone\n"


def test_systems_on_a_terminal_are_a_table(cli, terminal):
    screen = terminal("stdout")
    assert cli("systems").code == 0
    assert "───" in screen.getvalue()
    assert "default" in screen.getvalue()


def test_formats_are_listed_with_their_extensions(cli, terminal):
    assert "audacity\t.audacity.txt\n" in cli("formats").stdout
    listed = [line.split("\t")[0] for line in cli("formats").stdout.splitlines()]
    assert listed == [*FORMATS, *ARRAYS]
    screen = terminal("stdout")
    cli("formats")
    assert ".TextGrid" in screen.getvalue()


# ── what nobody foresaw ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def broken(monkeypatch):
    def available():
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(systems, "available", available)


def test_an_unexpected_error_is_one_line_and_exit_code_1(cli, broken, monkeypatch):
    monkeypatch.delenv("TERTULIA_DEBUG", raising=False)
    outcome = cli("systems")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr == "tertulia: unexpected RuntimeError: two lines (TERTULIA_DEBUG=1 shows where)\n"


def test_debugging_shows_where_it_was(cli, broken, monkeypatch):
    monkeypatch.setenv("TERTULIA_DEBUG", "1")
    outcome = cli("systems")
    assert outcome.code == 1
    assert "Traceback" in outcome.stderr
    assert "in available" in outcome.stderr


def test_no_standard_error_is_no_reason_to_spoil_standard_output(cli, fake, monkeypatch):
    fake.messages = ("mixing 2 channels down to one",)
    monkeypatch.setattr(sys, "stderr", None)
    assert "mixing" not in cli("diarize", "a.wav").stdout


def test_no_standard_output_is_an_output_error(cli, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    outcome = cli("formats")
    assert (outcome.code, outcome.stderr) == (3, "tertulia: cannot write to standard output: it is closed\n")


# ── the real thing ───────────────────────────────────────────────────────────────────────────────────

COMMAND = [sys.executable, "-m", "tertulia"]


@pytest.mark.parametrize("arguments", [["--help"], ["systems"]])
def test_help_and_systems_answer_at_once(arguments):
    def seconds():  # of the processor: a busy machine is no slower program
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*COMMAND, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 2.0  # 0.2 to 0.5 where nothing else runs


def test_nothing_heavy_is_loaded_for_help():
    heavy = "{'scipy', 'onnxruntime', 'soundfile', 'soxr', 'torch'}"
    code = (
        f"import sys; from tertulia.cli import main; main(['--help']); assert not {heavy} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_output_is_utf8_whatever_the_locale(tmp_path):
    (tmp_path / "in.rttm").write_text("SPEAKER a 1 0 1 <NA> <NA> Zoë <NA> <NA>\n", encoding="utf-8")
    run = subprocess.run(
        [*COMMAND, "convert", tmp_path / "in.rttm"],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert run.stdout.decode() == "00:00:00.00 – 00:00:01.00  Zoë\n"


def test_a_closed_pipe_is_quiet():
    with subprocess.Popen([*COMMAND, "formats"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_a_full_disk_is_told_once():
    with open("/dev/full", "w") as full:
        run = subprocess.run([*COMMAND, "formats"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 3
    assert run.stderr == "tertulia: cannot write to standard output: No space left on device\n"
