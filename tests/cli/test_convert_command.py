from __future__ import annotations

import pytest

from tertulia import formats

TWO = (
    "SPEAKER a 1 1.000 2.000 <NA> <NA> Ana <NA> <NA>\n"
    "SPEAKER a 1 2.500 2.000 <NA> <NA> Ben <NA> <NA>\n"
    "SPEAKER b 1 0.000 1.000 <NA> <NA> Eva <NA> <NA>\n"
)
ONE = "".join(TWO.splitlines(keepends=True)[:2])


@pytest.fixture
def one(tmp_path):
    (tmp_path / "in.rttm").write_text(ONE)
    return tmp_path / "in.rttm"


def test_a_file_becomes_another(cli, one, tmp_path):
    outcome = cli("convert", one, "-o", tmp_path / "out.srt")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")
    assert "00:00:01,000 --> 00:00:03,000\nAna" in (tmp_path / "out.srt").read_text()


def test_without_output_it_is_printed(cli, one):
    assert cli("convert", one).stdout == ("00:00:01.00 – 00:00:03.00  Ana\n00:00:02.50 – 00:00:04.50  Ben\n")


@pytest.mark.parametrize("name", [name for name in formats.FORMATS if name not in ("console", "segments")])
def test_there_and_back_through_every_format(cli, one, tmp_path, name):
    assert cli("convert", one, "-o", tmp_path / "there", "--format", name).code == 0
    (there,) = (tmp_path / "there").iterdir()
    assert there.name == f"in.{formats.FORMATS[name].extension}"
    assert cli("convert", there, "-o", tmp_path / "back.rttm").code == 0
    assert formats.read(tmp_path / "back.rttm") == formats.read(one)


def test_several_recordings_become_several_files(cli, tmp_path):
    (tmp_path / "all.rttm").write_text(TWO)
    cli("convert", tmp_path / "all.rttm", "-o", tmp_path / "out", "--format", "vtt,csv")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.vtt", "a.csv", "b.vtt", "b.csv"}


def test_several_recordings_stay_one_file_where_the_format_can(cli, tmp_path):
    (tmp_path / "all.rttm").write_text(TWO)
    (tmp_path / "all.ctm").write_text(cli("convert", tmp_path / "all.rttm", "--format", "ctm").stdout)
    assert cli("convert", tmp_path / "all.ctm", "--format", "rttm").stdout == TWO


@pytest.mark.parametrize("uri", ["..", "x/y", "%00"])
def test_names_that_lead_elsewhere_are_refused(cli, tmp_path, uri):
    (tmp_path / "all.rttm").write_text(ONE + ONE.replace("SPEAKER a", f"SPEAKER {uri}"))
    outcome = cli("convert", tmp_path / "all.rttm", "-o", tmp_path / "out")
    assert outcome.code == 3
    assert "cannot give a file its name" in outcome.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_the_format_can_be_said(cli, one, tmp_path):
    one.rename(tmp_path / "in.dat")
    assert cli("convert", tmp_path / "in.dat").code == 2
    assert cli("convert", tmp_path / "in.dat", "--from", "rttm").code == 0


def test_nothing_is_an_empty_recording(cli, tmp_path):
    (tmp_path / "in.rttm").write_text("")
    outcome = cli("convert", tmp_path / "in.rttm", "-o", tmp_path / "out.json")
    assert outcome.code == 0
    assert formats.read(tmp_path / "out.json").speakers == ()


def test_broken_files_are_named_with_the_line(cli, one, tmp_path):
    one.write_text(f"{ONE}SPEAKER a 1 x 1 <NA> <NA> A <NA> <NA>\n")
    outcome = cli("convert", one, "-o", tmp_path / "out.srt")
    assert outcome.code == 3
    assert outcome.stderr.startswith(f"tertulia: {one}:3: ")
    assert not (tmp_path / "out.srt").exists()


def test_a_file_that_is_not_there_is_bad_input(cli, tmp_path):
    assert cli("convert", tmp_path / "no.rttm").code == 3
