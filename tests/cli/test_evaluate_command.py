from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

# 10 s of reference speech. The hypothesis gives Ana one second of Ben's (confusion) and stops a second early
# (missed): 20 % error.
REFERENCE = [(0, 6, "Ana"), (6, 10, "Ben")]
HYPOTHESIS = [(0, 7, "1"), (7, 9, "2")]


def rttm(turns, uri):
    return "".join(f"SPEAKER {uri} 1 {a:.3f} {b - a:.3f} <NA> <NA> {who} <NA> <NA>\n" for a, b, who in turns)


def write(path: Path, **recordings) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(rttm(turns, uri) for uri, turns in recordings.items()))
    return path


@pytest.fixture
def pair(tmp_path):
    return write(tmp_path / "ref.rttm", talk=REFERENCE), write(tmp_path / "hyp.rttm", talk=HYPOTHESIS)


@pytest.fixture
def folders(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "ref" / f"{name}.rttm", **{name: REFERENCE})
    write(tmp_path / "hyp" / "a.rttm", a=HYPOTHESIS)
    write(tmp_path / "hyp" / "b.rttm", b=REFERENCE)
    return tmp_path / "ref", tmp_path / "hyp"


def scores(outcome):
    assert outcome.code == 0, outcome.stderr
    return json.loads(outcome.stdout)


def test_two_files_are_scored_with_their_protocol(cli, pair):
    outcome = cli("evaluate", *pair)
    heading, row, protocol = outcome.stdout.splitlines()
    assert heading.split("  ")[0] == "recording"
    assert all(f"  {name} %" in heading for name in ("DER", "FA", "miss", "conf", "JER"))
    assert row.split() == ["talk", "20.00", "0.00", "10.00", "10.00", "32.14", "0.00", "10.00"]
    assert protocol == "protocol: no collar, overlap scored, no UEM: 0 to the latest end"
    assert outcome.stderr == ""


def test_piped_columns_stand_under_one_another(cli, folders):
    lines = cli("evaluate", *folders, "--per-file").stdout.splitlines()
    assert len({len(line) for line in lines[:-1]}) == 1
    assert "\x1b" not in "".join(lines)


def test_a_terminal_gets_a_table_and_the_protocol(cli, pair, terminal):
    screen = terminal("stdout")
    assert cli("evaluate", *pair).code == 0
    assert "───" in screen.getvalue()
    assert "20.00" in screen.getvalue()
    assert "protocol: no collar" in screen.getvalue()


def test_json_has_the_promised_shape(cli, folders):
    result = scores(cli("evaluate", *folders, "--json"))
    assert set(result) == {"overall", "files", "protocol"}
    assert list(result["files"]) == ["a", "b"]
    for part in (result["overall"], *result["files"].values()):
        assert {"der", "false_alarm", "missed", "confusion", "jer"} <= set(part)
    assert result["files"]["a"]["der"] == pytest.approx(0.2)
    assert result["files"]["b"]["der"] == 0
    assert result["overall"]["der"] == pytest.approx(0.1)
    assert result["protocol"]["collar"] == 0
    assert result["protocol"]["uem"] is False
    assert "0 to the latest end" in result["protocol"]["description"]


def test_json_is_json_where_nobody_speaks(cli, tmp_path):
    (tmp_path / "ref.rttm").write_text("")
    (tmp_path / "hyp.rttm").write_text("")
    outcome = cli("evaluate", tmp_path / "ref.rttm", tmp_path / "hyp.rttm", "--json")
    assert scores(outcome)["overall"]["der"] == 0
    assert "NaN" not in outcome.stdout


def test_per_file_adds_a_row_for_each(cli, folders):
    names = [line.split()[0] for line in cli("evaluate", *folders, "--per-file").stdout.splitlines()]
    assert names == ["recording", "a", "b", "all", "protocol:"]
    names = [line.split()[0] for line in cli("evaluate", *folders).stdout.splitlines()]
    assert names == ["recording", "all", "protocol:"]


def test_all_metrics_by_hand(cli, pair):
    # Of 10 s one is missed. 6 + 2 s of the 9 s of the hypothesis, and of the reference's 10 s, match.
    # Classes share 6, 1, 2 and 1 s, have 6 and 4 s, 7, 2 and 1 s: 1 + (2·42 − 52 − 54) / 100. Of three
    # change points on each side one is the same, the others are a second apart.
    lines = cli("evaluate", *pair, "--all-metrics").stdout.splitlines()
    assert lines[0].startswith("recording  DER %")
    names, values = (re.split(r"\s{2,}", line) for line in lines[2:4])
    found = dict(zip(names[1:], map(float, values[1:]), strict=True))
    by_hand = {
        "SAD %": 10,
        "SAD FA %": 0,
        "SAD miss %": 10,
        "purity %": 88.89,
        "coverage %": 80,
        "Rand %": 78,
    }
    assert by_hand.items() <= found.items()
    assert [found[f"change {name} %"] for name in ("P", "R", "F1")] == [33.33, 33.33, 33.33]
    assert lines[4:] == [
        "change points count as found within 0.25 s",
        *cli("evaluate", *pair).stdout.splitlines()[2:],
    ]
    tolerant = cli("evaluate", *pair, "--all-metrics", "--tolerance", "1").stdout.splitlines()
    assert tolerant[3].endswith("100.00")
    assert "within 1 s" in tolerant[4]
    assert cli("evaluate", *pair, "--tolerance", "-1").code == 2


# ── protocol ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_collar_is_scored_and_printed(cli, pair):
    outcome = cli("evaluate", *pair, "--collar", "0.25")
    assert "collar 0.25 s each side" in outcome.stdout
    # Scored are 0.25 to 5.75 and 6.25 to 9.75: 9 s, of which 0.75 s are confused and 0.75 s missed.
    result = scores(cli("evaluate", *pair, "--collar", "0.25", "--json"))
    assert result["overall"]["der"] == pytest.approx(1.5 / 9)


def test_overlap_can_be_skipped(cli, tmp_path):
    reference = write(tmp_path / "ref.rttm", talk=[(0, 6, "Ana"), (4, 10, "Ben")])
    hypothesis = write(tmp_path / "hyp.rttm", talk=[(0, 5, "Ana"), (5, 10, "Ben")])
    assert scores(cli("evaluate", reference, hypothesis, "--json"))["overall"]["missed"] > 0
    outcome = cli("evaluate", reference, hypothesis, "--skip-overlap", "--json")
    assert scores(outcome)["overall"]["der"] == 0
    assert scores(outcome)["protocol"]["skip_overlap"] is True


@pytest.mark.parametrize("given", ["file", "folder"])
def test_a_uem_limits_what_is_scored(cli, pair, tmp_path, given):
    (tmp_path / "uem").mkdir()
    (tmp_path / "uem" / "x.uem").write_text("talk 1 0.000 6.000\nother 1 0 1\n")
    uem = tmp_path / "uem" / ("x.uem" if given == "file" else "")
    outcome = cli("evaluate", *pair, "--uem", uem)
    assert outcome.stdout.splitlines()[1].split()[1] == "0.00"
    assert outcome.stdout.endswith("UEM given\n")


def test_a_uem_goes_by_the_name_inside_the_file_too(cli, tmp_path):
    write(tmp_path / "ref" / "talk.v2.rttm", talk=REFERENCE)
    write(tmp_path / "hyp" / "talk.v2.rttm", talk=HYPOTHESIS)
    (tmp_path / "x.uem").write_text("talk 1 0 6\n")
    outcome = cli("evaluate", tmp_path / "ref", tmp_path / "hyp", "--uem", tmp_path / "x.uem", "--json")
    assert scores(outcome)["files"]["talk.v2"]["der"] == 0


def test_references_without_uem_are_listed(cli, folders, tmp_path):
    (tmp_path / "x.uem").write_text("a 1 0 6\n")
    outcome = cli("evaluate", *folders, "--uem", tmp_path / "x.uem")
    assert (outcome.code, outcome.stderr) == (3, "tertulia: without UEM: b\n")


def test_a_folder_without_uem_files_is_an_error(cli, pair, tmp_path):
    (tmp_path / "none").mkdir()
    outcome = cli("evaluate", *pair, "--uem", tmp_path / "none")
    assert outcome.code == 3
    assert "holds no UEM files" in outcome.stderr


@pytest.mark.parametrize("collar", ["-1", "nan", "wide"])
def test_impossible_collars_are_usage_errors(cli, pair, collar):
    outcome = cli("evaluate", *pair, "--collar", collar)
    assert outcome.code == 2
    assert "collar" in outcome.stderr


# ── what belongs together ────────────────────────────────────────────────────────────────────────────


def test_two_files_of_one_recording_are_compared_whatever_they_are_called(cli, tmp_path):
    reference = write(tmp_path / "ref.rttm", talk=REFERENCE)
    hypothesis = write(tmp_path / "hyp.rttm", other=HYPOTHESIS)
    outcome = cli("evaluate", reference, hypothesis)
    assert outcome.stdout.splitlines()[1].split()[:2] == ["talk", "20.00"]
    assert "comparing 'other' with the reference 'talk'" in outcome.stderr


def test_formats_can_be_mixed(cli, pair, tmp_path):
    other = tmp_path / "talk.srt"
    assert cli("convert", pair[1], "-o", other).code == 0
    assert cli("evaluate", pair[0], other).stdout.splitlines()[1].split()[1] == "20.00"


def test_an_empty_hypothesis_file_is_one_in_which_nobody_speaks(cli, pair):
    pair[1].write_text("")
    assert cli("evaluate", *pair).stdout.splitlines()[1].split()[1:4] == ["100.00", "0.00", "100.00"]


def test_recordings_inside_files_go_by_their_names(cli, tmp_path):
    reference = write(tmp_path / "ref.rttm", a=REFERENCE, b=REFERENCE)
    hypothesis = write(tmp_path / "hyp.rttm", b=REFERENCE, a=HYPOTHESIS)
    result = scores(cli("evaluate", reference, hypothesis, "--json"))
    assert {name: file["der"] for name, file in result["files"].items()} == {"a": pytest.approx(0.2), "b": 0}


def test_a_folder_matches_one_file_of_many_recordings(cli, folders, tmp_path):
    hypothesis = write(tmp_path / "all.rttm", a=HYPOTHESIS, b=REFERENCE)
    result = scores(cli("evaluate", folders[0], hypothesis, "--json"))
    assert result["overall"]["der"] == pytest.approx(0.1)


def test_files_in_folders_go_by_their_own_names_below_as_well(cli, tmp_path):
    write(tmp_path / "ref" / "dev" / "a.rttm", something=REFERENCE)
    write(tmp_path / "hyp" / "a.rttm", **{"else": HYPOTHESIS})
    result = scores(cli("evaluate", tmp_path / "ref", tmp_path / "hyp", "--json"))
    assert result["files"]["a"]["der"] == pytest.approx(0.2)


def test_an_empty_file_in_a_folder_counts(cli, folders):
    (folders[1] / "b.rttm").write_text("")
    assert scores(cli("evaluate", *folders, "--json"))["files"]["b"]["missed"] == 1


def test_rttm_goes_before_what_else_lies_in_a_folder(cli, folders):
    for name in ("notes.txt", "a.json", "a.wav", ".b.rttm", "a.srt"):
        (folders[0] / name).write_text("anything")
    assert scores(cli("evaluate", *folders, "--json"))["overall"]["der"] == pytest.approx(0.1)


def test_a_folder_of_one_other_format_will_do(cli, folders, tmp_path):
    for name in ("a", "b"):
        cli("convert", folders[1] / f"{name}.rttm", "-o", tmp_path / "vtt", "--format", "vtt")
    assert scores(cli("evaluate", folders[0], tmp_path / "vtt", "--json"))["files"].keys() == {"a", "b"}


def test_a_folder_of_several_formats_without_rttm_is_refused(cli, folders, tmp_path):
    cli("convert", folders[1] / "a.rttm", "-o", tmp_path / "mixed", "--format", "vtt,srt")
    outcome = cli("evaluate", folders[0], tmp_path / "mixed")
    assert outcome.code == 3
    assert "holds no RTTM but srt and vtt" in outcome.stderr


def test_a_name_that_comes_twice_is_refused(cli, folders):
    write(folders[1] / "more" / "a.rttm", a=HYPOTHESIS)
    outcome = cli("evaluate", *folders)
    assert outcome.code == 3
    assert "'a' is both in" in outcome.stderr


def test_unmatched_recordings_are_listed(cli, folders):
    (folders[1] / "b.rttm").rename(folders[1] / "c.rttm")
    outcome = cli("evaluate", *folders)
    assert (outcome.code, outcome.stdout) == (3, "")
    assert outcome.stderr == "tertulia: without hypothesis: b; without reference: c\n"


def test_missing_hypotheses_count_as_missed_speech_when_allowed(cli, folders):
    (folders[1] / "b.rttm").unlink()
    result = scores(cli("evaluate", *folders, "--allow-missing", "--json"))
    assert result["files"]["b"]["missed"] == 1
    assert result["overall"]["der"] == pytest.approx(0.6)


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────


def test_a_path_that_does_not_exist_is_bad_input(cli, pair, tmp_path):
    outcome = cli("evaluate", pair[0], tmp_path / "nowhere")
    assert outcome.code == 3
    assert outcome.stderr == f"tertulia: cannot read {tmp_path / 'nowhere'}: No such file or directory\n"


def test_a_folder_without_annotations_is_bad_input(cli, pair, tmp_path):
    (tmp_path / "none").mkdir()
    outcome = cli("evaluate", pair[0], tmp_path / "none")
    assert outcome.code == 3
    assert ".rttm" in outcome.stderr


def test_broken_files_are_named_with_the_line(cli, pair):
    pair[1].write_text(rttm(HYPOTHESIS, "talk") + "SPEAKER talk 1 nonsense\n")
    outcome = cli("evaluate", *pair)
    assert outcome.code == 3
    assert f"{pair[1]}:3: " in outcome.stderr


def test_a_collection_is_scored_under_one_mapping(cli, tmp_path):
    """By themselves both are perfect. Together a name is one person: a's 10 s are right, b's 10 s are not."""
    turns = {"a": [(0, 6, "1"), (6, 10, "2")], "b": [(0, 6, "2"), (6, 10, "1")]}
    for name, mine in turns.items():
        write(tmp_path / "ref" / f"{name}.rttm", **{name: REFERENCE})
        write(tmp_path / "hyp" / f"{name}.rttm", **{name: mine})
    outcome = cli("evaluate", tmp_path / "ref", tmp_path / "hyp", "--cross-show", "--json")
    found = scores(outcome)
    assert found["overall"]["der"] == 0
    assert found["cross_show"] == {"der": 0.5, "false_alarm": 0.0, "missed": 0.0, "confusion": 0.5}
    last = cli("evaluate", tmp_path / "ref", tmp_path / "hyp", "--cross-show").stdout.splitlines()[-1]
    assert last == (
        "cross-show, one mapping of speakers for all recordings: "
        "DER % 50.00, FA % 0.00, miss % 0.00, conf % 50.00"
    )


def test_a_recording_without_hypothesis_is_missed_across_shows_too(cli, folders):
    (folders[1] / "b.rttm").unlink()
    outcome = cli("evaluate", *folders, "--cross-show", "--allow-missing", "--json")
    assert scores(outcome)["cross_show"]["missed"] == pytest.approx((1 + 10) / 20)
