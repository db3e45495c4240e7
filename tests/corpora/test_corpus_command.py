"""`tertulia corpus`, as it is typed."""

from __future__ import annotations

import io
import json
import sys

import pytest

from tertulia.cli import main


@pytest.fixture
def cli(capsys):
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def corpus(make):
    make.one("dev/a.wav", "dev/a.rttm")
    make.one("test/b c.wav", "test/b c.rttm", "x")
    return make


def test_check_of_a_clean_corpus(cli, corpus):
    code, out, err = cli("corpus", "check", corpus.root)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "split\trecordings\thours\tspeakers\toverlap %",
        "dev\t1\t0.00\t1\t0.0",
        "test\t1\t0.00\t1\t0.0",
        f"{corpus.root.name} (folder): no problems",
    ]


def test_check_of_a_corpus_with_problems(cli, corpus):
    corpus.wav("dev/d.wav")
    code, out, err = cli("corpus", "check", corpus.root)
    assert (code, err) == (3, "")
    assert out.splitlines()[3:] == [
        "dev\td\tno-reference\tthere is no reference",
        f"{corpus.root.name} (folder): 1 problem",
    ]
    assert cli("corpus", "check", corpus.root, "--split", "test")[0] == 0


def test_check_as_json(cli, corpus):
    corpus.wav("dev/d.wav")
    code, out, _ = cli("corpus", "check", corpus.root, "--json")
    result = json.loads(out)
    assert (code, result["layout"], result["name"]) == (3, "folder", corpus.root.name)
    assert [split["split"] for split in result["splits"]] == ["dev", "test"]
    assert result["problems"] == [
        {"kind": "no-reference", "split": "dev", "uri": "d", "message": "there is no reference"}
    ]


def test_list(cli, corpus):
    corpus.wav("test/z\tz.wav")
    code, out, _ = cli("corpus", "list", corpus.root, "--split", "test")
    folder = corpus.root / "test"
    assert code == 0
    assert out.splitlines() == [
        f"b c\ttest\t{folder}/b c.wav\t{folder}/b c.rttm\t-",
        f"z\\tz\ttest\t{folder}/z\\tz.wav\t-\t-",
    ]
    assert len(cli("corpus", "list", corpus.root)[1].splitlines()) == 3


def test_list_as_json(cli, corpus):
    lines = cli("corpus", "list", corpus.root, "--json")[1].splitlines()
    first = json.loads(lines[0])
    assert first == {
        "recording": "a",
        "split": "dev",
        "audio": str(corpus.root / "dev" / "a.wav"),
        "reference": str(corpus.root / "dev" / "a.rttm"),
        "uem": None,
    }


def test_on_a_terminal_there_are_tables(cli, corpus, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    assert main(["corpus", "check", str(corpus.root)]) == 0
    assert "overlap %" in screen.getvalue()
    assert "\t" not in screen.getvalue()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["inspect", "."], 2, "unknown action 'inspect'; there is: check, list"),
        (["list", ".", "--split", "train"], 2, "unknown split 'train'; there is: dev, test"),
        (["check", ".", "--split", "train"], 2, "unknown split 'train'; there is: dev, test"),
        (["check", ".", "--layout", "kaldi"], 2, "unknown layout 'kaldi'; there is: ami"),
        (["check", "nowhere"], 3, "nowhere does not exist"),
        (["check"], 2, "Missing argument 'DIR'"),
    ],
)
def test_wrong_calls(cli, corpus, monkeypatch, arguments, code, message):
    monkeypatch.chdir(corpus.root)
    got, out, err = cli("corpus", *arguments)
    assert (got, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1


def test_every_layout_is_in_the_help(cli):
    from tertulia.corpora import LAYOUTS

    text = cli("corpus", "--help")[1]
    assert [name for name in LAYOUTS if name not in text] == []
