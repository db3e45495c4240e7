import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tertulia.binarize import BINARIZERS, Hysteresis, TopCount
from tertulia.frames import Frames, Grid
from tertulia.stitch import Stitched
from tertulia.timeline import Timeline

TENTH = Grid(0.1)


def stitched(scores, count=None) -> Stitched:
    values = np.array(scores, dtype=np.float32)
    many = values.sum(axis=1) if count is None else np.array(count, dtype=np.float32)
    return Stitched(Frames(values, TENTH), many)


def decided(binarize, scores, count=None, at_most=None) -> list[list[int]]:
    return binarize(stitched(scores, count), at_most).astype(int).tolist()


# ── as many as are counted ───────────────────────────────────────────────────────────────────────────────


def test_the_highest_scores_first():
    scores = [[0.2, 0.9, 0.4]] * 4
    expected = [[0, 0, 0], [0, 1, 0], [0, 1, 1], [1, 1, 1]]
    assert decided(TopCount(), scores, [0, 1, 2, 3]) == expected


@pytest.mark.parametrize(
    ("count", "active"), [(0.49, 0), (0.5, 0), (0.51, 1), (1.49, 1), (1.5, 2), (2.5, 2), (7.0, 2)]
)
def test_counts_are_rounded_halves_to_even(count, active):
    assert sum(decided(TopCount(), [[0.5, 0.4]], [count])[0]) == active


def test_speech_whose_speaker_is_in_doubt_is_kept():
    assert decided(TopCount(), [[0.3, 0.25, 0.25]], [0.8]) == [[1, 0, 0]]


def test_ties_go_to_the_first():
    assert decided(TopCount(), [[0.5, 0.5]], [1.0]) == [[1, 0]]


def test_a_score_of_zero_is_never_active():
    assert decided(TopCount(), [[0.0, 0.1]], [2.0]) == [[0, 1]]


def test_filling_makes_use_of_speakers_without_a_score():
    assert decided(TopCount(fill=True), [[0.0, 0.1, 0.0]], [2.0]) == [[1, 1, 0]]
    assert decided(TopCount(fill=True), [[0.0, 0.1, 0.0]], [1.0]) == [[0, 1, 0]]
    assert decided(TopCount(fill=True), [[0.0, 0.1, 0.0]], [2.0], at_most=1) == [[0, 1, 0]]


@pytest.mark.parametrize(("at_most", "expected"), [(1, [[0, 1, 0]]), (2, [[0, 1, 1]]), (None, [[1, 1, 1]])])
def test_at_most_so_many_at_once(at_most, expected):
    assert decided(TopCount(), [[0.2, 0.9, 0.4]], [3], at_most) == expected


scores = hnp.arrays(
    np.float32, st.tuples(st.integers(0, 12), st.integers(0, 5)), elements=st.floats(0, 1, width=32)
)


@settings(deadline=None)
@given(scores, st.data())
def test_never_more_than_counted_nor_allowed(values, data):
    count = data.draw(hnp.arrays(np.float32, len(values), elements=st.floats(0, 4, width=32)))
    at_most = data.draw(st.none() | st.integers(1, 4))
    mask = TopCount()(stitched(values, count), at_most)
    assert mask.shape == values.shape
    assert mask.dtype == bool
    allowed = np.minimum(np.rint(count), at_most or 99)
    sounding = (values > 0).sum(axis=1)
    np.testing.assert_array_equal(mask.sum(axis=1), np.minimum(allowed, sounding))
    for row, active in zip(values, mask, strict=True):
        assert not active.any() or active.all() or row[active].min() >= row[~active].max()


# ── hysteresis ───────────────────────────────────────────────────────────────────────────────────────────


def test_hysteresis_by_hand():
    binarize = Hysteresis(onset=0.6, offset=0.3)
    column = [0.5, 0.6, 0.4, 0.3, 0.29, 0.5, 0.7, 0.1]
    assert decided(binarize, [[score] for score in column]) == [[0], [1], [1], [1], [0], [0], [1], [0]]


def test_speakers_do_not_touch_each_other():
    binarize = Hysteresis(onset=0.6, offset=0.3)
    assert decided(binarize, [[0.7, 0.4], [0.4, 0.7], [0.2, 0.4]]) == [[1, 0], [1, 1], [0, 1]]


def test_of_active_speakers_the_strongest_stay():
    binarize = Hysteresis(onset=0.6, offset=0.3)
    # In the second frame the first speaker is still active, and weaker.
    assert decided(binarize, [[0.7, 0.1], [0.4, 0.9]], at_most=1) == [[1, 0], [0, 1]]
    # A strong score that never reached the onset is not speech, so it takes nobody's place.
    assert decided(Hysteresis(onset=0.9, offset=0.3), [[0.95, 0.1], [0.4, 0.8]], at_most=1) == [
        [1, 0],
        [1, 0],
    ]


def by_the_rule(column: np.ndarray, onset: float, offset: float) -> list[bool]:
    active, states = False, []
    for score in column:
        active = score >= onset or (active and score >= offset)
        states.append(bool(active))
    return states


@settings(deadline=None)
@given(scores, st.sampled_from([(0.5, 0.375), (0.5, 0.5), (1.0, 0.25), (0.75, 0.125)]))
def test_hysteresis_is_the_state_machine(values, thresholds):
    onset, offset = thresholds
    mask = Hysteresis(onset=onset, offset=offset)(stitched(values))
    assert mask.shape == values.shape
    for column, states in zip(values.T, mask.T, strict=True):
        assert states.tolist() == by_the_rule(column, onset, offset)


@settings(deadline=None)
@given(scores, st.integers(1, 3))
def test_a_limit_takes_away_and_never_adds(values, at_most):
    free, limited = Hysteresis()(stitched(values)), Hysteresis()(stitched(values), at_most)
    assert not (limited & ~free).any()
    np.testing.assert_array_equal(limited.sum(axis=1), np.minimum(free.sum(axis=1), at_most))


# ── turns ────────────────────────────────────────────────────────────────────────────────────────────────

MASK = np.array([1, 1, 0, 1, 1, 0, 0, 0, 1, 0], dtype=bool)


@pytest.mark.parametrize("kind", [TopCount, Hysteresis])
@pytest.mark.parametrize(
    ("on", "off", "expected"),
    [
        (0.0, 0.0, [(0, 0.2), (0.3, 0.5), (0.8, 0.9)]),
        (0.0, 0.15, [(0, 0.5), (0.8, 0.9)]),
        (0.15, 0.0, [(0, 0.2), (0.3, 0.5)]),
        (0.45, 0.15, [(0, 0.5)]),  # pauses are filled before short turns are dropped
        (0.0, 0.35, [(0, 0.9)]),
        (1.0, 0.0, []),
    ],
)
def test_durations(kind, on, off, expected):
    timeline = kind(min_duration_on=on, min_duration_off=off).timeline(MASK, TENTH)
    np.testing.assert_allclose(timeline.bounds, np.array(expected).reshape(-1, 2))


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=40), st.floats(0, 1), st.floats(0, 1))
def test_no_turn_and_no_pause_is_too_short(mask, on, off):
    binarize = TopCount(min_duration_on=on, min_duration_off=off)
    timeline = binarize.timeline(np.array(mask, dtype=bool), TENTH)
    assert all(turn.duration >= on for turn in timeline)
    everything = TopCount(min_duration_off=off).timeline(np.array(mask, dtype=bool), TENTH)
    assert all(gap.duration >= off - 1e-9 for gap in everything.gaps())
    assert timeline - everything == Timeline()


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", BINARIZERS.values())
@pytest.mark.parametrize("wrong", ["min_duration_on", "min_duration_off"])
def test_negative_durations(kind, wrong):
    with pytest.raises(ValueError, match="seconds from zero"):
        kind(**{wrong: -0.1})


@pytest.mark.parametrize(("onset", "offset"), [(0.4, 0.5), (1.1, 0.5), (0.5, 0.0), (0.5, -1.0)])
def test_impossible_thresholds(onset, offset):
    with pytest.raises(ValueError, match="0 < offset ≤ onset ≤ 1"):
        Hysteresis(onset=onset, offset=offset)


@pytest.mark.parametrize("kind", BINARIZERS.values())
def test_a_recording_without_frames(kind):
    empty = Stitched(Frames(np.zeros((0, 2), np.float32), TENTH), np.zeros(0, np.float32))
    assert kind()(empty).shape == (0, 2)
    assert kind()(empty, 1).shape == (0, 2)
    assert kind().timeline(np.zeros(0, dtype=bool), TENTH) == Timeline()


def test_padding_widens_turns_before_short_ones_are_dropped():
    mask = np.array([0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1], bool)
    padded = Hysteresis(pad_onset=0.1, pad_offset=0.2).timeline(mask, TENTH)
    np.testing.assert_allclose(padded.bounds, [[0.2, 0.6], [0.8, 1.3]], atol=1e-9)
    joined = Hysteresis(pad_onset=0.3, pad_offset=0.3, min_duration_on=0.5).timeline(mask, TENTH)
    np.testing.assert_allclose(joined.bounds, [[0.0, 1.4]], atol=1e-9)
    with pytest.raises(ValueError, match="pad"):
        Hysteresis(pad_onset=-0.1)
