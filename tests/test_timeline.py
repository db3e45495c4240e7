import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.timeline import Diarization, Provenance, Segment, Timeline, Turn

quick = settings(deadline=None, max_examples=100)

# On whole seconds a timeline is a set of one-second cells, and Python's sets are the oracle.
LENGTH = 24
pairs = st.tuples(st.integers(0, LENGTH - 1), st.integers(1, 8)).map(
    lambda p: (p[0], min(p[0] + p[1], LENGTH))
)
pair_lists = st.lists(pairs, max_size=8)
timelines = pair_lists.map(Timeline)
crops = pairs.map(lambda p: Segment(*p))
diarizations = st.lists(st.tuples(pairs, st.sampled_from("abcd")), max_size=14).map(
    lambda turns: Diarization([(start, end, speaker) for (start, end), speaker in turns])
)


def cells(timeline):
    return {second for s in timeline for second in range(int(s.start), int(s.end))}


def cells_of(pairs):
    return {second for start, end in pairs for second in range(start, end)}


def is_normal(timeline):
    """Sorted, and a true gap between each segment and the next."""
    flat = timeline.bounds.ravel()
    return bool((np.diff(flat) > 0).all())


# ── Segment ──────────────────────────────────────────────────────────────────────────────────────────


def test_segment():
    segment = Segment(1.5, 4.0)
    assert (segment.duration, segment.middle) == (2.5, 2.75)
    assert Segment(0, 1) < Segment(0, 2) < Segment(1, 2)
    with pytest.raises(AttributeError):
        segment.start = 0


@pytest.mark.parametrize(
    "times", [(1, 1), (2, 1), (-1, 1), (math.nan, 1), (0, math.nan), (0, math.inf), (-1, -0.5)]
)
def test_segment_refuses(times):
    with pytest.raises(ValueError, match=r"needs 0 ≤ start < end, both finite; got \S+ to \S+"):
        Segment(*times)
    for build in (Timeline, Timeline.from_bounds):
        with pytest.raises(ValueError, match="needs 0 ≤ start < end"):
            build([(0, 1), times])
    with pytest.raises(ValueError, match="needs 0 ≤ start < end"):
        Diarization([(*times, "a")])


# ── Timeline ─────────────────────────────────────────────────────────────────────────────────────────


def test_what_overlaps_or_touches_is_joined():
    timeline = Timeline([(5, 6), Segment(0, 1), (1, 2), (4, 8)])
    assert list(timeline) == [Segment(0, 2), Segment(4, 8)]
    assert timeline == Timeline.from_bounds([[0, 2], [4, 8]])
    assert (len(timeline), timeline.duration, timeline.extent) == (2, 6.0, Segment(0, 8))
    assert timeline[1] == timeline[-1] == Segment(4, 8)


def test_a_segment_inside_an_earlier_one_does_not_cut_it_short():
    assert Timeline([(0, 10), (2, 3), (9, 11)]) == Timeline([(0, 11)])


def test_empty():
    empty = Timeline()
    assert (len(empty), empty.duration, empty.extent, list(empty)) == (0, 0.0, None, [])
    assert empty.bounds.shape == (0, 2)
    assert empty == Timeline.from_bounds([]) == empty | empty == empty & empty == empty - empty
    assert (
        empty.gaps()
        == empty.without_gaps_under(1)
        == empty.without_segments_under(1)
        == empty.shift(1)
        == empty
    )
    assert empty.gaps(Segment(1, 2)) == Timeline([(1, 2)])
    assert not empty.covers([0.0, 1.0]).any()
    with pytest.raises(IndexError):
        empty[0]


def test_bounds_cannot_be_changed():
    a = Timeline([(0, 1), (2, 3), (2.5, 4)])
    made = [a, a | a, a & a, a - Timeline([(0.5, 2.5)]), a.crop(Segment(0, 3)), a.shift(1)]
    made += [a.without_gaps_under(2), a.without_segments_under(1), Timeline(), Timeline.from_bounds(a.bounds)]
    for timeline in made:
        with pytest.raises(ValueError, match="read-only"):
            timeline.bounds[...] = 7


def test_later_changes_to_the_array_do_not_reach_the_timeline():
    bounds = np.array([[0.0, 1.0]])
    timeline = Timeline.from_bounds(bounds)
    bounds[:] = 9
    assert timeline == Timeline([(0, 1)])


@quick
@given(pair_lists)
def test_a_timeline_is_the_set_of_its_instants(segments):
    timeline = Timeline(segments)
    assert is_normal(timeline)
    assert cells(timeline) == cells_of(segments)
    assert timeline.duration == len(cells_of(segments))
    assert Timeline(reversed(segments)) == timeline
    assert Timeline(timeline) == timeline
    assert hash(Timeline(reversed(segments))) == hash(timeline)


@quick
@given(timelines, timelines)
def test_algebra_is_that_of_sets(a, b):
    for result, expected in [
        (a | b, cells(a) | cells(b)),
        (a & b, cells(a) & cells(b)),
        (a - b, cells(a) - cells(b)),
    ]:
        assert is_normal(result)
        assert cells(result) == expected
    assert (a == b) == (cells(a) == cells(b))


@quick
@given(timelines, timelines, timelines)
def test_laws(a, b, c):
    assert a | b == b | a
    assert a & b == b & a
    assert a & (b | c) == (a & b) | (a & c)
    assert a - (b | c) == (a - b) - c
    assert (a - b) | (a & b) == a


@quick
@given(
    st.lists(
        st.tuples(st.floats(0, 1e5), st.floats(1e-3, 50)).map(lambda p: (p[0], p[0] + p[1])), max_size=9
    ),
    st.lists(
        st.tuples(st.floats(0, 1e5), st.floats(1e-3, 50)).map(lambda p: (p[0], p[0] + p[1])), max_size=9
    ),
)
def test_algebra_on_any_times(first, second):
    a, b = Timeline(first), Timeline(second)
    for result in (a | b, a & b, a - b):
        assert is_normal(result)
        assert set(result.bounds.ravel().tolist()) <= {t for pair in [*first, *second] for t in pair}
    assert math.isclose((a | b).duration + (a & b).duration, a.duration + b.duration, abs_tol=1e-6)
    assert (a - b) & b == Timeline()


@quick
@given(timelines, crops)
def test_crop_and_gaps(timeline, within):
    inside = set(range(int(within.start), int(within.end)))
    assert cells(timeline.crop(within)) == cells(timeline) & inside
    assert timeline.crop(within) == timeline & Timeline([within])
    assert cells(timeline.gaps(within)) == inside - cells(timeline)
    if timeline.extent:
        assert timeline.gaps() | timeline == Timeline([timeline.extent])
        assert timeline.gaps() & timeline == Timeline()


@quick
@given(timelines, st.integers(0, 9))
def test_short_gaps_and_segments(timeline, seconds):
    filled = timeline.without_gaps_under(seconds)
    assert filled == timeline | Timeline(gap for gap in timeline.gaps() if gap.duration < seconds)
    kept = timeline.without_segments_under(seconds)
    assert list(kept) == [segment for segment in timeline if segment.duration >= seconds]


def test_a_gap_or_segment_of_just_that_length_stays():
    timeline = Timeline([(0, 1), (2, 3)])
    assert timeline.without_gaps_under(1.0) == timeline.without_segments_under(1.0) == timeline
    assert timeline.without_gaps_under(1.001) == Timeline([(0, 3)])
    assert timeline.without_segments_under(1.001) == Timeline()


def test_shift():
    assert Timeline([(1, 2), (3, 4)]).shift(0.5) == Timeline([(1.5, 2.5), (3.5, 4.5)])
    assert Timeline([(1, 2)]).shift(-1) == Timeline([(0, 1)])
    with pytest.raises(ValueError, match=r"got -0\.5 to 0\.5"):
        Timeline([(1, 2)]).shift(-1.5)


@quick
@given(timelines, st.lists(st.integers(-1, LENGTH + 1)))
def test_covers_counts_the_start_but_not_the_end(timeline, instants):
    assert timeline.covers(instants).tolist() == [second in cells(timeline) for second in instants]


def test_repr_of_a_long_timeline_is_short():
    assert repr(Timeline([(i, i + 0.5) for i in range(4)])) == (
        "Timeline(0.000–0.500, 1.000–1.500, 2.000–2.500, …; 4 segments, 2.000 s)"
    )
    assert repr(Timeline([(1, 2)])) == "Timeline(1.000–2.000; 1 segments, 1.000 s)"


# ── Diarization ──────────────────────────────────────────────────────────────────────────────────────


TALK = Diarization(
    [(5, 9, "bo"), (0, 4, "ana"), Turn(8, 10, "ana"), (3, 6, "cy"), (8.5, 11, "ana")],
    uri="talk",
    duration=12.0,
)


def test_turns_come_in_order_and_overlaps_of_one_speaker_are_joined():
    assert list(TALK) == [Turn(0, 4, "ana"), Turn(3, 6, "cy"), Turn(5, 9, "bo"), Turn(8, 11, "ana")]
    assert TALK.speakers == ("ana", "cy", "bo")
    assert len(TALK) == 4
    assert TALK["ana"] == Timeline([(0, 4), (8, 11)])
    assert "bo" in TALK
    assert "dee" not in TALK
    assert dict(TALK.items())["cy"] == Timeline([(3, 6)])
    assert Turn(1, 3.5, "x").duration == 2.5


def test_turns_of_the_same_time_come_by_end_and_then_by_name():
    turns = [(0, 2, "b"), (0, 2, "a"), (0, 1, "c")]
    assert [t.speaker for t in Diarization(turns)] == ["c", "a", "b"]
    assert Diarization(turns).speakers == ("c", "a", "b")


def test_speech_and_overlap():
    assert TALK.speech == Timeline([(0, 11)])
    assert TALK.overlap == Timeline([(3, 4), (5, 6), (8, 9)])


def test_nobody():
    nobody = Diarization()
    assert (len(nobody), list(nobody), nobody.speakers) == (0, [], ())
    assert nobody.speech == nobody.overlap == Timeline()
    assert nobody.exclusive() == nobody.crop(Segment(0, 1)) == nobody.rename({}) == nobody
    assert Diarization({"ana": Timeline()}) == nobody


def test_equality_is_about_who_spoke_when():
    same = Diarization(dict(TALK.items()), uri="other", provenance=Provenance("1", "x"))
    assert same == TALK
    assert hash(same) == hash(TALK)
    assert TALK.rename({"bo": "Bo"}) != TALK
    assert Diarization([(0, 1, "a")]) != Diarization([(0, 2, "a")])
    assert Diarization() != "nobody"


@quick
@given(diarizations)
def test_speech_and_overlap_count_speakers(talk):
    active = [cells(timeline) for _, timeline in talk.items()]
    assert cells(talk.speech) == set().union(*active)
    assert cells(talk.overlap) == {s for s in range(LENGTH) if sum(s in a for a in active) >= 2}


@quick
@given(diarizations)
def test_exclusive_gives_the_floor_to_who_began_last(talk):
    alone = talk.exclusive()
    assert alone.speech == talk.speech
    assert len(alone.overlap) == 0
    assert alone.exclusive() == alone
    for second in cells(talk.speech):
        speaking = {
            s: max(seg.start for seg in talk[s] if seg.start <= second)
            for s in talk.speakers
            if second in cells(talk[s])
        }
        (floor,) = [s for s in alone.speakers if second in cells(alone[s])]
        assert speaking[floor] == max(speaking.values())


def test_exclusive_by_hand():
    # "cy" interrupts "ana" and "bo" interrupts "cy"; at 8 "ana" interrupts "bo".
    assert list(TALK.exclusive()) == [
        Turn(0, 3, "ana"),
        Turn(3, 5, "cy"),
        Turn(5, 8, "bo"),
        Turn(8, 11, "ana"),
    ]
    aside = Diarization([(0, 9, "ana"), (3, 4, "bo")])
    assert list(aside.exclusive()) == [Turn(0, 3, "ana"), Turn(3, 4, "bo"), Turn(4, 9, "ana")]


def test_exclusive_of_a_system_that_knows_better():
    own = Diarization([(0, 9, "ana")])
    talk = Diarization([(0, 9, "ana"), (3, 4, "bo")], exclusive=own)
    assert talk.exclusive() is own
    assert talk.rename({"ana": "A", "bo": "B"}).exclusive() == Diarization([(0, 9, "A")])
    assert talk.rename({"bo": "B"}).exclusive() == own
    assert talk.crop(Segment(1, 5)).exclusive() == Diarization([(1, 5, "ana")])
    assert talk.replace(uri="x").exclusive().uri == "x"


def test_rename_swap_and_merge():
    swapped = TALK.rename({"ana": "bo", "bo": "ana"})
    assert swapped["bo"] == TALK["ana"]
    assert swapped["ana"] == TALK["bo"]
    merged = TALK.merge(["ana", "bo"])
    assert merged["ana"] == TALK["ana"] | TALK["bo"]
    assert merged.speakers == ("ana", "cy")
    assert TALK.merge(["ana", "bo"], into="cy").speakers == ("cy",)
    assert (merged.uri, merged.duration) == ("talk", 12.0)
    with pytest.raises(ValueError, match="no speaker 'dee'; there is: ana, cy, bo"):
        TALK.rename({"dee": "x"})
    with pytest.raises(ValueError, match="there is: nobody"):
        Diarization().rename({"dee": "x"})
    with pytest.raises(ValueError, match="at least one speaker"):
        TALK.merge([])


def test_confidence_goes_with_the_turns():
    talk = Diarization([(0, 1, "a"), (5, 6, "a"), (2, 3, "b")], confidence={"a": [0.5, 0.75]})
    assert [turn.confidence for turn in talk] == [0.5, None, 0.75]
    assert talk.rename({"a": "A"}).confidence["A"].tolist() == [0.5, 0.75]
    assert talk.replace(uri="x").confidence["a"].tolist() == [0.5, 0.75]
    assert dict(talk.merge(["a", "b"]).confidence) == {}
    with pytest.raises(ValueError, match=r"confidence of 'a' has shape \(1,\); it needs .* its 2 turns"):
        Diarization([(0, 1, "a"), (5, 6, "a")], confidence={"a": [0.5]})


def test_mappings_inside_cannot_be_changed():
    with pytest.raises(TypeError):
        TALK.confidence["ana"] = [1.0]


@quick
@given(diarizations, crops)
def test_crop_keeps_what_lies_inside(talk, within):
    cropped = talk.crop(within)
    for speaker in talk.speakers:
        expected = talk[speaker].crop(within)
        assert (cropped[speaker] if speaker in cropped else Timeline()) == expected


def test_replace():
    told = TALK.replace(uri="x", duration=20.0, provenance=Provenance("1", "y"))
    assert (told.uri, told.duration, told.provenance.system) == ("x", 20.0, "y")
    assert told == TALK
    with pytest.raises(
        ValueError, match=r"cannot replace \['turns'\]; there is: \['duration', 'provenance', 'uri'\]"
    ):
        TALK.replace(turns=[])


def test_repr():
    assert repr(TALK) == "Diarization('talk': 4 turns, 3 speakers, 11.0 s of speech)"
    assert repr(Diarization()) == "Diarization(0 turns, 0 speakers, 0.0 s of speech)"


def test_write_and_read(tmp_path):
    TALK.write(tmp_path / "talk.rttm")
    TALK.write(tmp_path / "anything", "json")
    assert Diarization.read(tmp_path / "talk.rttm") == TALK
    assert Diarization.read(tmp_path / "anything", "json").duration == 12.0


@quick
@given(diarizations)
def test_to_pyannote_and_back(talk):
    core = pytest.importorskip("pyannote.core")
    annotation = talk.replace(uri="talk").to_annotation()
    assert isinstance(annotation, core.Annotation)
    again = Diarization.from_annotation(annotation)
    assert again == talk
    assert again.uri == "talk"
    # pyannote's own set algebra as oracle
    overlap = Timeline((s.start, s.end) for s in annotation.get_overlap())
    assert overlap == talk.overlap
    assert Timeline((s.start, s.end) for s in annotation.get_timeline()) == talk.speech


def test_segments_and_turns_travel_between_processes():
    assert pickle.loads(pickle.dumps(Turn(0, 1, "a", 0.5))) == Turn(0, 1, "a", 0.5)
    assert pickle.loads(pickle.dumps(Timeline([(0, 1)]))) == Timeline([(0, 1)])
