import pytest

from tertulia.errors import FormatError, InputError
from tertulia.formats import ctm, uem
from tertulia.timeline import Diarization, Timeline


def test_uem_reads_the_scored_parts_of_each_recording():
    text = (
        ";; scored\nall day 1 x\n".replace("all day 1 x\n", "")
        + "one 1 0.0 10\none 1 5 20.5\nall%20day\tA 3 4\r\n"
    )
    assert uem.loads(text) == {"one": Timeline([(0, 20.5)]), "all day": Timeline([(3, 4)])}


def test_uem_part_without_length_names_its_recording():
    assert uem.loads("one 1 5 5\n") == {"one": Timeline()}


def test_uem_round_trip(tmp_path):
    regions = {"a b": Timeline([(0.0, 1.5), (2.0, 3.125)]), "c": Timeline([(1.0001, 1.0002), (4.0, 5.0)])}
    path = tmp_path / "all.uem"
    path.write_text(uem.dumps(regions))
    assert path.read_text() == "a%20b 1 0.000 1.500\na%20b 1 2.000 3.125\nc 1 4.000 5.000\n"
    assert uem.read(path) == {"a b": regions["a b"], "c": Timeline([(4.0, 5.0)])}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("one 1 0", "needs 4 fields: file, channel, start, end; got 3"),
        ("one 1 0 1 2", "got 5"),
        ("one 1 -3 1", "got '-3'"),
        ("one 1 0 nan", "got 'nan'"),
        ("one 1 5 4", "cannot end before it starts; got 5.0 to 4.0"),
    ],
)
def test_uem_names_bad_lines(line, problem):
    with pytest.raises(FormatError, match=rf"^x\.uem:2: .*{problem}"):
        uem.loads(f"one 1 0 1\n{line}\n", "x.uem")


def test_uem_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        uem.read(tmp_path / "none.uem")


def test_ctm_writes_one_pseudo_word_a_turn():
    diarization = Diarization([(1.44, 13.31, "Ana B"), (2, 3, "bo")], uri="m", confidence={"bo": [0.5]})
    assert ctm.dumps(diarization) == (
        "m 1 1.440 11.870 speech NA misc Ana%20B\nm 1 2.000 1.000 speech 0.500 misc bo\n"
    )


def test_ctm_of_a_recogniser_gives_the_stretches_of_its_speakers():
    text = (
        ";; words\n"
        "m 1 0.00 0.25 so 0.9 lex ana\nm 1 0.25 0.25 yes 0.8 lex ana\nm 1 1.00 0.50 well NA lex bo\n"
        "n 1 2.00 1.00 no <na> lex ana\n"
    )
    many = ctm.load_many(text)
    assert [(t.start, t.end, t.speaker, t.confidence) for t in many["m"]] == [
        (0.0, 0.5, "ana", 0.8),
        (1.0, 1.5, "bo", None),
    ]
    assert list(many) == ["m", "n"]
    with pytest.raises(FormatError, match="2 recordings"):
        ctm.loads(text)


def test_ctm_without_speakers_is_refused():
    with pytest.raises(
        FormatError, match=r"^a\.ctm:1: a CTM line needs 8 fields, the last one the speaker; got 6"
    ):
        ctm.loads("m 1 0.0 0.5 hello 0.9\n", "a.ctm")
