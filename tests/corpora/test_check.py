"""What `check` finds, one kind of problem at a time, and how much it counts."""

from __future__ import annotations

import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.corpora import check, open_corpus
from tertulia.corpora.check import KINDS, _self_overlaps
from tertulia.errors import UsageError


def found(make, split=None):
    return [
        (problem.kind, problem.uri, problem.message)
        for problem in check(open_corpus(make.root), split).problems
    ]


def kinds(make):
    return [(kind, uri) for kind, uri, _ in found(make)]


def test_a_clean_corpus(make):
    make.wav("dev/a.wav", seconds=1)
    make.rttm("dev/a.rttm", ("a", 0, 0.6, "A"), ("a", 0.4, 0.8, "B"))
    make.wav("test/b.wav", seconds=2)
    make.rttm("test/b.rttm", ("b", 0, 1, "A"))
    make("test/b.uem", "b 1 0 2\n")
    steps = []
    result = check(open_corpus(make.root), progress=lambda done, total: steps.append((done, total)))
    assert result.problems == ()
    dev, test = result.summaries
    assert (dev.split, dev.recordings, dev.speakers) == ("dev", 1, 2)
    assert (dev.hours, dev.overlap) == (pytest.approx(1 / 3600), pytest.approx(0.2 / 0.8))
    assert (test.hours, test.speakers, test.overlap) == (pytest.approx(2 / 3600), 1, 0)
    assert steps == [(1, 2), (2, 2)]


def test_what_is_missing(make):
    make.wav("a.wav")
    make.rttm("b.rttm", ("b", 0, 1, "A"))
    assert kinds(make) == [("no-audio", "b"), ("no-reference", "a")]


def test_audio_that_cannot_be_read(make):
    make.one("a.wav", "a.rttm")
    make.one("b.wav", "b.rttm")
    make("b.wav", "this is not sound")
    (kind, uri, message), *rest = found(make)
    assert (kind, uri, rest) == ("unreadable-audio", "b", [])
    assert "b.wav" in message


def test_audio_that_a_manifest_names_but_is_not_there_or_no_file(make):
    os.mkfifo(make.root / "pipe.wav")
    make.rttm("a.rttm", ("a", 0, 1, "A"))
    lines = [
        {"audio_filepath": name, "rttm_filepath": "a.rttm"}
        for name in ("none.wav", "pipe.wav", "/dev/zero", "x" * 300)
    ]
    make.lines("manifest.json", *lines)
    messages = {uri: message for kind, uri, message in found(make) if kind == "unreadable-audio"}
    assert messages["none"].endswith("none.wav does not exist")
    assert messages["pipe"].endswith("pipe.wav is not a file")
    assert messages["zero"] == "/dev/zero is not a file"
    assert messages["x" * 300].endswith("does not exist")


def test_references_and_uems_that_cannot_be_read(make):
    make.wav("a.wav")
    make("a.rttm", "SPEAKER a 1 -1 1 <NA> <NA> A <NA> <NA>\n")
    make.one("b.wav", "b.rttm")
    make("b.uem", "b 1 2\n")
    make.one("c.wav", "c.rttm")
    make.lines(
        "m/manifest.json",
        {"audio_filepath": "../c.wav", "rttm_filepath": "/dev/zero", "uem_filepath": "none.uem"},
    )
    (_, a, reference), (_, b, uem) = found(make)
    assert (a, b) == ("a", "b")
    assert "a.rttm:1:" in reference
    assert "b.uem:1:" in uem
    problems = check(open_corpus(make.root / "m")).problems
    assert [problem.kind for problem in problems] == ["unreadable-reference", "unreadable-uem"]
    assert problems[0].message == "/dev/zero is not a file"


def test_a_uem_that_does_not_know_the_recording(make):
    for uri in "ab":
        make.one(f"{uri}.wav", f"{uri}.rttm")
    make.lines(
        "m.json",
        *(
            {"audio_filepath": f"{u}.wav", "rttm_filepath": f"{u}.rttm", "uem_filepath": "s.uem"}
            for u in "ab"
        ),
    )
    make("s.uem", "a 1 0 1\n")
    ((kind, uri, message),) = found(make)
    assert (kind, uri) == ("unreadable-uem", "b")
    assert message.endswith("s.uem has no recording 'b'")


def test_references_without_turns(make):
    make.one("a.wav", "a.rttm")
    make.wav("b.wav")
    make("b.rttm", ";; nobody\n")
    assert kinds(make) == [("empty-reference", "b")]


def test_turns_of_one_speaker_that_overlap(make):
    make.wav("a.wav")
    make.rttm("a.rttm", ("other", 0, 0.5, "A"), ("other", 0.25, 0.75, "A"), ("other", 0, 1, "B"))
    assert found(make) == [("self-overlap", "a", "turns of 'A' overlap for 0.250 s")]
    make.rttm("a.rttm", ("a", 0, 0.5, "A"), ("a", 0.499, 0.75, "A"))
    assert found(make) == [], "a millisecond is rounding"


def test_turns_and_scored_parts_after_the_end(make):
    make.wav("a.wav")
    make.rttm("a.rttm", ("a", 0, 1.5, "A"))
    make("a.uem", "a 1 0 2\n")
    make.wav("b.wav")
    make.rttm("b.rttm", ("b", 0, 1.09, "A"))
    assert found(make) == [
        ("out-of-recording", "a", "turns go on to 1.500 s; the recording ends at 1.000 s"),
        ("out-of-recording", "a", "scored parts go on to 2.000 s; the recording ends at 1.000 s"),
    ]


def test_turns_outside_of_the_scored_parts(make):
    make.wav("a.wav")
    make.rttm("a.rttm", ("a", 0, 1, "A"))
    make("a.uem", "a 1 0.25 0.75\n")
    assert found(make) == [("out-of-uem", "a", "0.500 s of speech lie outside of the scored parts")]


def test_the_count_of_a_manifest_is_of_the_part_it_takes(make):
    make.wav("a.wav")
    make.rttm("a.rttm", ("a", 0, 0.5, "A"), ("a", 0.5, 1, "B"))
    line = {"audio_filepath": "a.wav", "rttm_filepath": "a.rttm", "offset": 0, "duration": 0.5}
    make.lines("m.json", line | {"num_speakers": 1})
    assert found(make) == []
    make.lines("m.json", line | {"num_speakers": 2})
    assert found(make) == [("speaker-count", "a", "2 speakers in the manifest, 1 in the reference")]


def test_rates_and_channels_that_are_not_those_of_most(make):
    for uri in "abc":
        make.one(f"{uri}.wav", f"{uri}.rttm")
    make.wav("c.wav", rate=16_000, channels=2)
    assert found(make) == [
        ("sample-rate", "c", "16000 Hz; most recordings have 8000"),
        ("channels", "c", "2 channels; most recordings have 1"),
    ]


def test_a_rate_too_low_for_speech(make):
    make.one("a.wav", "a.rttm")
    make.wav("a.wav", rate=4_000)
    assert found(make) == [("sample-rate", "a", "4000 Hz; speech needs at least 8000")]


def test_names_that_are_there_twice_or_differ_in_case(make):
    for path in ("dev/a", "test/a", "test/B", "test/b"):
        make.one(f"{path}.wav", f"{path}.rttm")
    assert found(make) == [
        ("duplicate", "a", "2 recordings of this name, in dev, test"),
        ("duplicate", "a", "2 recordings of this name, in dev, test"),
        ("case", "B", "names that differ in case: B, b"),
        ("case", "b", "names that differ in case: B, b"),
    ]
    assert found(make, "dev") == [("duplicate", "a", "2 recordings of this name, in dev, test")]


def test_only_one_split_is_looked_at(make):
    make.one("dev/a.wav", "dev/a.rttm")
    make.wav("test/b.wav")
    corpus = open_corpus(make.root)
    assert check(corpus, "dev").problems == ()
    assert [summary.split for summary in check(corpus, "dev").summaries] == ["dev"]
    with pytest.raises(UsageError, match="unknown split 'train'; there is: dev, test"):
        check(corpus, "train")


def test_without_speech_there_is_no_share_of_overlap(make):
    make.wav("a.wav")
    result = check(open_corpus(make.root))
    assert math.isnan(result.summaries[0].overlap)
    assert result.to_dict()["splits"][0]["overlap"] is None


def test_a_video_counts_as_audio(make):
    av = pytest.importorskip("av")
    import numpy as np

    make.rttm("a.rttm", ("a", 0, 0.5, "A"))
    with av.open(str(make.root / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), "fltp", "mono")
        frame.sample_rate = 16_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    result = check(open_corpus(make.root))
    assert result.problems == ()
    assert result.summaries[0].hours * 3600 == pytest.approx(1, abs=0.15)


@settings(deadline=None, max_examples=50)
@given(turns=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20)), min_size=1, max_size=12))
def test_overlap_is_what_counting_tenths_of_a_second_says(tmp_path_factory, turns):
    path = tmp_path_factory.getbasetemp() / "overlap.rttm"
    path.write_text("".join(f"SPEAKER a 1 {s / 10} {d / 10} <NA> <NA> A <NA> <NA>\n" for s, d in turns))
    counts = [sum(s <= tenth < s + d for s, d in turns) for tenth in range(60)]
    expected = sum(count - 1 for count in counts if count > 1) / 10
    assert _self_overlaps(path)["a"].get("A", 0.0) == pytest.approx(expected, abs=1e-6)


def test_every_kind_is_found_in_these_tests():
    from pathlib import Path

    text = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []
