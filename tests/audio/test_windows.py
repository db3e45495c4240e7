import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.audio.windows import Windows, slide

RATE = 100


def numbered(length: int) -> np.ndarray:
    """Sound in which every sample is told from every other, and none is zero."""
    return np.arange(1, length + 1, dtype=np.float32)


def naive(sound: np.ndarray, size: int, hop: int) -> np.ndarray:
    """Windows one by one, until one reaches the end; (windows, size)."""
    rows = []
    for begin in itertools.count(0, hop):
        row = np.zeros(size, np.float32)
        piece = sound[begin : begin + size]
        row[: len(piece)] = piece
        rows.append(row)
        if begin + size >= len(sound):
            return np.array(rows)
    raise AssertionError


def in_blocks(sound: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    """The sound cut into blocks of these sizes, again and again."""
    blocks, begin = [], 0
    for size in itertools.cycle(sizes):
        if begin >= len(sound):
            return blocks
        blocks.append(sound[begin : begin + size])
        begin += size
    raise AssertionError


@st.composite
def cuts(draw: st.DrawFn) -> dict[str, int]:
    size = draw(st.integers(1, 40))
    return {
        "size": size,
        "hop": draw(st.integers(1, size)),
        "batch": draw(st.integers(1, 7)),
        "margin": draw(st.integers(0, 50)),
    }


@settings(deadline=None, max_examples=400)
@given(st.integers(0, 250), cuts(), st.lists(st.integers(1, 90), min_size=1, max_size=4))
def test_it_is_what_a_plain_loop_gives(length, cut, sizes):
    sound = numbered(length)
    batches = list(slide(in_blocks(sound, sizes), RATE, **cut))
    expected = naive(sound, cut["size"], cut["hop"])
    np.testing.assert_array_equal(np.concatenate([batch.stack() for batch in batches]), expected)
    counts = [len(batch) for batch in batches]
    assert all(count == cut["batch"] for count in counts[:-1])
    assert [batch.index for batch in batches] == [0, *itertools.accumulate(counts)][:-1]
    assert batches[-1].end == length / RATE  # every sample is in a window, and no time is added


@settings(deadline=None, max_examples=400)
@given(st.integers(0, 250), cuts(), st.lists(st.integers(1, 90), min_size=1, max_size=4))
def test_margins_are_recording_where_there_is_any(length, cut, sizes):
    sound = numbered(length)
    for batch in slide(in_blocks(sound, sizes), RATE, **cut):
        begin = batch.index * cut["hop"]
        end = begin + (batch.count - 1) * cut["hop"] + cut["size"]
        assert batch.start == begin / RATE
        assert batch.end == min(end, length) / RATE
        assert batch.lead == min(begin, cut["margin"])
        heard = sound[begin - batch.lead : end + cut["margin"]]
        assert batch.sound == len(heard)
        np.testing.assert_array_equal(batch.samples[: batch.sound], heard)
        assert not batch.samples[batch.sound :].any()
        assert len(batch.samples) == max(len(heard), batch.lead + end - begin)


def test_by_hand():
    first, second = slide([numbered(9)], 10, size=4, hop=2, batch=2, margin=1)
    assert first.stack().tolist() == [[1, 2, 3, 4], [3, 4, 5, 6]]
    assert (first.start, first.end, first.lead) == (0.0, 0.6, 0)
    assert first.samples.tolist() == [1, 2, 3, 4, 5, 6, 7]  # one more than the windows: the margin
    assert second.stack().tolist() == [[5, 6, 7, 8], [7, 8, 9, 0]]
    assert (second.start, second.end, second.lead) == (0.4, 0.9, 1)
    assert second.samples.tolist() == [4, 5, 6, 7, 8, 9, 0]
    assert second.sound == 6


@pytest.mark.parametrize(("length", "count"), [(0, 1), (1, 1), (8, 1), (9, 2), (10, 2), (11, 3)])
def test_the_last_window_is_the_first_that_reaches_the_end(length, count):
    assert sum(len(batch) for batch in slide([numbered(length)], RATE, size=8, hop=2, batch=2)) == count


def test_windows_are_a_view():
    (batch,) = slide([numbered(100)], RATE, size=20, hop=5, batch=100)
    assert np.shares_memory(batch.stack(), batch.samples)


def test_reading_is_as_lazy_as_the_batch_allows():
    read = []

    def blocks():
        for number in range(100):
            read.append(number)
            yield numbered(10)

    next(slide(blocks(), RATE, size=20, hop=10, batch=3, margin=10))
    assert len(read) == 5  # three windows are 40 samples, and a margin


def test_what_has_been_seen_is_let_go():
    held = [
        len(batch.samples)
        for batch in slide((numbered(10) for _ in range(1000)), RATE, size=20, hop=10, batch=3, margin=10)
    ]
    assert max(held) == 20 + 2 * 10 + 2 * 10


@pytest.mark.parametrize(
    "wrong", [{"hop": 0}, {"hop": 11}, {"batch": 0}, {"margin": -1}, {"size": 0, "hop": 0}]
)
def test_impossible_windows(wrong):
    with pytest.raises(ValueError, match="windows need 0 < hop ≤ size"):
        next(slide([numbered(5)], RATE, **{"size": 10, "hop": 5, "batch": 1, **wrong}))


def test_windows_do_not_compare_by_value():
    (batch,) = slide([numbered(5)], RATE, size=5, hop=5, batch=1)
    assert batch == batch
    assert isinstance(batch, Windows)
