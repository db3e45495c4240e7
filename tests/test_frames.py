import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.frames import Frames, Grid
from tertulia.timeline import Segment, Timeline

quick = settings(deadline=None, max_examples=100)

# Steps that models have: 10 ms, 270 samples and 256 samples at 16 kHz, 20 ms, 0.1 s, thirds.
steps = st.sampled_from([0.01, 270 / 16_000, 256 / 16_000, 0.02, 0.1, 1 / 3, 1.0])
starts = st.sampled_from([0.0, 0.5, 0.0253, 12.3456, 3 * 3600.0])
grids = st.builds(Grid, steps, starts)
indices = st.integers(0, 200_000)
masks = st.lists(st.booleans(), max_size=60).map(lambda m: np.array(m, dtype=bool))


@pytest.mark.parametrize("step", [0, -0.1, math.nan, math.inf])
def test_a_step_is_a_length(step):
    with pytest.raises(ValueError, match="a grid needs a finite step > 0 and a finite start; got"):
        Grid(step)


@pytest.mark.parametrize("start", [math.nan, -math.inf])
def test_a_start_is_a_time(start):
    with pytest.raises(ValueError, match="finite start"):
        Grid(0.1, start)


def test_cells_by_hand():
    grid = Grid(0.5, start=1.0)
    assert [grid.edge(i) for i in (0, 1, 4)] == [1.0, 1.5, 3.0]
    assert grid.edges(2).tolist() == [1.0, 1.5, 2.0]
    assert grid.middles(2).tolist() == [1.25, 1.75]
    assert [grid.index(t) for t in (0.9, 1.0, 1.49, 1.5, 3.2)] == [-1, 0, 0, 1, 4]
    assert [grid.nearest_edge(t) for t in (1.0, 1.24, 1.25, 1.6, 3.2)] == [0, 0, 1, 1, 4]
    assert [grid.count(s) for s in (0, 0.2, 0.25, 1.0, 10.0)] == [0, 0, 1, 2, 20]
    assert grid.edges(0).tolist() == [1.0]
    assert grid.middles(0).tolist() == []


def test_cells_are_centred_on_receptive_fields():
    # A network with a field of 991 samples every 270, at 16 kHz.
    grid = Grid.of_receptive_field(step=270 / 16_000, width=991 / 16_000)
    assert grid.edge(0) == pytest.approx((991 - 270) / 2 / 16_000)
    assert grid.middles(3) == pytest.approx([(991 / 2 + 270 * i) / 16_000 for i in range(3)])
    later = Grid.of_receptive_field(step=0.02, width=0.025, start=10.0)
    assert later.middles(1)[0] == pytest.approx(10.0125)


def test_times_a_hair_under_an_edge_belong_to_the_edge():
    assert 0.7 / 0.1 < 7
    assert Grid(0.1).index(0.7) == 7
    assert Grid(0.1).count(0.25) == 3
    assert Grid(0.1).index(0.6999) == 6


@quick
@given(grids, indices)
def test_edges_and_middles_find_their_cell(grid, index):
    assert grid.index(grid.edge(index)) == index
    assert grid.nearest_edge(grid.edge(index)) == index
    assert grid.index(grid.start + (index + 0.5) * grid.step) == index
    assert grid.index(grid.start + (index + 0.999) * grid.step) == index
    assert grid.count(index * grid.step) == index


@quick
@given(grids, st.floats(0, 20_000))
def test_a_time_lies_in_its_cell(grid, time):
    index = grid.index(time)
    slack = 1e-5 * grid.step
    assert grid.edge(index) - slack <= time < grid.edge(index + 1) + slack
    assert abs(grid.edge(grid.nearest_edge(time)) - time) <= grid.step / 2 + slack


@quick
@given(grids, st.integers(0, 50))
def test_arrays_say_what_single_cells_say(grid, count):
    assert grid.edges(count).tolist() == [grid.edge(i) for i in range(count + 1)]
    np.testing.assert_allclose(grid.middles(count), (grid.edges(count)[:-1] + grid.edges(count)[1:]) / 2)


def test_mask_and_timeline_by_hand():
    grid = Grid(0.5)
    mask = grid.mask(Timeline([(0.2, 1.0), (1.3, 1.7), (1.8, 2.3)]), 5)
    # Middles: 0.25, 0.75, 1.25, 1.75, 2.25
    assert mask.tolist() == [True, True, False, False, True]
    assert grid.timeline(mask) == Timeline([(0, 1), (2, 2.5)])
    assert grid.timeline([]) == Timeline()
    assert grid.timeline([True]) == Timeline([(0, 0.5)])


def test_timeline_begins_at_zero():
    # Cells: -0.6 to -0.1, -0.1 to 0.4, 0.4 to 0.9
    assert Grid(0.5, -0.6).timeline([1, 1, 0]) == Timeline([(0, 0.4)])
    assert Grid(0.5, -0.6).timeline([1, 0, 0]) == Timeline()


def test_a_mask_has_one_dimension():
    with pytest.raises(ValueError, match=r"a mask needs shape \(cells,\); got \(2, 3\)"):
        Grid(0.1).timeline(np.zeros((2, 3)))


@quick
@given(grids, masks)
def test_a_mask_survives_being_a_timeline(grid, mask):
    timeline = grid.timeline(mask)
    assert grid.mask(timeline, len(mask)).tolist() == mask.tolist()
    assert timeline.duration == pytest.approx(mask.sum() * grid.step)


@quick
@given(grids, st.lists(st.tuples(st.floats(0, 50), st.floats(0.01, 9)), max_size=6))
def test_a_timeline_survives_being_a_mask_to_half_a_cell(grid, pairs):
    timeline = Timeline((grid.start + s, grid.start + s + d) for s, d in pairs)
    count = grid.index(timeline.extent.end) + 2 if timeline.extent else 0
    again = grid.timeline(grid.mask(timeline, count))
    wrong = (timeline - again) | (again - timeline)
    edges = 2 * len(timeline)
    assert wrong.duration <= edges * grid.step / 2 + 1e-6


def test_frames():
    frames = Frames(np.arange(12, dtype=np.float32).reshape(6, 2), Grid(0.5, 1.0))
    assert len(frames) == 6
    assert frames.extent == Segment(1.0, 4.0)
    part = frames.crop(Segment(2.0, 3.0))
    assert part.scores.tolist() == [[4, 5], [6, 7]]
    assert part.grid == Grid(0.5, 2.0)
    assert part.extent == Segment(2.0, 3.0)
    with pytest.raises(AttributeError):
        frames.grid = Grid(1)


def test_frames_begin_at_zero():
    assert Frames(np.zeros((6, 1), np.float32), Grid(0.5, -0.6)).extent == Segment(0.0, 2.4)


@pytest.mark.parametrize("within", [Segment(0.0, 0.5), Segment(5.0, 9.0)])
def test_frames_cropped_to_where_there_are_none(within):
    frames = Frames(np.zeros((6, 2), np.float32), Grid(0.5, 1.0))
    assert frames.crop(within).scores.shape == (0, 2)


@quick
@given(grids, st.integers(1, 40), st.data())
def test_cropping_on_edges_slices(grid, count, data):
    frames = Frames(np.arange(count, dtype=np.float32)[:, None], grid)
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first + 1, count))
    part = frames.crop(Segment(grid.edge(first), grid.edge(last)))
    assert part.scores[:, 0].tolist() == list(range(first, last))
    assert part.grid.edge(0) == grid.edge(first)


def test_scores_are_a_matrix():
    with pytest.raises(ValueError, match=r"scores of shape \(frames, columns\); got \(5,\)"):
        Frames(np.zeros(5, np.float32), Grid(0.1))


def test_cells_within_two_times():
    grid = Grid(0.5)
    assert grid.within(1.0, 2.1, 10) == slice(2, 4)
    assert grid.within(1.1, 1.2, 10) == slice(2, 2)
    assert grid.within(1.1, 1.2, 10, least=2) == slice(0, 2)
    assert grid.within(4.9, 9.0, 10, least=3) == slice(7, 10)
    assert grid.within(0.0, 9.0, 1, least=3) == slice(0, 1)
    assert grid.within(7.0, 9.0, 10) == slice(10, 10)
