import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tertulia.binarize import Hysteresis, TopCount
from tertulia.counting import insist, reconcile
from tertulia.errors import UsageError
from tertulia.frames import Frames, Grid
from tertulia.speakers import ANY, Speakers
from tertulia.stitch import Stitched

TENTH = Grid(0.1)


def stitched(*speakers, count=None) -> Stitched:
    """Scores of one speaker after the other, (frames,) each."""
    scores = np.array(speakers, dtype=np.float32).T
    many = np.minimum(scores.sum(axis=1), 1) if count is None else np.array(count, dtype=np.float32)
    return Stitched(Frames(scores, TENTH), many)


def heard(result: Stitched, binarize=TopCount()) -> int:  # noqa: B008 — frozen
    return sum(len(binarize.timeline(mask, TENTH)) > 0 for mask in binarize(result).T)


LOUD = [0.9] * 20
FAINT = [0.1] * 10 + [0.4] * 6 + [0.1] * 4


def test_nothing_is_changed_when_the_number_is_open():
    before = stitched(LOUD, FAINT)
    for speakers in (ANY, Speakers(maximum=5)):
        after = insist(before, TopCount(), speakers)
        np.testing.assert_array_equal(after.frames.scores, before.frames.scores)
        np.testing.assert_array_equal(after.count, before.count)
    assert heard(before) == 1


def test_nothing_is_changed_when_everybody_is_heard_already():
    before = stitched(LOUD, [0] * 15 + [1] * 5)
    after = insist(before, TopCount(), Speakers(2))
    np.testing.assert_array_equal(after.frames.scores, before.frames.scores)


@pytest.mark.parametrize("speakers", [Speakers(2), Speakers(minimum=2), Speakers(minimum=2, maximum=3)])
def test_who_is_outvoted_everywhere_gets_the_best_stretch(speakers):
    before = stitched(LOUD, FAINT)
    after = insist(before, TopCount(), speakers)
    # Half a second, five frames, of the six in which the faint one is strongest.
    mask = TopCount()(after)
    assert np.flatnonzero(mask[:, 1]).tolist() == [10, 11, 12, 13, 14]
    assert np.flatnonzero(mask[:, 0]).tolist() == [*range(10), *range(15, 20)]
    assert before.frames.scores[12].tolist() == pytest.approx([0.9, 0.4]), "the argument is left alone"


def test_any_binarizer_will_do():
    assert heard(insist(stitched(LOUD, FAINT), Hysteresis(), Speakers(2)), Hysteresis()) == 2


def test_the_strongest_of_the_silent_comes_first():
    after = insist(stitched(LOUD, [0.1] * 20, FAINT), TopCount(), Speakers(minimum=2))
    assert TopCount()(after).any(axis=0).tolist() == [True, False, True]


def test_everybody_gets_a_stretch():
    peaks = [np.where(np.arange(60) // 10 == k, 0.3, 0.01) for k in range(6)]
    after = insist(stitched([0.9] * 60, *peaks), TopCount(), Speakers(7))
    assert heard(after) == 7


def test_a_stretch_counts_as_speech():
    after = insist(stitched([0.2] * 20, count=[0.0] * 20), TopCount(), Speakers(1))
    assert TopCount()(after).sum() == 5


def test_a_recording_shorter_than_the_stretch():
    after = insist(stitched([0.9] * 3, [0.1] * 3), TopCount(), Speakers(minimum=1))
    assert heard(after) == 1
    with pytest.raises(UsageError, match="exactly 2 speakers were asked for, but only 1 can be told apart"):
        insist(stitched([0.9] * 3, [0.1] * 3), TopCount(), Speakers(2))


def test_more_than_the_clusterer_found_is_refused():
    with pytest.raises(UsageError, match="at least 3 speakers were asked for, but only 1 can be told apart"):
        insist(stitched(LOUD, count=[1] * 20), TopCount(), Speakers(minimum=3))


def test_nobody_is_given_silence():
    """A speaker without any score at all is not invented."""
    with pytest.raises(UsageError, match="only 1 can be told apart"):
        insist(stitched(LOUD, [0.0] * 20), TopCount(), Speakers(2))


@pytest.mark.parametrize("shape", [(0, 2), (0, 0), (5, 0)])
def test_a_recording_without_frames_or_speakers(shape):
    empty = Stitched(Frames(np.zeros(shape, np.float32), TENTH), np.zeros(shape[0], np.float32))
    assert insist(empty, TopCount(), ANY).frames.scores.shape == shape
    with pytest.raises(UsageError, match="only 0 can be told apart"):
        insist(empty, TopCount(), Speakers(1))


def test_a_stretch_that_would_be_dropped_as_too_short_does_not_count():
    binarize = TopCount(min_duration_on=0.8)
    with pytest.raises(UsageError, match="only 1 can be told apart"):
        insist(stitched(LOUD, FAINT), binarize, Speakers(2))
    assert heard(insist(stitched(LOUD, FAINT), TopCount(min_duration_on=0.4), Speakers(2))) == 2


@settings(deadline=None)
@given(
    hnp.arrays(
        np.float32, st.tuples(st.integers(1, 30), st.integers(1, 5)), elements=st.floats(0, 1, width=32)
    ),
    st.integers(1, 5),
    st.sampled_from([TopCount(), Hysteresis(), TopCount(min_duration_on=0.3)]),
)
def test_the_promise_is_kept_or_refused(scores, wanted, binarize):
    before = Stitched(Frames(scores, TENTH), np.clip(scores.sum(axis=1), 0, 2))
    try:
        after = insist(before, binarize, Speakers(minimum=wanted))
    except UsageError:
        return
    assert heard(after, binarize) >= wanted


# ── reconcile ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("speakers", [Speakers(1), Speakers(maximum=1)])
def test_no_more_at_once_than_there_are(speakers):
    before = stitched(LOUD, count=[2.0] * 20)
    after = reconcile(before, speakers)
    assert after.count.tolist() == [1.0] * 20
    np.testing.assert_array_equal(after.frames.scores, before.frames.scores)


@pytest.mark.parametrize(("count", "columns"), [(0.4, 1), (1.0, 1), (1.4, 1), (1.6, 2), (3.0, 3)])
def test_whoever_is_counted_but_not_found_is_added_without_a_score(count, columns):
    after = reconcile(stitched(LOUD, count=[1.0] * 19 + [count]), ANY)
    assert after.frames.scores.shape == (20, columns)
    assert not after.frames.scores[:, 1:].any()
    assert after.count.max() == pytest.approx(max(count, 1.0))
    assert heard(after, TopCount()) == 1
    assert heard(after, TopCount(fill=True)) == columns


def test_reconcile_without_frames():
    empty = Stitched(Frames(np.zeros((0, 0), np.float32), TENTH), np.zeros(0, np.float32))
    assert reconcile(empty, ANY).frames.scores.shape == (0, 0)
