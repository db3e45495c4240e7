import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tertulia.frames import Grid
from tertulia.segmentation import Activity
from tertulia.stitch import stitch

SECOND = Grid(1.0)


def seen(scores, hop: float, grid: Grid = SECOND) -> Activity:
    """Activity of (windows, frames, local speakers); everybody above a half counts."""
    values = np.array(scores, dtype=np.float32)
    active = values > 0.5
    return Activity(values, active, values, active.sum(axis=2).astype(np.float32), grid, hop)


def labelled(labels) -> np.ndarray:
    """Labels of (windows, local speakers), the same in all of a single piece."""
    return np.array(labels, dtype=np.intp)[:, :, None]


def test_windows_that_see_a_frame_are_averaged():
    # Two windows of four frames, two apart: frames 2 and 3 are seen twice.
    activity = seen([[[1], [1], [1], [0]], [[0], [0], [1], [1]]], hop=2.0)
    result = stitch(activity, labelled([[0], [0]]), 6.0)
    assert result.frames.scores.T.tolist() == [[1, 1, 0.5, 0, 1, 1]]
    assert result.count.tolist() == [1, 1, 0.5, 0, 1, 1]
    assert result.frames.grid == SECOND


def test_a_window_in_which_a_speaker_is_unknown_counts_as_silence_of_that_speaker():
    activity = seen([[[1], [1], [1], [1]], [[1], [1], [1], [1]]], hop=2.0)
    result = stitch(activity, labelled([[0], [1]]), 6.0)
    assert result.frames.scores.T.tolist() == [[1, 1, 0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5, 1, 1]]
    assert result.count.tolist() == [1] * 6


def test_labels_name_local_speakers():
    activity = seen([[[0.9, 0.1, 0.2]] * 2, [[0.3, 0.4, 0.8]] * 2], hop=2.0)
    result = stitch(activity, labelled([[2, 0, 1], [0, 1, 2]]), 4.0)
    np.testing.assert_allclose(
        result.frames.scores, [[0.1, 0.2, 0.9], [0.1, 0.2, 0.9], [0.3, 0.4, 0.8], [0.3, 0.4, 0.8]]
    )


def test_without_a_label_activity_is_nobody_s_but_still_counted():
    activity = seen([[[1, 1], [0, 1]]], hop=2.0)
    result = stitch(activity, labelled([[0, -1]]), 2.0)
    assert result.frames.scores.tolist() == [[1], [0]]
    assert result.count.tolist() == [2, 1]


def test_nobody_has_a_label():
    result = stitch(seen([[[0, 0]] * 3], hop=3.0), labelled([[-1, -1]]), 3.0)
    assert result.frames.scores.shape == (3, 0)
    assert result.count.tolist() == [0, 0, 0]


def test_of_two_local_speakers_with_one_label_the_stronger_counts():
    result = stitch(seen([[[0.2, 0.7], [0.6, 0.1]]], hop=2.0), labelled([[0, 0]]), 2.0)
    np.testing.assert_allclose(result.frames.scores.T, [[0.7, 0.6]])


def test_labels_change_from_piece_to_piece():
    result = stitch(seen([[[1]] * 4], hop=4.0), np.array([[[0, 1]]]), 4.0)
    assert result.frames.scores.T.tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]


def test_pieces_that_do_not_divide_the_frames():
    result = stitch(seen([[[1]] * 5], hop=5.0), np.array([[[0, 1, 2]]]), 5.0)
    assert result.frames.scores.argmax(axis=1).tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(("duration", "frames"), [(0.0, 0), (0.4, 0), (0.6, 1), (3.4, 3), (6.0, 6), (9.0, 6)])
def test_frames_beyond_the_recording_are_left_out(duration, frames):
    activity = seen([[[1]] * 4, [[1]] * 4], hop=2.0)
    result = stitch(activity, labelled([[0], [0]]), duration)
    assert result.frames.scores.shape == (frames, 1)
    assert result.count.shape == (frames,)


def test_a_grid_that_begins_late_keeps_its_start():
    # Frames are [0.5, 1.5), [1.5, 2.5) …; of a recording of 2.4 s, two are kept.
    result = stitch(seen([[[1]] * 4], hop=4.0, grid=Grid(1.0, 0.5)), labelled([[0]]), 2.4)
    assert result.frames.grid == Grid(1.0, 0.5)
    assert len(result.frames) == 2


def test_a_hop_between_frames_goes_to_the_nearest():
    # Second and third window begin at 1.6 and 3.2 s: frames 2 and 3; errors do not add up.
    activity = seen([[[1], [0]], [[1], [0]], [[1], [0]]], hop=1.6)
    result = stitch(activity, labelled([[0], [1], [2]]), 5.2)
    assert result.frames.scores.T.tolist() == [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0.5, 0]]


def test_what_no_window_sees_is_silence():
    result = stitch(seen([[[1]] * 2, [[1]] * 2], hop=4.0), labelled([[0], [0]]), 6.0)
    assert result.frames.scores.T.tolist() == [[1, 1, 0, 0, 1, 1]]
    assert result.count.tolist() == [1, 1, 0, 0, 1, 1]


probabilities = st.floats(0, 1, width=32)


@settings(deadline=None)
@given(
    hnp.arrays(
        np.float32, st.tuples(st.just(1), st.integers(1, 20), st.integers(1, 4)), elements=probabilities
    )
)
def test_one_window_is_its_own_scores(scores):
    activity = seen(scores, hop=1.0)
    result = stitch(activity, labelled([range(scores.shape[2])]), scores.shape[1])
    np.testing.assert_array_equal(result.frames.scores, scores[0])
    np.testing.assert_array_equal(result.count, activity.count[0])


@settings(deadline=None)
@given(st.data())
def test_windows_that_agree_give_what_they_agree_on(data):
    frames, hop, count = (data.draw(st.integers(1, 8)) for _ in range(3))
    hop = min(hop, frames)
    whole = data.draw(hnp.arrays(np.float32, ((count - 1) * hop + frames, 3), elements=probabilities))
    cut = np.array([whole[i * hop : i * hop + frames] for i in range(count)])
    # Every window has its own order of local speakers; the labels undo it.
    orders = np.array([data.draw(st.permutations(range(3))) for _ in range(count)])
    shuffled = np.take_along_axis(cut, orders[:, None, :], axis=2)
    result = stitch(seen(shuffled, hop=float(hop)), labelled(orders), float(len(whole)))
    np.testing.assert_allclose(result.frames.scores, whole, rtol=1e-5, atol=1e-7)
