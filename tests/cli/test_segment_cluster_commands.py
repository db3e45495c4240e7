"""`tertulia segment` and `tertulia cluster`, with RTTM and `.seg` files between them."""

from pathlib import Path

import numpy as np
import pytest

from tertulia.formats import read

EXAMPLE = Path(__file__).parents[2] / "examples" / "conversation.flac"


@pytest.fixture
def table(tmp_path) -> Path:
    """Features of two sources, 6 s each."""
    random = np.random.default_rng(0)
    parts = [random.normal(size=(600, 13)) @ random.normal(size=(13, 13)) for _ in range(2)]
    path = tmp_path / "show.mfc.txt"
    np.savetxt(path, np.concatenate(parts), fmt="%.5f")
    return path


@pytest.mark.parametrize("kind", ["rttm", "seg"])
def test_segments_go_from_one_command_to_the_next_by_file(cli, table, tmp_path, kind):
    cut, merged = tmp_path / f"cut.{kind}", tmp_path / f"merged.{kind}"
    outcome = cli("segment", table, "--method", "glr", "-o", cut)
    assert outcome.code == 0, outcome.stderr
    assert outcome.stdout == ""
    assert read(cut).speakers == ("S0", "S1")
    outcome = cli("cluster", cut, table, "--method", "bic", "--num-speakers", "1", "-o", merged)
    assert outcome.code == 0, outcome.stderr
    assert read(merged).speakers == ("S0",)
    assert read(merged).speech.duration == pytest.approx(12.0)


def test_a_recording_is_cut_and_clustered_by_the_default_methods(cli, tmp_path):
    cut = tmp_path / "cut.rttm"
    assert cli("segment", EXAMPLE, "--width", "1.5", "--threshold", "-200", "-o", cut).code == 0
    outcome = cli("cluster", cut, EXAMPLE, "--num-speakers", "2", "--format", "rttm")
    assert outcome.code == 0
    assert {line.split()[7] for line in outcome.stdout.splitlines()} <= set(read(cut).speakers)
    assert len({line.split()[7] for line in outcome.stdout.splitlines()}) == 2


def test_where_somebody_speaks_can_be_told(cli, table, tmp_path):
    speech = tmp_path / "speech.rttm"
    speech.write_text("SPEAKER show.mfc 1 1.0 2.5 <NA> <NA> a <NA> <NA>\n")
    outcome = cli("segment", table, "--speech", speech, "--format", "rttm")
    assert outcome.code == 0
    assert [line.split()[3:5] for line in outcome.stdout.splitlines()] == [["1.000", "2.500"]]


def test_turns_are_stretches_when_asked_for(cli, table, tmp_path):
    turns = tmp_path / "turns.rttm"
    lines = [f"SPEAKER show.mfc 1 {k}.0 1.0 <NA> <NA> one <NA> <NA>\n" for k in (1, 4, 7, 10)]
    turns.write_text("".join(lines))
    outcome = cli("cluster", turns, table, "--turns", "--num-speakers", "2", "--format", "rttm")
    assert [line.split()[7] for line in outcome.stdout.splitlines()] == ["S0", "S0", "S2", "S2"]


def test_what_lies_beyond_the_end_is_said(cli, table, tmp_path):
    turns = tmp_path / "turns.rttm"
    turns.write_text("SPEAKER show.mfc 1 11.0 5.0 <NA> <NA> one <NA> <NA>\n")
    outcome = cli("cluster", turns, table)
    assert outcome.code == 0
    assert "4.00 s of the stretches lie beyond its end" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ["segment", "{table}", "--method", "viterbi"],
            2,
            "unknown method 'viterbi'; there is: bic, cosine, glr, kl2",
        ),
        (["segment", "{table}", "--method", "cosine"], 2, "needs audio"),
        (["segment", "{table}", "--width", "0"], 2, "width goes from 0.1 s"),
        (["segment", "missing.wav"], 3, "missing.wav"),
        (["segment", "{table}", "--speech", "{other}"], 0, ""),
        (["cluster", "{other}", "{table}", "--method", "none"], 2, "unknown method of clustering"),
        (["cluster", "{other}", "{table}", "--num-speakers", "9"], 2, "exactly 9 speakers were asked for"),
        (["cluster", "missing.rttm", "{table}"], 3, "missing.rttm"),
    ],
)
def test_what_cannot_be_done(cli, table, tmp_path, arguments, code, said):
    other = tmp_path / "other.rttm"
    other.write_text("SPEAKER other 1 1.0 2.5 <NA> <NA> a <NA> <NA>\n")
    outcome = cli(*(each.format(table=table, other=other) for each in arguments))
    assert outcome.code == code, outcome.stderr
    assert said in outcome.stderr
