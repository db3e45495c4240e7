from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from tertulia.errors import UsageError
from tertulia.identity.calibration import qualities
from tertulia.identity.thresholds import Thresholds, rate_of_each

BY_HAND = Thresholds(
    np.array([0.1, 0.01]),
    np.array([1.0, 3.0]),
    np.array([-1.0, 0.5, 0.25, 2.0, 4.0]),
    np.array([2.0, -0.25, 0.5, 0.25]),
)


def test_the_threshold_by_hand():
    q = np.log(3)
    assert BY_HAND(0.1, 2.0, 6.0) == pytest.approx(-1 + 0.5 * q + 0.25 * q**2 + (2 - 0.25 * q))
    both, one = 0.9 * 0.2, 0.7
    place = -1 + 0.5 * q + 0.25 * q**2 + 2 * both + 4 * one
    spread = 2 - 0.25 * q + 0.5 * both + 0.25 * one
    assert BY_HAND(0.01, 3.0, 3.0, (0.9, 0.2)) == pytest.approx(place + 3 * spread)


def test_rates_are_interpolated_and_continued_on_their_logarithm():
    at = [float(BY_HAND(rate, 1.0, 1.0)) for rate in (0.1, np.sqrt(0.001), 0.01, 0.001)]
    np.testing.assert_allclose(np.diff(at), [2.0, 2.0, 4.0])
    assert BY_HAND(0.5, 1.0, 1.0) == BY_HAND(0.1, 1.0, 1.0), "above the highest rate nothing is known"


def test_a_calibrated_ratio_needs_no_measurement():
    bound = Thresholds.bound()
    for rate in (0.5, 0.01, 1e-6):
        assert bound(rate, 1.5, 10.0, (1.0, 0.0)) == pytest.approx(-np.log(rate))


@settings(deadline=None, max_examples=50)
@given(st.floats(1e-8, 0.9), st.floats(1e-8, 0.9), st.floats(0.5, 60), st.floats(0.5, 60), st.floats(0, 1))
def test_a_lower_rate_never_means_a_lower_threshold(one, other, first, second, telephone):
    low, high = sorted((one, other))
    telephones = (telephone, 1 - telephone)
    assert BY_HAND(low, first, second, telephones) >= BY_HAND(high, first, second, telephones)


def gaussian(rng, seconds, telephone, n=40_000):
    """Ratios of strangers: normal, moved and stretched by what is known of the two sides."""
    quality = qualities(seconds, seconds, telephone)
    q, both, one = quality
    return rng.normal(2 - 3 * q + both + 2 * one, 1 + 0.5 * q + 0.5 * both, n), quality


def test_what_was_asked_for_is_had_under_every_condition():
    rng = np.random.default_rng(0)
    known = [(s, t) for s in (1.5, 3.0, 10.0) for t in ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))]
    made = [gaussian(rng, *each) for each in known]
    thresholds = Thresholds.fit(
        [ratios for ratios, _ in made], np.stack([quality for _, quality in made]), [0.3, 0.1, 0.01, 0.001]
    )
    for seconds, telephone in ((2.0, (0.0, 0.0)), (5.0, (0.0, 1.0)), (7.0, (1.0, 1.0))):
        ratios, (q, both, one) = gaussian(rng, seconds, telephone, 200_000)
        for rate in (0.1, 0.01, 0.001):
            reached = float(thresholds(rate, seconds, seconds, telephone))
            assert (ratios >= reached).mean() == pytest.approx(rate, rel=0.25)
            right = norm.isf(rate, 2 - 3 * q + both + 2 * one, 1 + 0.5 * q + 0.5 * both)
            assert reached == pytest.approx(right, abs=0.2)


def test_a_list_too_short_for_a_rate_is_not_asked_for_it():
    """The only ratio of a short list that is far out would move a quantile that rests on it alone."""
    rng = np.random.default_rng(1)
    long = [gaussian(rng, seconds, (0.0, 0.0)) for seconds in (1.5, 3.0, 10.0)]
    short, quality = gaussian(rng, 5.0, (0.0, 0.0), 200)
    quality, lists = np.stack([each for _, each in long] + [quality]), [ratios for ratios, _ in long]
    usual, odd = (
        Thresholds.fit([*lists, np.append(short, last)], quality, [0.3, 0.1, 0.01, 0.001])
        for last in (0.0, 1000.0)
    )
    assert odd(0.001, 5.0, 5.0) == pytest.approx(float(usual(0.001, 5.0, 5.0)), abs=0.2)


@pytest.mark.parametrize(
    ("rates", "levels", "scale", "why"),
    [
        ([0.1, 0.2], [0.0, 1.0], 1.0, "rates or more, which fall"),
        ([0.2, 0.1], [1.0, 1.0], 1.0, "levels, which rise"),
        ([0.2], [1.0], 1.0, "two rates or more"),
        ([0.2, 0.1], [0.0, 1.0], -0.1, "more than nothing everywhere"),
    ],
)
def test_what_would_not_rise_is_refused(rates, levels, scale, why):
    with pytest.raises(ValueError, match=why):
        Thresholds(np.array(rates), np.array(levels), np.zeros(5), np.array([scale, 0, 0, 0]))


def test_n_chances_of_the_rate_of_each_are_the_rate_of_all():
    assert rate_of_each(0.01, 1) == pytest.approx(0.01)
    assert 1 - (1 - rate_of_each(0.01, 20)) ** 20 == pytest.approx(0.01)


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, 2.0, np.nan])
def test_rates_lie_between_zero_and_one(rate):
    with pytest.raises(UsageError, match="between 0 and 1"):
        rate_of_each(rate, 1)


def test_a_gallery_holds_somebody():
    with pytest.raises(UsageError, match="one person or more; got 0"):
        rate_of_each(0.01, 0)
