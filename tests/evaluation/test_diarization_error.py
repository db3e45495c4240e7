import dataclasses
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.errors import UsageError
from tertulia.evaluation import (
    DetectionError,
    DiarizationError,
    Protocol,
    SpeakerCountError,
    detection_error,
    diarization_error,
    jaccard_error,
    score_file,
    speaker_count_error,
    speaker_mapping,
)
from tertulia.timeline import Diarization, Timeline

REFERENCE = Diarization([(0, 10, "A"), (8, 20, "B")])
HYPOTHESIS = Diarization([(0.2, 9, "x"), (9, 15, "y"), (15, 16, "x"), (16, 20, "y"), (22, 23, "z")])
UEM = Timeline([(0, 25)])
NOBODY = Diarization()


def parts(error: DiarizationError) -> list[float]:
    return [error.total, error.missed, error.false_alarm, error.confusion]


# By hand, and what NIST's md-eval.pl (version 22) prints for these turns and this UEM: scored speaker time,
# missed, false alarm, speaker error.
@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        (Protocol(), [22, 2.2, 1, 1]),
        (Protocol(0.25), [20, 1.5, 1, 1]),
        (Protocol(skip_overlap=True), [18, 0.2, 1, 1]),
        (Protocol(0.25, skip_overlap=True), [17, 0, 1, 1]),
    ],
    ids=["plain", "-c 0.25", "-1", "-c 0.25 -1"],
)
def test_md_eval_conventions(protocol, expected):
    error = diarization_error(REFERENCE, HYPOTHESIS, uem=UEM, protocol=protocol)
    assert parts(error) == pytest.approx(expected, abs=1e-12)
    assert error.correct == pytest.approx(expected[0] - expected[1] - expected[3])
    assert error.der == pytest.approx(sum(expected[1:]) / expected[0])
    shares = error.false_alarm_rate + error.missed_rate + error.confusion_rate
    assert shares == pytest.approx(error.der)
    assert error.correct_rate == pytest.approx(error.correct / expected[0])


def test_mapping_is_optimal_not_greedy():
    # Greedy would pair A with x (5 s) and leave B with 0 s; the best pairs share 4 + 4 s.
    reference = Diarization([(0, 9, "A"), (10, 14, "B")])
    hypothesis = Diarization([(0, 5, "x"), (5, 9, "y"), (10, 14, "x")])
    assert speaker_mapping(reference, hypothesis) == {"y": "A", "x": "B"}
    assert diarization_error(reference, hypothesis).confusion == 5


def test_mapping_leaves_strangers_out_and_follows_the_uem():
    reference = Diarization([(0, 4, "A"), (5, 6, "B")])
    hypothesis = Diarization([(0, 4, "x"), (20, 21, "z")])
    assert speaker_mapping(reference, hypothesis) == {"x": "A"}
    assert speaker_mapping(reference, hypothesis, uem=Timeline([(5, 6)])) == {}


def test_without_uem_everything_from_zero_to_the_latest_end_counts():
    reference = Diarization([(5, 6, "A")])
    hypothesis = Diarization([(1, 2, "x"), (5, 6, "x"), (8, 10, "x")])
    assert diarization_error(reference, hypothesis).false_alarm == 3


def test_uem_cuts_turns_and_may_lie_outside():
    inside = diarization_error(REFERENCE, HYPOTHESIS, uem=Timeline([(0, 1), (9.5, 10.5)]))
    assert parts(inside) == pytest.approx([2.5, 0.7, 0, 0])
    for nothing in (Timeline([(100, 200)]), Timeline()):
        outside = score_file(REFERENCE, HYPOTHESIS, uem=nothing)
        assert parts(outside.diarization) == [0, 0, 0, 0]
        assert outside.diarization.der == outside.jaccard.jer == outside.detection.error_rate == 0
        assert outside.count.absolute_error == 0


def test_a_speaker_wholly_inside_collars_is_not_scored():
    # In binary 4.03 - 0.25 > 3.53 + 0.25: the sliver that the collars leave must not bring B back.
    reference = Diarization([(3.53, 4.03, "B"), (10, 20, "A")])
    error = jaccard_error(reference, reference, protocol=Protocol(0.25))
    assert (error.speakers, error.jer) == (1, 0)
    assert diarization_error(reference, NOBODY, protocol=Protocol(0.25)).total == pytest.approx(9.5)


def test_overlapping_turns_of_one_speaker_count_once():
    assert diarization_error(Diarization([(0, 6, "A"), (4, 10, "A")]), NOBODY).total == 10


@pytest.mark.parametrize(
    ("reference", "hypothesis", "der", "jer", "detection"),
    [
        (NOBODY, NOBODY, 0, 0, 0),
        (NOBODY, HYPOTHESIS, 1, 1, 1),
        (REFERENCE, NOBODY, 1, 1, 1),
        (REFERENCE, REFERENCE, 0, 0, 0),
    ],
    ids=["both empty", "reference empty", "hypothesis empty", "equal"],
)
def test_extremes(reference, hypothesis, der, jer, detection):
    assert diarization_error(reference, hypothesis).der == der
    assert jaccard_error(reference, hypothesis).jer == jer
    assert detection_error(reference, hypothesis).error_rate == detection


def test_jer_by_hand():
    # A/x: 8 shared of 10. B/y: 4 shared of 8. C: nobody left.
    reference = Diarization([(0, 8, "A"), (10, 18, "B"), (20, 21, "C")])
    hypothesis = Diarization([(0, 10, "x"), (14, 18, "y")])
    error = jaccard_error(reference, hypothesis)
    assert error.error == pytest.approx(0.2 + 0.5 + 1)
    assert (error.speakers, error.hypothesis_speakers) == (3, 2)
    assert (error + jaccard_error(NOBODY, HYPOTHESIS)).jer == pytest.approx(1.7 / 3)


def test_detection_by_hand():
    error = detection_error(REFERENCE, HYPOTHESIS, uem=UEM)
    assert error == DetectionError(total=20, false_alarm=1, missed=pytest.approx(0.2))
    assert error.error_rate == pytest.approx(0.06)
    assert (error.false_alarm_rate, error.missed_rate) == pytest.approx((0.05, 0.01))


def test_speaker_count():
    error = speaker_count_error(REFERENCE, HYPOTHESIS)
    assert error == SpeakerCountError(absolute_error=1, exact=0, files=1)
    both = error + speaker_count_error(REFERENCE, HYPOTHESIS, uem=Timeline([(0, 20)]))
    assert (both.mean, both.exact_rate) == (0.5, 0.5)
    assert (SpeakerCountError().mean, SpeakerCountError().exact_rate) == (0, 1)


def test_records_add_and_divide_at_the_end():
    long = DiarizationError(total=90, missed=9, correct=81)
    short = DiarizationError(total=10, false_alarm=10, correct=10)
    assert sum([long, short]) == DiarizationError(total=100, missed=9, false_alarm=10, correct=91)
    assert (long + short).der == pytest.approx(0.19)


def test_records_are_frozen_and_carry_their_protocol():
    error = diarization_error(REFERENCE, HYPOTHESIS, protocol=Protocol(0.25))
    assert error.protocol == Protocol(0.25)
    with pytest.raises(dataclasses.FrozenInstanceError):
        error.total = 1.0


def test_records_of_different_protocols_or_kinds_do_not_add():
    with pytest.raises(UsageError, match=r"different protocol do not add.*0\.25"):
        DiarizationError() + DiarizationError(protocol=Protocol(0.25))
    with pytest.raises(TypeError):
        DiarizationError() + DetectionError()
    with pytest.raises(TypeError):
        1 + DiarizationError()


@pytest.mark.parametrize("collar", [-0.1, float("nan"), float("inf")])
def test_impossible_collars(collar):
    with pytest.raises(UsageError, match="collar"):
        Protocol(collar)


def test_the_protocol_in_words():
    assert Protocol().describe() == "no collar, overlap scored, no UEM: 0 to the latest end"
    assert Protocol(0.25, skip_overlap=True).describe(uem=True) == (
        "collar 0.25 s each side, overlap skipped, UEM given"
    )


TURNS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 8), st.sampled_from("ABC")).map(
        lambda t: (t[0], t[0] + t[1], t[2])
    ),
    max_size=8,
)


def by_frames(reference: Diarization, hypothesis: Diarization, mapping) -> list[float]:
    """Count whole-second frames one by one: slow and plain."""
    counts = np.zeros(4)
    for second in range(40):
        true = {s for s, t in reference.items() if t.covers([second])[0]}
        found = {mapping.get(s, f"?{s}") for s, t in hypothesis.items() if t.covers([second])[0]}
        counts += [
            len(true),
            max(len(true) - len(found), 0),
            max(len(found) - len(true), 0),
            min(len(true), len(found)) - len(true & found),
        ]
    return counts.tolist()


@given(TURNS, TURNS)
@settings(deadline=None)
def test_equals_counting_frames(reference, hypothesis):
    reference, hypothesis = Diarization(reference), Diarization(hypothesis)
    mapping = speaker_mapping(reference, hypothesis)
    assert parts(diarization_error(reference, hypothesis)) == by_frames(reference, hypothesis, mapping)


@given(TURNS, TURNS, st.permutations("ABC"))
@settings(deadline=None)
def test_names_do_not_matter_and_the_parts_add_up(reference, hypothesis, names):
    reference, hypothesis = Diarization(reference), Diarization(hypothesis)
    new = dict(zip("ABC", names, strict=True))
    renamed = hypothesis.rename({s: new[s] for s in hypothesis.speakers})
    error = diarization_error(reference, hypothesis)
    assert error == diarization_error(reference, renamed)
    assert error.correct + error.missed + error.confusion == error.total


@given(TURNS, TURNS, st.integers(1, 29))
@settings(deadline=None)
def test_detection_over_a_split_uem_adds_up(reference, hypothesis, at):
    reference, hypothesis = Diarization(reference), Diarization(hypothesis)
    halves = [detection_error(reference, hypothesis, uem=Timeline([(a, b)])) for a, b in ((0, at), (at, 40))]
    assert sum(halves) == detection_error(reference, hypothesis, uem=Timeline([(0, 40)]))


def test_ten_thousand_turns_in_under_a_second():
    rng = np.random.default_rng(0)
    starts = np.sort(rng.uniform(0, 30_000, 10_000))
    sides = [
        Diarization([(s, s + d, f"s{k}") for s, d, k in zip(starts, lengths, speakers, strict=True)])
        for lengths, speakers in (
            (rng.uniform(0.5, 5, 10_000), rng.integers(0, 1000, 10_000)) for _ in range(2)
        )
    ]
    diarization_error(REFERENCE, HYPOTHESIS)  # scipy is loaded once; others may keep the processors busy
    begin = time.process_time()
    diarization_error(*sides)
    assert time.process_time() - begin < 1
