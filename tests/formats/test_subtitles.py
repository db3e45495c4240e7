import pytest

from tertulia.errors import FormatError
from tertulia.formats import srt, vtt
from tertulia.timeline import Diarization

TALK = Diarization([(1.44, 13.31, "SPEAKER_00"), (12.0, 3725.004, "R&D <Ana>")])


def test_srt_looks_like_this():
    assert srt.dumps(TALK) == (
        "1\n00:00:01,440 --> 00:00:13,310\nSPEAKER_00\n\n2\n00:00:12,000 --> 01:02:05,004\nR&D <Ana>\n\n"
    )


def test_vtt_looks_like_this():
    assert vtt.dumps(TALK) == (
        "WEBVTT\n\n"
        "00:00:01.440 --> 00:00:13.310\n<v SPEAKER_00>SPEAKER_00\n\n"
        "00:00:12.000 --> 01:02:05.004\n<v R&amp;D &lt;Ana&gt;>R&amp;D &lt;Ana&gt;\n\n"
    )


def test_srt_needs_no_numbers_and_no_blank_line_at_the_end():
    assert srt.loads(
        "\n\n00:00:01.5 --> 00:00:02,5  X1:0 Y1:0\nana\n \n7\n00:00:03,0 --> 00:00:04,0\nbo"
    ) == (Diarization([(1.5, 2.5, "ana"), (3, 4, "bo")]))


def test_vtt_as_others_write_it():
    text = (
        "WEBVTT - talk\nKind: captions\n\n"
        "NOTE 00:00.000 --> 00:09.000\n<v nobody>\n\n"
        "STYLE\n::cue { color: red }\n\n"
        "REGION\nid:left\n\n"
        "intro\n00:01.000 --> 00:02.500 align:start\n<v.loud.slow Esme Lee>Hello</v> <i>all</i>\n\n"
        "00:00:03.000 --> 00:00:04.000\n- <v Esme&#32;Lee>No.\n- <v Bo>Yes!\n\n"
        "00:05.000 --> 00:05.000\n<v Bo>nothing\n"
    )
    assert vtt.loads(text) == Diarization([(1, 2.5, "Esme Lee"), (3, 4, "Esme Lee"), (3, 4, "Bo")])


@pytest.mark.parametrize(
    ("module", "cue", "problem"),
    [
        (srt, "3\nana", "needs a line of times"),
        (srt, "3\n00:00:01,000 -> 00:00:02,000\nana", "needs a line of times"),
        (srt, "3\n00:00:01,000 --> 00:00:02,000", "needs one line of text, the name of who speaks; got 0"),
        (srt, "3\n00:00:01,000 --> 00:00:02,000\nana:\nhello", "got 2"),
        (srt, "3\n00:00:01,000 --> 00:00:72,000\nana", "got '00:00:72,000'"),
        (srt, "3\n00:00:02,000 --> 00:00:01,000\nana", "cannot end before it starts"),
        (vtt, "00:01.000 --> 00:02.000\nhello", "names nobody; it needs <v Name>"),
        (vtt, "00:02.000 --> 00:01.000\n<v a>", "cannot end before it starts"),
        (vtt, "hello", "needs a line of times"),
    ],
)
def test_bad_cues_are_named_by_their_first_line(module, cue, problem):
    before = module.dumps(TALK)
    line = before.count("\n") + 1
    with pytest.raises(FormatError, match=rf"^m\.sub:{line}: .*{problem}"):
        module.loads(f"{before}{cue}\n\n", "m.sub")


def test_vtt_begins_with_its_name():
    with pytest.raises(FormatError, match=r"^m\.vtt:1: a WebVTT file begins with WEBVTT; got '1"):
        vtt.loads(srt.dumps(TALK), "m.vtt")
