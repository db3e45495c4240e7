import pytest

from tertulia import formats
from tertulia.errors import FormatError
from tertulia.formats import json, seg
from tertulia.timeline import Diarization, Provenance
from tertulia.traits import Traits, traits_of, with_traits

# After the example of LIUM's documentation, with the score lines that its programs write.
LIUM = """\
;; cluster S0 [ score:FS = -33.94 ] [ score:MS = -34.41 ]
20071218_1900_1920_inter 1 0    322   M S U S0
20071218_1900_1920_inter 1 2495 1570  M S music S12
20071218_1900_1920_inter 1 322  680   F T U S1
20071218_1900_1920_inter 1 4065 628   M S U S12
20071218_1900_1920_inter 1 5000 10    F S U S12
"""


def test_liums_own_files_are_read():
    diarization = seg.loads(LIUM)
    assert diarization.uri == "20071218_1900_1920_inter"
    assert [(t.start, t.end, t.speaker) for t in diarization] == [
        (0.0, 3.22, "S0"),
        (3.22, 10.02, "S1"),
        (24.95, 46.93, "S12"),
        (50.0, 50.1, "S12"),
    ]
    assert traits_of(diarization) == {
        "S0": Traits("M", "S"),
        "S1": Traits("F", "T"),
        "S12": Traits("U", "S"),  # its segments disagree about gender and environment
    }


def test_written_lines():
    diarization = Diarization([(1.44, 13.313, "Ana B"), (2, 3, "bo"), (5, 5.004, "gone")], uri="m")
    labelled = with_traits(diarization, {"bo": Traits("M", "T", "loud music")})
    assert seg.dumps(labelled) == "m 1 144 1187 U U U Ana%20B\nm 1 200 100 M T loud%20music bo\n"


def test_traits_survive_seg_and_json_files(tmp_path):
    path = tmp_path / "a.seg"
    path.write_text(LIUM)
    first = Diarization.read(path)
    first.write(tmp_path / "b.json")
    again = Diarization.read(tmp_path / "b.json")
    again.write(tmp_path / "c.seg")
    assert traits_of(Diarization.read(tmp_path / "c.seg")) == traits_of(first)
    assert Diarization.read(tmp_path / "c.seg") == first


def test_several_recordings():
    text = "a 1 0 100 F S U x\nb 1 50 100 M S U x\n"
    many = seg.load_many(text)
    assert [traits_of(many[name])["x"].gender for name in ("a", "b")] == ["F", "M"]
    with pytest.raises(FormatError, match="2 recordings"):
        seg.loads(text)


def test_nothing_known_leaves_no_provenance():
    assert seg.loads("a 1 0 100 U U U x\n").provenance is None


def test_a_segment_without_length_is_passed_over():
    assert seg.load_many("a 1 7 0 U U U x\n") == {}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a 1 0 100 F S S0", r"needs 8 fields.*got 7"),
        ("a 1 0.5 100 F S U S0", r"whole numbers of features.*got '0\.5'"),
        ("a 1 0 -1 F S U S0", r"got '-1'"),
        ("a 1 0 9999999999999 F S U S0", r"from 0 to 1e11; got '9999999999999'"),
        ("a 1 0 100 X S U S0", r"a gender is one of F, M, U; got 'X'"),
        ("a 1 0 100 F W U S0", r"a band is one of S, T, U; got 'W'"),
    ],
)
def test_bad_lines_are_named(line, problem):
    with pytest.raises(FormatError, match=rf"^x\.seg:2: .*{problem}"):
        seg.loads(f"a 1 0 100 F S U S0\n{line}\n", "x.seg")


def test_traits_replace_those_there_were_and_leave_the_rest_of_the_provenance():
    made = Provenance("1", "lium-clr", {"ubm": "abc"}, {"threshold": 2.0})
    diarization = Diarization([(0, 1, "a"), (1, 2, "b")], provenance=made)
    once = with_traits(diarization, {"a": Traits("F"), "nobody": Traits("M")})
    assert traits_of(once) == {"a": Traits("F"), "b": Traits()}
    twice = with_traits(once, {"b": Traits(band="T")})
    assert traits_of(twice) == {"a": Traits(), "b": Traits(band="T")}
    assert twice.provenance.settings["threshold"] == 2.0
    assert twice.provenance.models == {"ubm": "abc"}
    assert with_traits(twice, {}).provenance == made


@pytest.mark.parametrize("told", [None, 3, {"a": 3}, {"a": {"gender": "X", "band": "S", "environment": "U"}}])
def test_traits_that_cannot_be_read_are_unknown(told):
    settings = {} if told is None else {"traits": told}
    diarization = Diarization([(0, 1, "a")], provenance=Provenance("1", "x", settings=settings))
    assert traits_of(diarization) == {"a": Traits()}
    assert traits_of(json.loads(json.dumps(diarization))) == {"a": Traits()}


def test_seg_is_among_the_formats():
    assert formats.by_extension("show.s.seg") is formats.FORMATS["seg"]
