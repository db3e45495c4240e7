"""What holds for every format in `FORMATS`."""

import contextlib
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia import formats
from tertulia.errors import FormatError, OutputError
from tertulia.formats import FORMATS
from tertulia.timeline import Diarization

NAMES = (
    "text",
    "rttm",
    "json",
    "pyannote-json",
    "srt",
    "vtt",
    "textgrid",
    "audacity",
    "ctm",
    "seg",
    "csv",
    "elan",
    "console",
    "segments",
    "audioseg",
)
DECIMALS = {"text": 2, "seg": 2, "console": 0, "segments": 2, "audioseg": 7}  # all others: 3
ESCAPES = ("rttm", "ctm", "seg", "json", "pyannote-json", "csv")  # carry any name whatever
NAMELESS = ("console", "segments")

every_format = pytest.mark.parametrize("name", NAMES)
quick = settings(deadline=None, max_examples=40)

AWKWARD = """Ana María|the "boss"|<b>|a & b &amp;|100%|%20|;; no|<NA>|a, b|]]>| x |李 明|-->|1|'|\\|{}
<v Bob>|&lt|%%C3|=1+1|a\u00a0b|\ufeffx"""
awkward = st.sampled_from(re.split(r"[|\n]", AWKWARD))
visible = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufffe\uffff"), min_size=1
).filter(str.strip)
plain_names = awkward | visible
any_names = plain_names | st.text()

# Sub-millisecond steps near zero, so that rounding makes turns touch or vanish.
times = st.integers(0, 4000).map(lambda n: n / 10_000) | st.floats(0, 400_000, allow_subnormal=False)
lengths = st.integers(1, 40).map(lambda n: n / 10_000) | st.floats(0.0001, 50)


def diarizations(names):
    turn = st.tuples(times, lengths, names).map(lambda t: (t[0], t[0] + t[1], t[2]))
    return st.builds(Diarization, st.lists(turn, max_size=12), uri=st.just("meeting"))


def as_written(diarization, name):
    """The same turns at the precision of a format, with the names that it keeps."""
    decimals = DECIMALS.get(name, 3)
    shown = {speaker: f"Speaker {i}" for i, speaker in enumerate(diarization.speakers)}
    if name == "segments":  # joins all speech
        shown = dict.fromkeys(diarization.speakers, "SPEECH")
    turns = [
        (
            round(t.start, decimals),
            round(t.end, decimals),
            shown[t.speaker] if name in NAMELESS else t.speaker,
        )
        for t in diarization
    ]
    return Diarization([turn for turn in turns if turn[0] < turn[1]])


def test_the_table_holds_exactly_the_promised_names():
    assert tuple(FORMATS) == NAMES
    assert all(known.name == name for name, known in FORMATS.items())


def test_extensions_are_unique_even_where_case_does_not_count():
    extensions = [known.extension.lower() for known in FORMATS.values()]
    assert len(set(extensions)) == len(extensions)
    assert not any(extension.startswith(".") for extension in extensions)


@every_format
@quick
@given(data=st.data())
def test_what_is_written_is_read_back(name, data):
    diarization = data.draw(diarizations(any_names if name in ESCAPES else plain_names))
    again = FORMATS[name].loads(FORMATS[name].dumps(diarization))
    assert again == as_written(diarization, name)


@every_format
@quick
@given(speaker=st.text())
def test_a_name_survives_or_is_refused_but_never_changes(name, speaker):
    diarization = Diarization([(1.0, 2.0, speaker)])
    try:
        text = FORMATS[name].dumps(diarization)
    except OutputError:
        carried = name in ESCAPES
    else:
        carried = FORMATS[name].loads(text) == as_written(diarization, name)
    assert carried != (name not in ESCAPES + NAMELESS and refused(speaker))


def refused(speaker):
    categories = {unicodedata.category(letter) for letter in speaker}
    return (
        not speaker.strip()
        or not categories.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
        or not set("\ufffe\uffff").isdisjoint(speaker)
    )


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(ESCAPES) - set(NAMELESS)))
@pytest.mark.parametrize("speaker", ["", "  ", "a\nb", "a\tb", "a\rb", "\x00", "\u2028", "\x85", "\ud800"])
def test_formats_without_escapes_refuse_names_they_cannot_carry(name, speaker):
    with pytest.raises(OutputError, match="cannot carry the speaker name"):
        FORMATS[name].dumps(Diarization([(1.0, 2.0, speaker)]))


@every_format
def test_nobody_speaking_is_read_back_as_nobody_speaking(name, tmp_path):
    path = tmp_path / f"silence.{FORMATS[name].extension}"
    Diarization().write(path)
    again = Diarization.read(path)
    assert len(again) == 0
    assert again.uri == "silence"


@every_format
def test_a_file_finds_its_format_by_its_extension(name, tmp_path):
    path = tmp_path / f"board meeting.v2.{FORMATS[name].extension}"
    written = Diarization(
        [(0.0, 12.0, "Ana"), (12.0, 28.0, "Bo"), (20.0, 22.0, "Ana")], uri="board meeting.v2"
    )
    written.write(path)
    assert formats.by_extension(path) is FORMATS[name]
    assert formats.stem(path) == "board meeting.v2"
    again = formats.read(path)
    assert again == as_written(written, name)
    assert again.uri == "board meeting.v2"
    assert formats.read_many(path) == {"board meeting.v2": again}
    assert formats.read(path, name) == again


@every_format
def test_written_files_end_in_a_line_break_and_are_the_same_each_time(name):
    diarization = Diarization([(0.0, 12.0, "Ana"), (11.0, 28.0, "Bo")])
    text = FORMATS[name].dumps(diarization)
    assert text.endswith("\n")
    assert FORMATS[name].dumps(diarization) == text


@every_format
def test_windows_line_ends_and_a_byte_order_mark_make_no_difference(name, tmp_path):
    diarization = Diarization([(0.0, 12.0, "Ana"), (11.0, 28.0, "Bo")])
    text = FORMATS[name].dumps(diarization)
    path = tmp_path / f"m.{FORMATS[name].extension}"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert formats.read(path) == as_written(diarization, name)


@every_format
def test_garbage_is_an_error_that_names_file_and_line(name, tmp_path):
    path = tmp_path / f"bad.{FORMATS[name].extension}"
    path.write_text("this is not what it says it is\nat all\n")
    with pytest.raises(FormatError, match=re.escape(str(path)) + r":\d+: \S"):
        formats.read(path)


@every_format
def test_other_encodings_are_an_error_that_names_file_and_line(name, tmp_path):
    path = tmp_path / f"latin.{FORMATS[name].extension}"
    path.write_bytes(b"\nJos\xe9 said\n")
    with pytest.raises(FormatError, match=re.escape(f"{path}:2: this is not UTF-8 text")):
        formats.read(path)


@every_format
@quick
@given(data=st.data())
def test_damaged_files_are_read_or_refused_but_nothing_else(name, data):
    text = FORMATS[name].dumps(Diarization([(0.0, 12.0, "Ana"), (11.5, 28.0, "Bo"), (30.0, 31.25, "Ana")]))
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, len(text)))
    insert = data.draw(
        st.sampled_from(["", '"', "-", "nan", "1e999", "9" * 400, "\n", "\t", "<", "\x00"]) | st.text()
    )
    # Any exception of another class, any traceback, fails here.
    with contextlib.suppress(FormatError):
        assert isinstance(FORMATS[name].loads(text[:begin] + insert + text[end:]), Diarization)


# How each format writes the end of the turn from 7 to 12 s (RTTM and CTM: its duration).
ENDS = dict.fromkeys(NAMES, "12.000") | {
    "text": "00:00:12.00",
    "rttm": "5.000",
    "srt": "00:00:12,000",
    "vtt": "00:00:12.000",
    "ctm": "5.000",
    "seg": "500",
    "elan": "12000",
    "json": "12.0",
    "console": "00:00:12",
    "segments": "12.00",
    "audioseg": "12.0000000",
}


@every_format
@pytest.mark.parametrize("instead", ["nan", "inf", "-1.000", "1e300", "1_2"])
def test_impossible_times_are_an_error_that_names_the_line(name, instead):
    text = FORMATS[name].dumps(Diarization([(0.0, 7.0, "Ana"), (7.0, 12.0, "Bo"), (77.0, 78.0, "Ana")]))
    before, after = text.rsplit(ENDS[name], 1) if name == "textgrid" else text.split(ENDS[name], 1)
    with pytest.raises(FormatError, match=r"^x\.y:[0-9]+: ") as caught:
        FORMATS[name].loads(before + instead + after, "x.y")
    named = int(str(caught.value).split(":")[1])
    # A cue or an object is named by the line that it begins on; Praat takes what is no number for a remark,
    # and misses the number at the text that follows.
    off = {"srt": 1, "json": 2, "pyannote-json": 3, "textgrid": -2}
    assert before.count("\n") + 1 - named in (0, off.get(name, 0))


@pytest.mark.parametrize("name", ["rttm", "json", "ctm", "csv"])
def test_confidence_survives_where_the_format_has_a_place_for_it(name):
    written = Diarization(
        [(0.0, 1.0, "a"), (2.0, 3.0, "a"), (0.5, 1.5, "b")], confidence={"a": [0.25, 1.0], "b": [0.8126]}
    )
    again = FORMATS[name].loads(FORMATS[name].dumps(written))
    assert {speaker: values.tolist() for speaker, values in again.confidence.items()} == {
        "a": [0.25, 1.0],
        "b": [0.813],
    }


@pytest.mark.parametrize("name", ["rttm", "json", "ctm", "csv"])
def test_a_speaker_without_confidence_stays_without(name):
    written = Diarization([(0.0, 1.0, "a"), (2.0, 3.0, "b")], confidence={"b": [0.5]})
    again = FORMATS[name].loads(FORMATS[name].dumps(written))
    assert list(again.confidence) == ["b"]


@pytest.mark.parametrize("name", ["rttm", "json", "ctm", "seg"])
@quick
@given(uri=st.text())
def test_the_name_of_the_recording_survives(name, uri):
    assert FORMATS[name].loads(FORMATS[name].dumps(Diarization([(0.0, 1.0, "a")], uri=uri))).uri == uri
