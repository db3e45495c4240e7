"""The formats of one turn a line: text, console, audacity, csv."""

import csv as stdlib
import io

import pytest

from tertulia import formats
from tertulia.errors import FormatError
from tertulia.formats import audacity, console, csv, text
from tertulia.formats._turns import clock, of_clock
from tertulia.timeline import Diarization, Turn

TALK = Diarization([(1.44, 13.31, "SPEAKER_00"), (12.0, 3725.004, "Ana María")], uri="m")


@pytest.mark.parametrize(
    ("time", "decimals", "shown"),
    [
        (0, 3, "00:00:00.000"),
        (59.9996, 3, "00:01:00.000"),
        (3599.995, 2, "00:59:59.99"),  # in binary a hair less than it looks
        (3725.004, 2, "01:02:05.00"),
        (359_999.5, 0, "100:00:00"),
        (0.5, 0, "00:00:00"),
        (1.5, 0, "00:00:02"),
    ],
)
def test_clock(time, decimals, shown):
    assert clock(time, decimals) == shown


@pytest.mark.parametrize(
    ("shown", "time"),
    [("00:00:01.44", 1.44), ("1:02:03", 3723.0), ("02:03.5", 123.5), ("100:00:00,250", 360_000.25)],
)
def test_of_clock(shown, time):
    assert of_clock(shown) == time


@pytest.mark.parametrize(
    "shown", ["", "12", "00:61:00", "00:00:60", "-1:00:00", "00:00:00.", "0:0:0:0", "٠٠:٠٠"]
)
def test_of_clock_refuses(shown):
    with pytest.raises(ValueError, match="HH:MM:SS"):
        of_clock(shown)


def test_text_looks_like_this():
    assert text.dumps(TALK) == (
        "00:00:01.44 – 00:00:13.31  SPEAKER_00\n00:00:12.00 – 01:02:05.00  Ana María\n"
    )
    assert text.line(Turn(0, 1, "x")) == "00:00:00.00 – 00:00:01.00  x"


def test_text_is_read_with_a_plain_hyphen_too():
    assert text.loads("00:00:01.44 - 00:00:13.31  a\n\n") == Diarization([(1.44, 13.31, "a")])


def test_console_looks_like_this():
    talk = Diarization([(12.2, 28.4, "bo"), (0.3, 12.2, "ana"), (30.1, 30.3, "bo")])
    shown = (
        "Speaker 0 → 00:00:00 - 00:00:12\nSpeaker 1 → 00:00:12 - 00:00:28\nSpeaker 1 → 00:00:30 - 00:00:30\n"
    )
    assert console.dumps(talk) == shown
    assert console.loads(shown) == Diarization([(0, 12, "Speaker 0"), (12, 28, "Speaker 1")])


def test_audacity_looks_like_this():
    assert audacity.dumps(TALK) == "1.440\t13.310\tSPEAKER_00\n12.000\t3725.004\tAna María\n"


def test_audacity_points_and_spectral_selections_are_passed_over():
    labels = "0.000000\t1.500000\tana\n\\\t100.0\t4000.0\n2.000000\t2.000000\tclick\n3.000000\t3.000000\t\n"
    assert audacity.loads(labels) == Diarization([(0, 1.5, "ana")])


@pytest.mark.parametrize("module", [text, console, audacity])
def test_txt_files_are_recognised_by_their_first_line(module, tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("\n" + module.dumps(TALK), encoding="utf-8")
    assert formats.read(path) == module.loads(module.dumps(TALK))


@pytest.mark.parametrize(
    ("module", "line", "problem"),
    [
        (text, "hello", "needs the form 'HH:MM:SS.ss – HH:MM:SS.ss  NAME'; got 'hello'"),
        (text, "00:00:01.00 – 00:00:02.00  ", "needs the form"),
        (text, "00:00:01.00 – 00:00:99.00  a", "got '00:00:99.00'"),
        (text, "00:00:05.00 – 00:00:04.00  a", "cannot end before it starts; got 5.0 to 4.0"),
        (console, "Speaker one → 00:00:00 - 00:00:12", "needs the form 'Speaker 0"),
        (console, "Speaker 1 → 00:00 - 00:0x", "needs the form"),
        (audacity, "1.0 2.0 ana", "needs start, end and text, parted by tabs"),
        (audacity, "1.0\t2.0", "needs start, end and text"),
        (audacity, "1.0\t2.0\t ", "this label has no text"),
        (audacity, "1,0\t2.0\tana", "got '1,0'"),
        (audacity, "2.0\t1.0\tana", "cannot end before"),
    ],
)
def test_bad_lines_are_named(module, line, problem):
    with pytest.raises(FormatError, match=rf"^m\.txt:4: .*{problem}"):
        module.loads(module.dumps(TALK) + f"\n{line}\n", "m.txt")


def test_csv_looks_like_this():
    talk = Diarization([(0, 1.5, 'Ana "la jefa", María'), (2, 3, "bo")], confidence={"bo": [0.25]})
    assert csv.dumps(talk) == (
        'start,end,speaker,confidence\n0.000,1.500,"Ana ""la jefa"", María",\n2.000,3.000,bo,0.250\n'
    )
    assert csv.dumps(TALK).startswith("start,end,speaker\n1.440,13.310,SPEAKER_00\n")


def test_csv_is_what_the_csv_module_reads():
    talk = Diarization([(0, 1, "a\r\nb"), (1, 2, 'c"d'), (2, 3, "e,f"), (3, 4, "g\rh"), (4, 5, "i\nj")])
    rows = list(stdlib.DictReader(io.StringIO(csv.dumps(talk), newline="")))
    assert [row["speaker"] for row in rows] == ["a\r\nb", 'c"d', "e,f", "g\rh", "i\nj"]


def test_csv_columns_are_found_by_their_header():
    table = " Speaker ,note,END,start\nana,hm,2.5,1\n\nbo,,4,3\n"
    assert csv.loads(table) == Diarization([(1, 2.5, "ana"), (3, 4, "bo")])


@pytest.mark.parametrize(
    ("table", "line", "problem"),
    [
        ("", 1, "the header lacks start, end, speaker"),
        ("start,stop,speaker\n", 1, "the header lacks end; got 'start,stop,speaker'"),
        ("start,end,speaker\n0,1\n", 2, "a row needs 3 values, as the header has; got 2"),
        ("start,end,speaker\n0,1,a\n0,1,a,b\n", 3, "got 4"),
        ("start,end,speaker\n0,1,a\n0,-1,a\n", 3, "got '-1'"),
        ("start,end,speaker,confidence\n0,1,a,2\n", 2, "from 0 to 1; got '2'"),
        ('start,end,speaker\n0,1,"a"b\n', 2, "expected after"),
        ('start,end,speaker\n0,1,"a\n', 2, "end of data"),
    ],
)
def test_csv_bad_rows_are_named(table, line, problem):
    with pytest.raises(FormatError, match=rf"^m\.csv:{line}: .*{problem}"):
        csv.loads(table, "m.csv")
