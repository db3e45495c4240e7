import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.evaluation import ClusterAgreement, Protocol, cluster_agreement, cluster_purity
from tertulia.timeline import Diarization, Timeline

# Reference classes A (6 s), B (4 s); hypothesis classes 1 (7 s), 2 (3 s); t = [[6, 0], [1, 3]].
REFERENCE = Diarization([(0, 6, "A"), (6, 10, "B")])
HYPOTHESIS = Diarization([(0, 7, "1"), (7, 10, "2")])
NOBODY = Diarization()


def test_purity_and_coverage_by_hand():
    score = cluster_purity(REFERENCE, HYPOTHESIS)
    assert score.purity == pytest.approx((6 + 3) / 10)
    assert score.coverage == pytest.approx((6 + 3) / 10)
    one_cluster = cluster_purity(REFERENCE, Diarization([(0, 10, "1")]))
    assert (one_cluster.purity, one_cluster.coverage) == pytest.approx((0.6, 1))
    assert one_cluster.f1 == pytest.approx(0.75)


def test_false_alarm_is_impure_and_missed_speech_uncovered():
    score = cluster_purity(Diarization([(0, 4, "A")]), Diarization([(2, 10, "1")]))
    assert (score.purity, score.coverage) == pytest.approx((2 / 8, 2 / 4))
    cropped = cluster_purity(Diarization([(0, 4, "A")]), Diarization([(2, 10, "1")]), uem=Timeline([(0, 4)]))
    assert (cropped.purity, cropped.coverage) == pytest.approx((1, 0.5))


def test_purity_of_nothing():
    score = cluster_purity(NOBODY, NOBODY)
    assert (score.purity, score.coverage, score.f1) == (1, 1, 1)
    score = cluster_purity(REFERENCE, NOBODY)
    assert (score.purity, score.coverage, score.f1) == (1, 0, 0)
    apart = cluster_purity(Diarization([(0, 1, "A")]), Diarization([(1, 2, "x")]))
    assert apart.f1 == 0


def test_agreement_by_hand():
    score = cluster_agreement(REFERENCE, HYPOTHESIS)
    same, a, b = 36 + 1 + 9, 36 + 16, 49 + 9
    assert score.rand_index == pytest.approx(1 + (2 * same - a - b) / 100)
    assert score.adjusted_rand_index == pytest.approx((same - a * b / 100) / ((a + b) / 2 - a * b / 100))
    information = 0.6 * math.log(0.6 / 0.42) + 0.1 * math.log(0.1 / 0.28) + 0.3 * math.log(0.3 / 0.12)
    assert score.mutual_information == pytest.approx(information)
    entropies = [-sum(p * math.log(p) for p in shares) for shares in ((0.6, 0.4), (0.7, 0.3))]
    assert score.normalized_mutual_information == pytest.approx(information / (sum(entropies) / 2))


def test_overlap_is_a_class_and_so_is_silence():
    # Classes of the reference: A 2 s, A+B 2 s, nobody 2 s; the hypothesis has one class for all six.
    score = cluster_agreement(Diarization([(0, 4, "A"), (2, 4, "B")]), Diarization([(0, 6, "1")]))
    assert (score.seconds, score.together, score.reference_pairs) == (6, 12, 12)
    assert score.rand_index == pytest.approx(12 / 36)
    assert score.adjusted_rand_index == pytest.approx(0)
    assert score.mutual_information == pytest.approx(0, abs=1e-12)
    assert score.normalized_mutual_information == pytest.approx(0, abs=1e-12)


def test_equal_and_empty():
    for score in (
        cluster_agreement(REFERENCE, REFERENCE),
        cluster_agreement(NOBODY, NOBODY),
        cluster_agreement(Diarization([(0, 9, "A")]), Diarization([(0, 9, "1")])),
    ):
        assert score.rand_index == pytest.approx(1)
        assert score.adjusted_rand_index == pytest.approx(1)
        assert score.normalized_mutual_information == pytest.approx(1)
    assert cluster_agreement(NOBODY, NOBODY).mutual_information == 0


def test_pooling_compares_instants_of_one_recording_only():
    one = cluster_agreement(REFERENCE, HYPOTHESIS)
    two = one + cluster_agreement(REFERENCE, HYPOTHESIS)
    assert isinstance(two, ClusterAgreement)
    assert two.seconds == 20
    for name in ("rand_index", "adjusted_rand_index", "mutual_information", "normalized_mutual_information"):
        assert getattr(two, name) == pytest.approx(getattr(one, name))


def test_collar_and_skipped_overlap_take_time_out():
    protocol = Protocol(0.5, skip_overlap=True)
    # Collars take 0–0.5, 3.5–4.5 and 5.5–6.5 (and 7.5–8.5); overlap takes 4–6.
    reference = Diarization([(0, 6, "A"), (4, 8, "B")])
    score = cluster_agreement(reference, reference, protocol=protocol)
    assert score.seconds == pytest.approx(3 + 1)
    assert score.protocol == protocol


TURNS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 8), st.sampled_from("ABC")).map(
        lambda t: (t[0], t[0] + t[1], t[2])
    ),
    max_size=8,
)


def frame_labels(diarization: Diarization, seconds: int) -> np.ndarray:
    sets = ["".join(s for s, t in sorted(diarization.items()) if t.covers([i])[0]) for i in range(seconds)]
    return np.array(sets)


@given(TURNS, TURNS)
@settings(deadline=None, max_examples=40)
def test_the_limit_of_scikit_learn_on_short_frames(reference, hypothesis):
    sklearn = pytest.importorskip("sklearn.metrics")
    reference, hypothesis = Diarization(reference), Diarization(hypothesis)
    labels = [frame_labels(side, 40) for side in (reference, hypothesis)]
    spoken = (labels[0] != "") | (labels[1] != "")
    # Every second becomes 200 frames, so that a frame's pair with itself hardly counts.
    a, b = (np.repeat(side[spoken], 200) for side in labels)
    score = cluster_agreement(reference, hypothesis)
    if not spoken.any():
        assert score.seconds == 0
        return
    assert score.mutual_information == pytest.approx(max(sklearn.mutual_info_score(a, b), 0), abs=1e-9)
    nmi = sklearn.normalized_mutual_info_score(a, b)
    assert score.normalized_mutual_information == pytest.approx(nmi, abs=1e-9)
    assert score.rand_index == pytest.approx(sklearn.rand_score(a, b), abs=0.01)
    assert score.adjusted_rand_index == pytest.approx(sklearn.adjusted_rand_score(a, b), abs=0.02)


@given(TURNS, TURNS)
@settings(deadline=None)
def test_agreement_is_symmetric_and_bounded(reference, hypothesis):
    reference, hypothesis = Diarization(reference), Diarization(hypothesis)
    there, back = cluster_agreement(reference, hypothesis), cluster_agreement(hypothesis, reference)
    assert there.rand_index == pytest.approx(back.rand_index)
    assert there.mutual_information == pytest.approx(back.mutual_information)
    assert 0 <= there.rand_index <= 1 + 1e-12
    assert there.adjusted_rand_index <= 1 + 1e-12
    assert -1e-12 <= there.normalized_mutual_information <= 1 + 1e-12
