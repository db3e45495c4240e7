from __future__ import annotations

import sys

import pytest


@pytest.fixture
def reference_file(recording):
    return recording.with_suffix(".rttm")


def test_sound_and_turns_become_one_drawing(cli, recording, reference_file, tmp_path):
    other = tmp_path / "other.rttm"
    other.write_text("SPEAKER x 1 0.000 9.000 <NA> <NA> somebody <NA> <NA>\n")
    outcome = cli("plot", recording, reference_file, other, "-o", tmp_path / "new" / "turns.svg")
    assert (outcome.code, outcome.stdout) == (0, "")
    svg = (tmp_path / "new" / "turns.svg").read_text()
    assert svg.startswith("<svg")
    assert "<polygon" in svg
    assert all(f">{title}</text>" in svg for title in (reference_file.name, "other.rttm", "somebody"))


def test_files_of_one_name_are_told_apart_by_their_folders(cli, recording, tmp_path):
    for folder in ("mine", "theirs"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.rttm").write_text("")
    files = [tmp_path / folder / "a.rttm" for folder in ("mine", "theirs")]
    assert cli("plot", recording, *files, "-o", tmp_path / "turns.svg").code == 0
    svg = (tmp_path / "turns.svg").read_text()
    assert all(f">{title}</text>" in svg for title in ("mine/a.rttm", "theirs/a.rttm"))


def test_of_a_file_of_many_recordings_the_right_one_is_drawn(cli, recording, tmp_path):
    many = tmp_path / "many.rttm"
    line = "SPEAKER {} 1 0.000 9.000 <NA> <NA> {} <NA> <NA>\n"
    many.write_text(line.format("conversation", "right") + line.format("other", "wrong"))
    assert cli("plot", recording, many, "-o", tmp_path / "turns.svg").code == 0
    svg = (tmp_path / "turns.svg").read_text()
    assert ">right</text>" in svg
    assert "wrong" not in svg
    many.write_text(line.format("this", "x") + line.format("that", "x"))
    outcome = cli("plot", recording, many, "-o", tmp_path / "turns.svg")
    assert outcome.code == 3
    assert "none of them 'conversation': this, that" in outcome.stderr


@pytest.mark.parametrize(
    ("output", "code", "message"),
    [
        ("turns.pdf", 2, "in .svg or .png"),
        ("turns", 2, ".svg or .png"),
        ("file/a.svg", 3, "cannot write"),
    ],
)
def test_where_a_drawing_cannot_go(output, code, message, cli, recording, reference_file, tmp_path):
    (tmp_path / "file").write_text("")
    outcome = cli("plot", recording, reference_file, "-o", tmp_path / output)
    assert outcome.code == code
    assert message in outcome.stderr


def test_a_png_without_its_extra_says_what_to_install(cli, recording, reference_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    outcome = cli("plot", recording, reference_file, "-o", tmp_path / "turns.png")
    assert outcome.code == 4
    assert "tertulia[plot]" in outcome.stderr
    assert not (tmp_path / "turns.png").exists()


def test_a_png_with_it(cli, recording, reference_file, tmp_path):
    pytest.importorskip("resvg_py")
    assert cli("plot", recording, reference_file, "-o", tmp_path / "turns.png").code == 0
    assert (tmp_path / "turns.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_not_there_is_said(cli, recording, reference_file, tmp_path):
    assert cli("plot", recording, tmp_path / "no.rttm", "-o", tmp_path / "a.svg").code == 3
    assert cli("plot", tmp_path / "no.wav", reference_file, "-o", tmp_path / "a.svg").code == 3
