"""Detecting one enrolled person in a stream."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tertulia.errors import UsageError
from tertulia.identity import Listener, OnlineDetector, default_scorer
from tertulia.timeline import Timeline


@pytest.fixture(scope="module")
def detector(sound, reference) -> OnlineDetector:
    """Knows the first of the two people by what is said alone in the first half."""
    listener = Listener()
    first = reference.speakers[0]
    alone = (reference[first] - reference.overlap).bounds
    parts = [sound[round(a * 16_000) : round(b * 16_000)] for a, b in alone if b < 15]
    return OnlineDetector(listener.embed(np.concatenate(parts)), default_scorer(listener.model), listener)


@pytest.fixture(scope="module")
def moments(detector, sound):
    state, found = detector.push(detector.begin(), sound)
    return found + detector.finish(state)


def test_every_moment_is_decided_once_and_in_order(moments, sound):
    assert moments[0].start == 0
    assert moments[-1].end == len(sound) / 16_000
    assert all(a.end == b.start for a, b in itertools.pairwise(moments))


def test_the_person_is_found_and_the_other_is_not(detector, moments, reference):
    first, second = reference.speakers
    found = detector.timeline(moments)
    mine, others = reference[first], reference[second] - reference[first]
    # Hops of half a second at both ends of turns that are short themselves; the first half was enrolled.
    assert (found & mine).duration > 0.7 * mine.duration
    assert (found & others).duration < 0.2 * others.duration


def test_how_the_stream_is_cut_makes_no_difference(detector, moments, sound):
    cuts = np.sort(np.random.default_rng(3).integers(0, len(sound), 12))
    state, found = detector.begin(), []
    for block in np.split(sound, cuts):
        state, decided = detector.push(state, block)
        found += decided
        assert len(state.recent) <= (detector.window + detector.latency) * 16_000, "memory is bounded"
        assert state.end / 16_000 - state.decided / 16_000 < detector.latency + 1e-9, "what was promised"
    found += detector.finish(state)
    assert [(m.start, m.end, m.active) for m in found] == [(m.start, m.end, m.active) for m in moments]
    for one, other in zip(found, moments, strict=True):
        assert (one.llr is None) == (other.llr is None)
        assert one.llr is None or one.llr == pytest.approx(other.llr, abs=1e-3)


def test_silence_is_nobody(detector):
    state, found = detector.push(detector.begin(), np.zeros(48_000, np.float32))
    found += detector.finish(state)
    assert not any(moment.active for moment in found)
    assert all(moment.llr is None for moment in found)
    assert detector.timeline(found) == Timeline()


def test_a_stream_that_ends_before_it_begins(detector):
    assert detector.finish(detector.begin()) == ()


@pytest.mark.parametrize("wrong", [{"hop": 0}, {"delay": -1}, {"window": 1.0}, {"least": 3.0}, {"least": 0}])
def test_lengths_that_do_not_fit(detector, wrong):
    with pytest.raises(UsageError, match="a window holds hop, delay and the least speech"):
        OnlineDetector(detector.target, detector.scorer, detector.listener, **wrong)
