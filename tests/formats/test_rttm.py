import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia import formats
from tertulia.errors import FormatError, InputError
from tertulia.formats import rttm
from tertulia.formats._fields import decode, encode
from tertulia.timeline import Diarization

TWO = """\
SPEAKER one 1 0.500 2.000 <NA> <NA> ana <NA> <NA>
SPEAKER two 1 0.000 1.000 <NA> <NA> bo <NA> <NA>
SPEAKER one 1 2.000 1.250 <NA> <NA> bo <NA> <NA>
"""


def turns(diarization):
    return [(turn.start, turn.end, turn.speaker) for turn in diarization]


def test_writing_looks_like_this():
    diarization = Diarization(
        [(1.44, 13.31, "SPEAKER_00"), (12.0, 12.5, "SPEAKER_01")],
        uri="meeting",
        confidence={"SPEAKER_00": [0.91342]},
    )
    assert rttm.dumps(diarization) == (
        "SPEAKER meeting 1 1.440 11.870 <NA> <NA> SPEAKER_00 0.913 <NA>\n"
        "SPEAKER meeting 1 12.000 0.500 <NA> <NA> SPEAKER_01 <NA> <NA>\n"
    )


def test_start_and_duration_add_up_to_the_rounded_end():
    # Rounded one by one, 0.0006 and 0.0008 would give an end of 0.002 for 0.0014.
    text = rttm.dumps(Diarization([(0.0006, 0.0014 + 1, "a")]))
    assert text.split()[3:5] == ["0.001", "1.000"]
    assert turns(rttm.loads(text)) == [(0.001, 1.001, "a")]


def test_turns_under_half_a_millisecond_are_not_written():
    assert rttm.dumps(Diarization([(1.0001, 1.0004, "a")])) == ""


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("SPEAKER_00", "SPEAKER_00"),
        ("Zoë", "Zoë"),
        ("100%", "100%"),
        ("50% off", "50%%20off"),
        ("%20", "%2520"),
        ("%zz", "%zz"),
        ("a b", "a%20b"),
        ("a\tb\n", "a%09b%0A"),
        ("a\u00a0b", "a%C2%A0b"),
        ("\udcff", "%ED%B3%BF"),
        ("", "<NA>"),
        ("<NA>", "%3CNA>"),
        ("<NA>x", "<NA>x"),
        (";;x", "%3B;x"),
        ("a;;", "a;;"),
    ],
)
def test_names_are_encoded_only_where_they_have_to_be(name, field):
    assert encode(name) == field
    assert decode(field) == name


@settings(deadline=None)
@given(st.text(st.characters() | st.sampled_from("%%%2<>;NA \ud800")))
def test_every_name_becomes_one_field_and_comes_back(name):
    field = encode(name)
    assert len(field.split()) == 1
    assert decode(field) == name


def test_a_percent_sequence_that_is_no_text_stays_as_it_is():
    assert decode("rate%FF") == "rate%FF"


def test_many_recordings_come_apart_in_the_order_of_the_file():
    many = rttm.load_many(TWO)
    assert list(many) == ["one", "two"]
    assert turns(many["one"]) == [(0.5, 2.5, "ana"), (2.0, 3.25, "bo")]
    assert turns(many["two"]) == [(0.0, 1.0, "bo")]
    assert many["one"].uri == "one"


def test_text_path_and_lines_give_the_same(tmp_path):
    path = tmp_path / "two.rttm"
    path.write_text(TWO)
    assert rttm.load_many(path) == rttm.load_many(TWO) == rttm.load_many(io.StringIO(TWO))


def test_two_names_that_decode_to_one_are_one_recording():
    text = TWO.replace("SPEAKER two", "SPEAKER %6Fne")
    assert list(rttm.load_many(text)) == ["one"]
    assert len(rttm.load_many(text)["one"]) == 3


def test_the_shape_with_the_type_in_third_place():
    diarization = rttm.loads(
        "file1 1 SPEAKER 0.00 12.00 <NA> <NA> 0 <NA> <NA>\n"
        "file1 1 SPEAKER 12.00 16.00 <NA> <NA> 1 <NA> <NA>\n"
    )
    assert diarization.uri == "file1"
    assert turns(diarization) == [(0.0, 12.0, "0"), (12.0, 28.0, "1")]


def test_nine_fields_tabs_comments_blank_lines_and_other_types():
    text = (
        "\ufeff;; made by hand\r\n"
        "SPKR-INFO one 1 <NA> <NA> <NA> adult_male ana <NA>\r\n"
        "\r\n"
        "SPEAKER\tone\t1\t0.5\t2\t<NA>\t<NA>\tana\t<NA>\r\n"
        "LEXEME one 1 0.5 0.2 hello lex ana 0.5\r\n"
        "NOSCORE one 1 7 1 <NA> <NA> <NA> <NA>\r\n"
        "  ;; the end\r\n"
    )
    assert turns(rttm.loads(text)) == [(0.5, 2.5, "ana")]


def test_names_with_no_break_spaces_from_elsewhere_stay_whole():
    assert turns(rttm.loads("SPEAKER one 1 0 1 <NA> <NA> a\u00a0b <NA> <NA>")) == [(0.0, 1.0, "a\u00a0b")]


def test_duplicates_and_overlaps_of_one_speaker_are_joined():
    line = "SPEAKER one 1 {} {} <NA> <NA> ana {} <NA>\n"
    text = line.format(0, 2, 0.9) + line.format(0, 2, 0.9) + line.format(1, 2, 0.4) + line.format(5, 1, 0.7)
    diarization = rttm.loads(text)
    assert turns(diarization) == [(0.0, 3.0, "ana"), (5.0, 6.0, "ana")]
    assert diarization.confidence["ana"].tolist() == [0.4, 0.7]


def test_a_speaker_with_some_confidence_missing_has_none():
    line = "SPEAKER one 1 {} 1 <NA> <NA> ana {} <NA>\n"
    assert dict(rttm.loads(line.format(0, 0.9) + line.format(3, "<NA>")).confidence) == {}


def test_turns_without_length_are_passed_over():
    line = "SPEAKER one 1 3.0 {} <NA> <NA> ana <NA> <NA>\n"
    assert len(rttm.loads(line.format("0.000"))) == 0
    assert rttm.load_many(line.format("1e-12")) == {}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("SPEAKER one 1 0 1 <NA> <NA> ana", "needs 10 fields, or 9; got 8"),
        ("SPEAKER one 1 0 1 <NA> <NA> ana <NA> <NA> <NA>", "got 11"),
        ("SPEAKER one 1 -1 1 <NA> <NA> ana <NA> <NA>", "from 0 to 1e9; got '-1'"),
        ("SPEAKER one 1 1 -1 <NA> <NA> ana <NA> <NA>", "got '-1'"),
        ("SPEAKER one 1 nan 1 <NA> <NA> ana <NA> <NA>", "got 'nan'"),
        ("SPEAKER one 1 0 inf <NA> <NA> ana <NA> <NA>", "got 'inf'"),
        ("SPEAKER one 1 0 1_0 <NA> <NA> ana <NA> <NA>", "got '1_0'"),
        ("SPEAKER one 1 0 1,5 <NA> <NA> ana <NA> <NA>", "got '1,5'"),
        ("SPEAKER one 1 4e12 1 <NA> <NA> ana <NA> <NA>", "got '4e12'"),
        ("SPEAKER one 1 0 1 <NA> <NA> ana 1.5 <NA>", "confidence needs a number from 0 to 1; got '1.5'"),
        ("SPEAKER one 1 0 1 <NA> <NA> ana high <NA>", "got 'high'"),
        ("SPEKAER one 1 0 1 <NA> <NA> ana <NA> <NA>", "first or third place; got 'SPEKAER'"),
        ("hello", "got 'hello'"),
        ("x" * 5000, "got 'xxxx[x]{70,80}…"),
    ],
)
def test_bad_lines_are_named(line, problem):
    with pytest.raises(FormatError, match=rf"^m\.rttm:4: .*{problem}"):
        rttm.loads(f"{TWO}{line}\n", "m.rttm")


def test_several_recordings_are_no_single_one(tmp_path):
    path = tmp_path / "two.rttm"
    path.write_text(TWO)
    with pytest.raises(
        FormatError, match=r"two\.rttm: this holds 2 recordings \(one, two\); use formats.read_many"
    ):
        formats.read(path)
    assert list(formats.read_many(path)) == ["one", "two"]
    path.write_text("".join(f"SPEAKER r{i} 1 0 1 <NA> <NA> a <NA> <NA>\n" for i in range(9)))
    with pytest.raises(FormatError, match=r"9 recordings \(r0, r1, r2, r3, r4, …\)"):
        formats.read(path)


def test_a_file_without_turns_names_no_recording(tmp_path):
    path = tmp_path / "silence.rttm"
    path.write_text(";; nobody\n")
    assert formats.read_many(path) == {}
    assert formats.read(path).uri == "silence"


def test_other_encodings_name_file_and_line(tmp_path):
    path = tmp_path / "latin.rttm"
    path.write_bytes(TWO.encode() + "SPEAKER one 1 9 1 <NA> <NA> José <NA> <NA>\n".encode("latin-1"))
    with pytest.raises(FormatError, match=r"latin\.rttm:4: this is not UTF-8 text"):
        rttm.load_many(path)
    path.write_bytes(TWO.encode("utf-16"))
    with pytest.raises(FormatError, match=r"latin\.rttm:1: this is not UTF-8 text"):
        rttm.load_many(path)


def test_a_file_that_is_not_there():
    with pytest.raises(InputError, match=r"cannot read nowhere\.rttm: No such file"):
        rttm.load_many(Path("nowhere.rttm"))


def test_lines_are_streamed_not_hoarded():
    import tracemalloc

    def lines(count):
        for i in range(count):
            yield f"SPEAKER rec 1 {i * 2}.000 1.000 <NA> <NA> S{i % 4} <NA> <NA>\n"

    tracemalloc.start()
    diarization = rttm.load_many(lines(40_000))["rec"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(diarization) == 40_000
    # 24 bytes a turn as they arrive, as much again while they are sorted; the lines alone would be 4 MB.
    assert peak < 40_000 * 75


def test_pyannote_reads_what_we_write(tmp_path):
    pytest.importorskip("pandas")
    util = pytest.importorskip("pyannote.database.util")
    rng = np.random.default_rng(7)
    starts = rng.uniform(0, 600, 200)
    written = Diarization(
        [
            (s, s + d, f"S{i % 5}")
            for i, (s, d) in enumerate(zip(starts, rng.uniform(0.1, 9, 200), strict=True))
        ],
        uri="rec",
    )
    path = tmp_path / "rec.rttm"
    written.write(path)
    theirs = util.load_rttm(path)["rec"]
    ours = formats.read(path)
    assert set(theirs.labels()) == set(ours.speakers)
    for speaker in ours.speakers:
        bounds = np.array([tuple(segment) for segment in theirs.label_timeline(speaker)])
        np.testing.assert_allclose(bounds, ours[speaker].bounds, atol=1e-9)


def test_we_read_what_pyannote_writes():
    core = pytest.importorskip("pyannote.core")
    annotation = core.Annotation(uri="rec")
    annotation[core.Segment(0.25, 4.5), 0] = "ana"
    annotation[core.Segment(3.125, 5.0), 1] = "bo"
    diarization = rttm.loads(annotation.to_rttm())
    assert diarization.uri == "rec"
    assert turns(diarization) == [(0.25, 4.5, "ana"), (3.125, 5.0, "bo")]
