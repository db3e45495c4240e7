from __future__ import annotations

import pytest

from tertulia.cli import main


@pytest.fixture
def run(capsys):
    def call(*arguments):
        code = main(["simulate", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_recordings_come_with_references_and_statistics(run, voices, tmp_path):
    out = tmp_path / "out"
    code, stdout, stderr = run(
        "-o", out, "--voices", voices, "--count", 2, "--seconds", "3-5", "--speakers", 2
    )
    assert code == 0, stderr
    names = {f"simulated_0_000{i}.{end}" for i in range(2) for end in ("flac", "json", "rttm")}
    assert {path.name for path in out.iterdir()} == names
    assert stdout.splitlines()[:2] == ["statistic\tsimulated", "recordings\t2"]
    assert "2 recordings" in stderr
    code, stdout, _ = run("-o", out, "--voices", voices, "--seconds", 3, "--like", out, "--quiet")
    assert stdout.splitlines()[:2] == ["statistic\tsimulated\treal", "recordings\t1\t2"]


def test_options_go_before_the_configuration(run, voices, tmp_path):
    (tmp_path / "s.toml").write_text(
        f"voices = '{voices}'\nseconds = [4, 4]\nformat = 'wav'\nspeakers = [2, 3]\n"
        "absences = [[2, 0, 1.5]]\n"
    )
    options = (
        "--minutes",
        "0.05",
        "--exclude",
        "a, b",
        "--codec",
        "mulaw",
        "--snr",
        "10-20",
        "--noise",
        "generated",
    )
    code, _, stderr = run("-o", tmp_path / "out", "--config", tmp_path / "s.toml", *options)
    assert code == 0, stderr
    wav = tmp_path / "out" / "simulated_0_0000.wav"
    assert wav.stat().st_size == 44 + 2 * 3 * 16_000


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "simulation needs voices"),
        (("--voices", "none"), 3, "cannot read none"),
        (("--seconds", "3-x"), 2, "such as 10-25"),
        (("--speakers", "1.5"), 2, "whole numbers"),
        (("--seconds", "3", "--minutes", "1"), 2, "not both"),
        (("--format", "mp4"), 2, "format"),
        (("--config", "none.toml"), 3, "cannot read none.toml"),
    ],
)
def test_errors_have_their_codes(run, tmp_path, arguments, code, said):
    got, _, stderr = run("-o", tmp_path / "out", *arguments)
    assert got == code
    assert said in stderr


def test_a_configuration_is_checked(run, tmp_path):
    (tmp_path / "s.toml").write_text("voice = 'x'\n")
    assert run("-o", tmp_path, "--config", tmp_path / "s.toml")[0] == 2
    (tmp_path / "s.toml").write_text("voices =\n")
    assert run("-o", tmp_path, "--config", tmp_path / "s.toml")[0] == 3
