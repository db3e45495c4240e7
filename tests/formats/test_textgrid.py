import pytest

from tertulia import formats
from tertulia.errors import FormatError
from tertulia.formats import textgrid
from tertulia.timeline import Diarization

LONG = '''\
File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 20.000
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "bo"
        xmin = 0
        xmax = 20.000
        intervals: size = 3
        intervals [1]:
            xmin = 0.000
            xmax = 12.000
            text = "bo"
        intervals [2]:
            xmin = 12.000
            xmax = 15.000
            text = ""
        intervals [3]:
            xmin = 15.000
            xmax = 20.000
            text = "bo"
    item [2]:
        class = "IntervalTier"
        name = "the ""boss"""
        xmin = 0
        xmax = 20.000
        intervals: size = 3
        intervals [1]:
            xmin = 0.000
            xmax = 1.440
            text = ""
        intervals [2]:
            xmin = 1.440
            xmax = 13.310
            text = "the ""boss"""
        intervals [3]:
            xmin = 13.310
            xmax = 20.000
            text = ""
'''
SHORT = """\
File type = "ooTextFile short"
"TextGrid"

0
20
<exists>
3
"IntervalTier"
"ana"
0
20
3
0
1.5
""
1.5
2.5
"hello there,
she said ""5 6"" <absent>"
2.5
20
" "
"TextTier"
"clicks"
0
20
1
7.25
"click"
"IntervalTier"
"bo"
0
20
1
0
20
"mm"
"""
TALK = Diarization([(1.44, 13.31, 'the "boss"'), (0, 12, "bo"), (15, 20, "bo")], duration=20.0)


def test_the_long_form_covers_the_whole_recording():
    assert textgrid.dumps(TALK) == LONG
    assert textgrid.loads(LONG) == TALK
    assert textgrid.loads(LONG).duration == 20.0


def test_the_end_is_that_of_the_last_turn_when_nothing_else_is_known():
    text = textgrid.dumps(Diarization([(1, 2, "a"), (3, 4.5, "b")]))
    assert text.count("xmax = 4.500") == 5  # the grid, both tiers, the last interval of each
    later = textgrid.dumps(Diarization([(1, 2.0, "a")], duration=1.5))
    assert "xmax = 2.000" in later
    assert "xmax = 1.500" not in later


def test_the_short_form_with_words_points_and_remarks():
    read = textgrid.loads(SHORT.replace("<exists>", '! a remark with "quotes" and 7\n<exists>'))
    assert read == Diarization([(1.5, 2.5, "ana"), (0, 20, "bo")])


def test_no_tiers():
    header = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 3\ntiers? <absent>\n'
    read = textgrid.loads(header)
    assert len(read) == 0
    assert read.duration == 3


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "utf-8-sig"])
def test_encodings_that_praat_writes(encoding, tmp_path):
    path = tmp_path / "m.TextGrid"
    path.write_text(SHORT.replace("ana", "Zoë"), encoding=encoding)
    assert formats.read(path).speakers == ("bo", "Zoë")


def test_the_extension_in_any_case(tmp_path):
    path = tmp_path / "m.textgrid"
    TALK.write(path)
    assert formats.read(path) == TALK


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("ooTextFile", "ooBinaryFile", 2, "begins with 'ooTextFile' and 'TextGrid'; got"),
        ('"TextGrid"', '"PitchTier"', 2, "begins with"),
        ("size = 2", "size = two", 10, "a number is needed here; got '\"IntervalTier\"'"),
        ("size = 2", "size = 2.5", 7, "a whole number is needed here; got '2.5'"),
        ("size = 2", "size = 3", 45, "a string is needed here; got the end of the file"),
        ('"IntervalTier"', '"Pitch"', 11, "an IntervalTier or a TextTier; got 'Pitch'"),
        ("xmax = 12.000", "xmax = -12", 17, "got '-12'"),
        ("xmax = 12.000", "xmax = 1.2.3", 17, "got '1.2.3'"),
        ("xmax = 15.000", "xmax = 11.0", 22, "cannot end before it starts; got 12.0 to 11.0"),
        ('text = "bo"', "text = bo", 20, "a string is needed here; got '12.000'"),
    ],
)
def test_damage_is_named(old, new, line, problem):
    assert old in LONG
    with pytest.raises(FormatError, match=rf"^m\.TextGrid:{line}: .*{problem}"):
        textgrid.loads(LONG.replace(old, new, 1), "m.TextGrid")


def test_a_quote_that_never_ends_takes_no_time():
    with pytest.raises(FormatError, match="a string is needed here; got '\"'"):
        textgrid.loads('"' + '""' * 200_000 + "x" * 200_000)
