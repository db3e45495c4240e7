from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest

from tertulia.audio.windows import slide
from tertulia.errors import ModelMissingError
from tertulia.segmentation import Activity
from tertulia.segmentation.powerset import PowersetSegmenter, powerset


@pytest.mark.parametrize(("speakers", "together"), [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (4, 2), (3, 0)])
def test_every_set_once_smaller_ones_first(speakers, together):
    table = powerset(speakers, together)
    assert table.shape == (sum(comb(speakers, size) for size in range(together + 1)), speakers)
    assert table.dtype == bool
    assert len({tuple(row) for row in table.tolist()}) == len(table)
    sizes = table.sum(axis=1)
    assert (np.diff(sizes) >= 0).all()
    assert sizes.max() == together


def test_the_order_is_that_of_the_network():
    assert powerset(3, 2).astype(int).tolist() == [
        [0, 0, 0],
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [1, 1, 0],
        [1, 0, 1],
        [0, 1, 1],
    ]


@pytest.fixture(scope="module")
def hard(windows, default) -> Activity:
    return PowersetSegmenter(default.segmenter.weights, soft=False)(windows)


def test_shapes(windows, activity):
    assert len(activity) == len(windows) == 5
    for values in (activity.scores, activity.active, activity.solo):
        assert values.shape == (5, 589, 3)
    assert activity.count.shape == (5, 589)
    assert activity.scores.dtype == activity.solo.dtype == activity.count.dtype == np.float32
    assert activity.active.dtype == bool
    assert activity.hop == 5.0


def test_the_grid_is_that_of_the_convolutions(activity):
    """Frame i looks at 991 samples from 270 i on; the last of 589 ends within the ten seconds."""
    middles = activity.grid.middles(589)
    np.testing.assert_allclose(middles, (np.arange(589) * 270 + 991 / 2) / 16_000)


def test_probabilities(activity, hard):
    for seen in (activity, hard):
        for values in (seen.scores, seen.solo):
            assert values.min() >= 0
            assert values.max() <= 1 + 1e-5
        assert seen.count.min() >= 0
        assert seen.count.max() <= 2 + 1e-5
        # The expected number of people is the sum over people of the chance that they are there.
        np.testing.assert_allclose(seen.count, seen.scores.sum(axis=2), atol=1e-5)


def test_decisions_are_the_most_likely_class(activity, hard):
    np.testing.assert_array_equal(activity.active, hard.active)
    np.testing.assert_array_equal(hard.scores, hard.active.astype(np.float32))
    assert activity.active.sum(axis=2).max() <= 2
    assert activity.active.any(axis=1).sum(axis=1).max() >= 2, "two people talk in some window"


def test_alone_is_where_nobody_else_is(activity, hard):
    alone = activity.active & (activity.active.sum(axis=2, keepdims=True) == 1)
    np.testing.assert_array_equal(activity.solo > 0, alone)
    np.testing.assert_array_equal(hard.solo, alone.astype(np.float32))
    # That one person speaks alone is at most as likely as that they speak.
    assert (activity.solo <= activity.scores + 1e-6).all()


def test_speech_is_found_where_it_is(activity, reference):
    """Most of the first window is speech of the reference or not as the network says."""
    mask = activity.grid.mask(reference.speech, 589)
    assert (activity.active[0].any(axis=1) == mask).mean() > 0.9


def test_what_a_window_holds_does_not_depend_on_its_neighbours(sound, activity, default):
    alone = [
        default.segmenter(batch)
        for batch in slide([sound], 16_000, size=160_000, hop=80_000, batch=2, margin=32_000)
    ]
    joined = Activity.join(list(alone))
    assert [len(part) for part in alone] == [2, 2, 1]
    np.testing.assert_allclose(joined.scores, activity.scores, atol=1e-4)
    np.testing.assert_array_equal(joined.active, activity.active)
    np.testing.assert_allclose(joined.count, activity.count, atol=1e-4)
    assert (joined.grid, joined.hop) == (activity.grid, activity.hop)


def test_more_windows_than_the_network_takes_at_once(sound, default):
    (many,) = slide([sound], 16_000, size=160_000, hop=32_000, batch=20)
    (first,) = slide([sound[:160_000]], 16_000, size=160_000, hop=32_000, batch=20)
    seen = default.segmenter(many)
    assert len(seen) == 11
    np.testing.assert_allclose(seen.scores[:1], default.segmenter(first).scores, atol=1e-4)


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_silence_and_faint_noise_are_nobody(level, default):
    samples = (level * np.random.default_rng(0).normal(size=160_000)).astype(np.float32)
    (batch,) = slide([samples], 16_000, size=160_000, hop=80_000, batch=1)
    seen = default.segmenter(batch)
    assert np.isfinite(seen.scores).all()
    assert not seen.active.any()


@pytest.mark.parametrize("hop", [0.0, -1.0, 10.1, float("nan")])
def test_impossible_hops(hop):
    with pytest.raises(ValueError, match=r"hop lies in \(0, 10\] seconds; got"):
        PowersetSegmenter(hop=hop)


def test_missing_weights_are_told_at_once():
    with pytest.raises(ModelMissingError, match="no weights 'segmentation-9'"):
        PowersetSegmenter("segmentation-9")


def test_every_pair_of_three_is_a_class():
    pairs = {tuple(np.flatnonzero(row).tolist()) for row in powerset(3, 2) if row.sum() == 2}
    assert pairs == set(combinations(range(3), 2))
