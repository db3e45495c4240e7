from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.errors import InputError
from tertulia.evaluation import Protocol, cross_show_errors, cross_show_mapping, diarization_error
from tertulia.timeline import Diarization, Timeline

REFERENCES = {
    "monday": Diarization([(0, 10, "Ana"), (10, 16, "Ben")]),
    "tuesday": Diarization([(0, 8, "Ana"), (8, 10, "Eva")]),
}


def error(hypotheses, **options):
    return sum(cross_show_errors(REFERENCES, hypotheses, **options).values())


def test_the_same_names_everywhere_are_no_error():
    hypotheses = {
        "monday": Diarization([(0, 10, "1"), (10, 16, "2")]),
        "tuesday": Diarization([(0, 8, "1"), (8, 10, "3")]),
    }
    assert error(hypotheses).der == 0
    assert cross_show_mapping(REFERENCES, hypotheses) == {"1": "Ana", "2": "Ben", "3": "Eva"}


def test_somebody_found_again_under_another_name_is_confusion_where_less_is_said():
    hypotheses = {
        "monday": Diarization([(0, 10, "1"), (10, 16, "2")]),
        "tuesday": Diarization([(0, 8, "new"), (8, 10, "3")]),
    }
    errors = cross_show_errors(REFERENCES, hypotheses)
    assert errors["monday"].der == 0
    assert errors["tuesday"].confusion == 8
    assert error(hypotheses).der == pytest.approx(8 / 26)
    assert diarization_error(REFERENCES["tuesday"], hypotheses["tuesday"]).der == 0


def test_one_name_for_two_people_counts_for_the_one_who_says_more_in_all():
    hypotheses = {
        "monday": Diarization([(0, 10, "1"), (10, 16, "2")]),
        "tuesday": Diarization([(0, 8, "2"), (8, 10, "3")]),
    }
    # "2" is Ana for 8 s and Ben for 6 s; "1" is Ana for 10 s: the pairs (1, Ana) and (2, Ben) share 16 s.
    assert cross_show_mapping(REFERENCES, hypotheses) == {"1": "Ana", "2": "Ben", "3": "Eva"}
    assert error(hypotheses).confusion == 8


def test_collar_and_scored_region_are_kept_to():
    hypotheses = {
        "monday": Diarization([(0, 11, "1"), (11, 16, "2")]),
        "tuesday": Diarization([(0, 8, "1"), (8, 10, "3")]),
    }
    assert error(hypotheses).confusion == 1
    assert error(hypotheses, protocol=Protocol(collar=1.0)).confusion == 0
    half = {"monday": Timeline([(0, 10.5)]), "tuesday": Timeline([(0, 10)])}
    assert error(hypotheses, uem=half).confusion == 0.5


def test_recordings_without_speech_are_scored_too():
    empty = {"monday": Diarization(), "tuesday": Diarization()}
    assert error(empty).der == 1
    assert sum(cross_show_errors(empty, empty).values()).der == 0
    assert cross_show_mapping({}, {}) == {}


def test_recordings_on_one_side_only_are_named():
    with pytest.raises(InputError, match="without a hypothesis: tuesday"):
        cross_show_errors(REFERENCES, {"monday": Diarization()})
    with pytest.raises(InputError, match="without a reference: friday"):
        cross_show_errors(REFERENCES, {**REFERENCES, "friday": Diarization()})
    with pytest.raises(InputError, match="without a UEM: tuesday"):
        cross_show_errors(REFERENCES, REFERENCES, uem={"monday": Timeline([(0, 1)])})


turns = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 5), st.sampled_from("abc")), min_size=1, max_size=6
).map(lambda turns: Diarization([(start, start + length, who) for start, length, who in turns]))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(turns, turns), min_size=1, max_size=3))
def test_never_better_than_a_mapping_for_each_recording_and_the_same_for_one(pairs):
    references = {str(i): reference for i, (reference, _) in enumerate(pairs)}
    hypotheses = {str(i): hypothesis for i, (_, hypothesis) in enumerate(pairs)}
    together = sum(cross_show_errors(references, hypotheses).values())
    apart = sum(diarization_error(*pair) for pair in pairs)
    assert together.total == pytest.approx(apart.total)
    assert together.missed == pytest.approx(apart.missed)
    assert together.false_alarm == pytest.approx(apart.false_alarm)
    assert together.confusion >= apart.confusion - 1e-9
    if len(pairs) == 1:
        assert together.confusion == pytest.approx(apart.confusion)
