from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tertulia.detection import Boundaries
from tertulia.detection.boundaries import means
from tertulia.frames import Frames, Grid
from tertulia.timeline import Timeline

PLAIN = {"min_duration_on": 0.0, "min_duration_off": 0.0, "certain": 0.0}


def frames(scores, step=0.1):
    return Frames(np.asarray(scores, np.float32)[:, None], Grid(step))


def assert_bounds(timeline, bounds):
    assert timeline.bounds == pytest.approx(np.array(bounds, float))


QUIET = frames(np.zeros(100), 0.01)


def test_speech_begins_above_onset_and_lasts_until_offset():
    scores = frames([0.1, 0.4, 0.6, 0.4, 0.4, 0.2, 0.4, 0.9])
    assert_bounds(Boundaries(0.5, 0.3, **PLAIN)(scores, QUIET), [(0.2, 0.5), (0.7, 0.8)])


def test_short_pauses_are_filled_before_short_speech_is_dropped():
    scores = frames([1, 0, 1, 0, 0, 0, 1, 0])
    rules = PLAIN | {"min_duration_on": 0.25, "min_duration_off": 0.25}
    assert_bounds(Boundaries(**rules)(scores, QUIET), [(0.0, 0.3)])


def test_speech_that_is_doubtful_as_a_whole_is_dropped():
    scores = frames([0.6, 0.4, 0.4, 0.4, 0.0, 0.9, 0.9])
    doubting = Boundaries(0.5, 0.3, min_duration_on=0, min_duration_off=0, certain=0.5)
    assert_bounds(doubting(scores, QUIET), [(0.5, 0.7)])


def test_energy_cuts_speech_down_to_where_it_is_loud():
    level = np.full(100, -70.0)
    level[15:95] = -20
    found = Boundaries(**PLAIN, energy=True)(frames(np.ones(10)), frames(level, 0.01))
    assert_bounds(found, [(0.15, 0.95)])


def test_energy_leaves_even_speech_alone():
    found = Boundaries(**PLAIN, energy=True)(frames(np.ones(10)), frames(np.full(100, -20.0), 0.01))
    assert found == Timeline([(0.0, 1.0)])


def test_nothing_is_found_in_nothing():
    assert len(Boundaries(energy=True)(frames([]), frames([]))) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"onset": 0.2, "offset": 0.3}, "offset ≤ onset"),
        ({"onset": 1.2}, "offset ≤ onset"),
        ({"certain": 1.5}, "certain is a probability"),
        ({"min_duration_on": -1.0}, "seconds from zero"),
    ],
)
def test_impossible_rules_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Boundaries(**wrong)


def test_means_by_hand():
    timeline = Timeline([(0.0, 0.2), (0.3, 0.4)])
    assert means(frames([0.2, 0.4, 0.0, 0.8]), timeline).tolist() == pytest.approx([0.3, 0.8])


@settings(deadline=None, max_examples=60)
@given(arrays.arrays(np.float32, st.integers(1, 80), elements=st.floats(0, 1, width=32)), st.booleans())
def test_rules_hold_for_any_scores(scores, energy):
    rules = Boundaries(0.6, 0.4, 0.2, 0.3, 0.3, energy)
    level = frames(np.resize(scores, 10 * len(scores)) * 60 - 60, 0.01)
    found = rules(frames(scores), level)
    bounds = found.bounds
    assert (bounds[:, 1] - bounds[:, 0] >= 0.2 - 1e-9).all()
    assert (bounds[1:, 0] - bounds[:-1, 1] >= 0.3 - 1e-9).all()
    assert (means(frames(scores), found) >= 0.3).all()
    assert not len(found) or found.bounds[-1, 1] <= 0.1 * len(scores) + 1e-9
