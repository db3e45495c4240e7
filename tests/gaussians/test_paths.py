"""Viterbi against all paths there are."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.gaussians import runs, viterbi


def value(path, scores: np.ndarray, switch: float) -> float:
    return float(scores[np.arange(len(path)), path].sum() + switch * (len(runs(path)) - 1))


def lasts(path, minimum: np.ndarray) -> bool:
    return all(last - first >= min(minimum[state], len(path)) for first, last, state in runs(path).tolist())


def best(scores: np.ndarray, minimum: np.ndarray, switch: float) -> float:
    frames, states = scores.shape
    paths = (path for path in itertools.product(range(states), repeat=frames) if lasts(path, minimum))
    return max(value(list(path), scores, switch) for path in paths)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_against_enumeration(data):
    frames, states = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 3))
    seed, switch = data.draw(st.integers(0, 10_000)), -data.draw(st.floats(0, 2))
    minimum = np.array(data.draw(st.lists(st.integers(1, 4), min_size=states, max_size=states)))
    scores = np.random.default_rng(seed).normal(size=(frames, states))
    path = viterbi(scores, minimum, switch)
    assert lasts(path, minimum)
    assert value(path, scores, switch) == pytest.approx(best(scores, minimum, switch))


def test_a_short_stay_is_not_worth_it():
    scores = np.zeros((9, 2))
    scores[:, 0] = 1
    scores[4, :] = [0, 1.5]
    assert viterbi(scores).tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert viterbi(scores, 3).tolist() == [0] * 9
    assert viterbi(scores, 1, -1.0).tolist() == [0] * 9


def test_long_recordings_are_quick():
    import time

    scores = np.random.default_rng(0).normal(size=(60_000, 8))
    begin = time.process_time()
    path = viterbi(scores, 100, -20.0)
    assert time.process_time() - begin < 2.0
    assert lasts(path, np.full(8, 100))


def test_edges():
    assert viterbi(np.zeros((0, 2))).shape == (0,)
    assert viterbi(np.array([[0.0, 1.0]]), 50).tolist() == [1]
    assert runs([]).shape == (0, 3)
    assert runs([2, 2, 0]).tolist() == [[0, 2, 2], [2, 3, 0]]


@pytest.mark.parametrize(
    ("scores", "minimum", "switch", "said"),
    [
        (np.zeros((3, 0)), 1, 0.0, "finite scores"),
        (np.zeros(3), 1, 0.0, "finite scores"),
        (np.full((3, 2), np.nan), 1, 0.0, "finite scores"),
        (np.full((3, 2), -np.inf), 1, 0.0, "finite scores"),
        (np.zeros((3, 2)), 0, 0.0, "1 frame or more"),
        (np.zeros((3, 2)), 1, 0.5, "changes cost"),
        (np.zeros((3, 2)), 1, np.nan, "changes cost"),
    ],
)
def test_impossible_lattices(scores, minimum, switch, said):
    with pytest.raises(ValueError, match=said):
        viterbi(scores, minimum, switch)
