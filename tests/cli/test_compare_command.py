from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from comparison.fake_systems import Fake
from tertulia import comparison
from tertulia.comparison import ALL, Entrant

TRUTH = [(0, 6, "Ana"), (6, 10, "Ben")]
GUESS = [(0, 7, "1"), (7, 9, "2")]  # 20 % error


def write(path: Path, turns) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    line = "SPEAKER {} 1 {:.3f} {:.3f} <NA> <NA> {} <NA> <NA>\n"
    path.write_text("".join(line.format(path.stem, a, b - a, who) for a, b, who in turns))


@pytest.fixture
def data(tmp_path):
    for seed, name in enumerate("ab"):
        write(tmp_path / "data" / f"{name}.rttm", TRUTH)
        write(tmp_path / "hyp" / f"{name}.rttm", GUESS)
        noise = np.random.default_rng(seed).uniform(-0.1, 0.1, 1600)
        soundfile.write(tmp_path / "data" / f"{name}.wav", noise, 16_000)
    return tmp_path / "data"


@pytest.fixture
def fake_entrants(tmp_path, monkeypatch):
    """Systems of any name find `GUESS`; the one called stumbles cannot read a."""

    def named(name, threads):
        fake = partial(Fake, tmp_path / f"{name}.log", tuple(GUESS), "a" if name == "stumbles" else "")
        return Entrant(name, fake, {"name": name})

    monkeypatch.setattr(comparison, "named_entrant", named)


def test_results_of_other_systems_make_a_report(cli, data, tmp_path):
    outcome = cli("compare", data, "--hyp", f"theirs={tmp_path / 'hyp'}", "-o", tmp_path / "out" / "report")
    assert outcome.code == 0, outcome.stderr
    heading, row, protocol = outcome.stdout.splitlines()
    assert heading.split()[:2] == ["system", "DER"]
    assert row.split() == ["theirs", "20.00", "20.0–20.0", "0.00", "10.00", "10.00", "32.14", "0.00", "-"]
    assert protocol == "protocol: no collar, overlap scored, no UEM: 0 to the latest end"
    assert "wrote" in outcome.stderr
    report = tmp_path / "out" / "report"
    assert sorted(path.name for path in report.iterdir()) == ["index.html", "results.csv", "results.json"]
    results = json.loads((report / "results.json").read_text())
    assert results["systems"]["theirs"]["pooled"][ALL]["der"] == pytest.approx(0.2)


def test_systems_run_once_and_then_come_from_the_cache(cli, data, tmp_path, fake_entrants):
    folders = ("-o", tmp_path / "report", "--cache", tmp_path / "cache")
    call = ("compare", data, "--systems", "one, two", *folders)
    assert "one: 2 of 2 recordings\n" in cli(*call).stderr
    assert "two: 2 of 2 recordings, 2 of them from the cache" in cli(*call).stderr
    assert sorted((tmp_path / "one.log").read_text().split()) == ["a", "b"]
    assert cli(*call, "--quiet").stderr == ""


def test_protocol_and_scored_parts_are_obeyed(cli, data, tmp_path):
    uem = tmp_path / "all.uem"
    uem.write_text("a 1 0.0 6.0\nb 1 0.0 6.5\n")
    given = ("--hyp", f"theirs={tmp_path / 'hyp'}", "-o", tmp_path / "report", "--uem", uem, "--collar", 0.25)
    outcome = cli("compare", data, *given, "--skip-overlap")
    assert outcome.stdout.splitlines()[-1] == "protocol: collar 0.25 s each side, overlap skipped, UEM given"
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    files = results["systems"]["theirs"]["files"]
    assert files["a"]["der"] == 0
    assert files["b"]["scored_seconds"]["confusion"] == pytest.approx(0.25)


def test_a_report_is_refused_when_a_recording_fails(cli, data, tmp_path, fake_entrants):
    cache = ("-o", tmp_path / "report", "--cache", tmp_path / "cache")
    outcome = cli("compare", data, "--systems", "stumbles,fine", *cache)
    assert outcome.code == 3
    assert "stumbles: " in outcome.stderr
    assert "is no sound" in outcome.stderr
    assert (tmp_path / "fine.log").exists()  # the others have been run all the same
    assert not list((tmp_path / "report").iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--systems", "nobody"), 2, "unknown system 'nobody'; there is: alize-ehmm, best, default"),
        (("--systems", ","), 2, "nothing to compare"),
        (("--hyp", "theirs"), 2, "--hyp takes NAME=DIR; got 'theirs'"),
        (("--hyp", "x={hyp}", "--hyp", "x={hyp}"), 2, "--hyp x is given twice"),
        (("--systems", "default", "--hyp", "default={hyp}"), 2, "two systems are called default"),
        (("--hyp", "x={hyp}/nowhere"), 3, "is not a folder"),
        (("--hyp", "x={hyp}", "--collar", "-1"), 2, "a collar needs"),
        (("--hyp", "x={hyp}", "-o", "{hyp}/b.rttm"), 3, "cannot write to"),
        (("--hyp", "x={hyp}", "-o", "{hyp}/b.rttm/report"), 3, "cannot write to"),
    ],
)
def test_what_cannot_be_done_is_said(arguments, code, message, cli, data, tmp_path):
    given = [argument.format(hyp=tmp_path / "hyp") for argument in arguments]
    output = () if "-o" in arguments else ("-o", tmp_path / "report")
    outcome = cli("compare", data, *given, *output, "--cache", tmp_path / "cache")
    assert (outcome.code, outcome.stdout) == (code, "")
    assert message in outcome.stderr


def test_missing_results_are_listed(cli, data, tmp_path):
    (tmp_path / "hyp" / "b.rttm").unlink()
    outcome = cli("compare", data, "--hyp", f"x={tmp_path / 'hyp'}", "-o", tmp_path / "report")
    assert outcome.code == 3
    assert "holds nothing for b" in outcome.stderr


def test_a_folder_without_recordings(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    assert cli("compare", tmp_path / "empty", "-o", tmp_path / "report").code == 3
    assert not (tmp_path / "report").exists()


def test_the_default_system_on_the_example(cli, recording, tmp_path):
    for path in (recording, recording.with_suffix(".rttm")):
        (tmp_path / "data").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "data")
    call = ("compare", tmp_path / "data", "-o", tmp_path / "report", "--cache", tmp_path / "cache")
    outcome = cli(*call, "--threads", 1)
    assert outcome.code == 0, outcome.stderr
    default = json.loads((tmp_path / "report" / "results.json").read_text())["systems"]["default"]
    figures = default["pooled"][ALL]
    assert figures["der"] < 0.2
    assert 5e6 < figures["parameters"] < 5e7
    assert figures["memory"] is None or 5e7 < figures["memory"] < 2e9
    assert figures["seconds"] == pytest.approx(30, abs=0.1)
    assert all(len(checksum) == 64 for checksum in default["models"].values())
