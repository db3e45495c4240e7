from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.errors import FormatError, UsageError
from tertulia.simulation import TurnStatistics, sample
from tertulia.timeline import Diarization, Timeline

# A speaks 2 s, goes on after 1 s, B takes over after 0.5 s, A cuts in 0.4 s early.
HAND = Diarization([(0, 2, "A"), (3, 5, "A"), (5.5, 7.5, "B"), (7.1, 9.1, "A")])


def overlap_ratio(diarization: Diarization) -> float:
    return diarization.overlap.duration / diarization.speech.duration


def test_what_a_hand_made_conversation_shows():
    found = TurnStatistics.of([HAND])
    assert set(found.turn) == {2.0}
    assert set(found.pause) == {1.0}
    assert set(found.gap) == {0.5}
    assert set(found.overlap) == {0.4}
    assert found.stay == pytest.approx(1 / 3)
    assert found.overlapping == 0.5
    assert found.back == TurnStatistics().back  # two people: going back says nothing


def test_going_back_is_counted_among_three():
    order = "ABAC"
    turns = [(2.0 * i, 2.0 * i + 1, s) for i, s in enumerate(order)]
    assert TurnStatistics.of([Diarization(turns)]).back == 0.5


def test_even_shares_are_recognised():
    even = Diarization([(0, 5, "A"), (5, 10, "B")])
    uneven = Diarization([(0, 9, "A"), (9, 10, "B")])
    assert TurnStatistics.of([even]).evenness > 10 * TurnStatistics.of([uneven]).evenness


def test_statistics_come_back_from_a_file(tmp_path):
    statistics = TurnStatistics.of([HAND])
    statistics.write(tmp_path / "s.json")
    assert TurnStatistics.read(tmp_path / "s.json") == statistics


def test_what_was_measured_is_what_is_sampled():
    turns = sample(TurnStatistics(), ["a", "b", "c"], 4000, np.random.default_rng(0))
    again = TurnStatistics.of([turns])
    assert again.turn[50] == pytest.approx(TurnStatistics().turn[50], rel=0.1)
    assert again.gap[50] == pytest.approx(TurnStatistics().gap[50], rel=0.15)
    assert again.stay == pytest.approx(TurnStatistics().stay, abs=0.05)
    assert again.overlapping == pytest.approx(TurnStatistics().overlapping, abs=0.06)


@pytest.mark.parametrize("target", [0.0, 0.05, 0.2, 0.35])
@pytest.mark.parametrize("people", [2, 5])
def test_overlap_comes_near_what_is_asked(target, people):
    names = [str(i) for i in range(people)]
    made = sample(TurnStatistics(), names, 600, np.random.default_rng(3), overlap=target)
    assert overlap_ratio(made) == pytest.approx(target, abs=0.02)
    assert set(made.speakers) == set(names)


def test_a_single_speaker_never_overlaps():
    made = sample(TurnStatistics(), ["a"], 60, np.random.default_rng(0), overlap=0.3)
    assert made.speakers == ("a",)
    assert len(made) > 5


def test_who_is_absent_is_silent_and_comes_back():
    away = Timeline([(100, 300)])
    made = sample(TurnStatistics(), ["a", "b", "c"], 500, np.random.default_rng(1), 0.1, {"b": away})
    assert (made["b"] & away).duration == 0
    assert made["b"].crop(Timeline([(300, 500)])[0]).duration > 5


def test_with_everybody_away_nobody_speaks():
    away = {name: Timeline([(0, 30)]) for name in "ab"}
    made = sample(TurnStatistics(), ["a", "b"], 60, np.random.default_rng(1), None, away)
    assert made.speech.extent is not None
    assert made.speech.extent.start >= 30
    forever = {name: Timeline([(0, 60)]) for name in "ab"}
    assert len(sample(TurnStatistics(), ["a", "b"], 60, np.random.default_rng(1), None, forever)) == 0


@settings(deadline=None, max_examples=60)
@given(
    people=st.integers(1, 6),
    seconds=st.floats(1, 60),
    seed=st.integers(0, 1000),
    overlap=st.none() | st.floats(0, 0.35),
    stay=st.sampled_from([0.0, 0.5, 1.0]),
    away=st.tuples(st.floats(0, 50), st.floats(0.1, 30)),
)
def test_any_conversation_ends_and_fits(people, seconds, seed, overlap, stay, away):
    names = [str(i) for i in range(people)]
    absence = {"0": Timeline([(away[0], away[0] + away[1])])}
    statistics = TurnStatistics(stay=stay)
    made = sample(statistics, names, seconds, np.random.default_rng(seed), overlap, absence)
    for speaker, timeline in made.items():
        assert timeline.bounds[-1, 1] <= seconds + 5e-4
        assert np.array_equal(timeline.bounds, timeline.bounds.round(3))
        assert (timeline & absence.get(speaker, Timeline())).duration < 2e-3
        assert (np.diff(timeline.bounds.ravel())[1::2] > 0.04).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"turn": (2.0, 1.0)}, "rising"),
        ({"gap": (1.0,)}, "two or more"),
        ({"pause": (-1.0, 1.0)}, "from 0"),
        ({"stay": 1.5}, "share"),
        ({"evenness": 0.0}, "positive"),
    ],
)
def test_impossible_statistics_are_refused(change, said):
    with pytest.raises(UsageError, match=said):
        TurnStatistics(**change)


def test_statistics_need_turns():
    with pytest.raises(UsageError, match="at least one turn"):
        TurnStatistics.of([Diarization()])


def test_unusable_files_are_named(tmp_path):
    path = tmp_path / "s.json"
    with pytest.raises(FormatError, match=r"s\.json"):
        TurnStatistics.read(path)
    path.write_text("[]")
    with pytest.raises(FormatError, match="object"):
        TurnStatistics.read(path)
    path.write_text(json.dumps({"turns": 3}))
    with pytest.raises(UsageError, match="unknown key"):
        TurnStatistics.read(path)
