"""`tertulia crossshow`."""

from pathlib import Path

import pytest

from tertulia.cli import main
from tertulia.formats import read

EXAMPLE = Path(__file__).parents[2] / "examples" / "conversation.flac"


@pytest.fixture
def folder(tmp_path):
    for name in ("one.flac", "two.flac"):
        (tmp_path / name).write_bytes(EXAMPLE.read_bytes())
    return tmp_path


def test_the_same_recording_twice_has_the_same_people(folder, capsys):
    out = folder / "out"
    given = [str(folder / "one.flac"), str(folder / "two.flac")]
    options = ["--system", "lium-clr", "--num-speakers", "2", "--at-once", "-o", str(out)]
    assert main(["crossshow", *given, *options]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "wrote" in captured.err
    one, two = (read(out / f"{name}.rttm") for name in ("one", "two"))
    assert one == two
    assert len(one.speakers) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--system", "default"], 2, "default cannot cluster a collection"),
        (["--channels", "split"], 2, "channels are mix or a number from 0; got 'split'"),
        (["--num-speakers", "0"], 2, "whole number from 1"),
        (["--system", "lium"], 2, "unknown system 'lium'"),
        (["missing.wav", "--system", "lium-clr"], 3, "missing.wav"),
    ],
)
def test_what_cannot_be_done(folder, capsys, arguments, code, said):
    assert main(["crossshow", str(folder / "one.flac"), *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
