"""pyannote.metrics as the outside oracle; its `collar` is twice ours."""

import warnings

import pytest

from tertulia import evaluation
from tertulia.evaluation import Protocol
from tertulia.timeline import Diarization

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    oracle = pytest.importorskip("pyannote.metrics.diarization")
    detection = pytest.importorskip("pyannote.metrics.detection")
    core = pytest.importorskip("pyannote.core")

# pyannote.metrics warns when it has to guess the UEM, which half of these cases want.
pytestmark = pytest.mark.filterwarnings("ignore")

PROTOCOLS = [Protocol(), Protocol(0.25), Protocol(skip_overlap=True), Protocol(0.1, skip_overlap=True)]


def annotations(*diarizations: Diarization):
    return [d.to_annotation() for d in diarizations]


def timeline(uem):
    return None if uem is None else core.Timeline([core.Segment(s.start, s.end) for s in uem])


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=str)
@pytest.mark.parametrize("with_uem", [False, True])
def test_der_and_its_parts_agree_on_1000_cases(random_case, protocol, with_uem):
    metric = oracle.DiarizationErrorRate(collar=2 * protocol.collar, skip_overlap=protocol.skip_overlap)
    for seed in range(125):
        reference, hypothesis, uem = random_case(1000 * PROTOCOLS.index(protocol) + 500 * with_uem + seed)
        uem = uem if with_uem else None
        ours = evaluation.diarization_error(reference, hypothesis, uem=uem, protocol=protocol)
        theirs = metric(*annotations(reference, hypothesis), uem=timeline(uem), detailed=True)
        assert ours.der == pytest.approx(theirs["diarization error rate"], abs=1e-9)
        assert ours.total == pytest.approx(theirs["total"], abs=1e-9)
        assert ours.false_alarm == pytest.approx(theirs["false alarm"], abs=1e-9)
        assert ours.missed == pytest.approx(theirs["missed detection"], abs=1e-9)
        assert ours.confusion == pytest.approx(theirs["confusion"], abs=1e-9)
        assert ours.correct == pytest.approx(theirs["correct"], abs=1e-9)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=str)
def test_jer_detection_and_count_agree(random_case, protocol):
    arguments = {"collar": 2 * protocol.collar, "skip_overlap": protocol.skip_overlap}
    jaccard, speech = oracle.JaccardErrorRate(**arguments), detection.DetectionErrorRate(**arguments)
    count = oracle.DiarizationSpeakerCountError()
    for seed in range(40):
        reference, hypothesis, uem = random_case(seed)
        pair, region = annotations(reference, hypothesis), timeline(uem)
        ours = evaluation.jaccard_error(reference, hypothesis, uem=uem, protocol=protocol)
        theirs = jaccard(*pair, uem=region, detailed=True)
        assert ours.speakers == theirs["speaker count"]
        assert ours.error == pytest.approx(theirs["speaker error"], abs=1e-9)
        found = evaluation.detection_error(reference, hypothesis, uem=uem, protocol=protocol)
        theirs = speech(*pair, uem=region, detailed=True)
        assert found.total == pytest.approx(theirs["total"], abs=1e-9)
        assert found.false_alarm == pytest.approx(theirs["false alarm"], abs=1e-9)
        assert found.missed == pytest.approx(theirs["miss"], abs=1e-9)
        assert found.error_rate == pytest.approx(theirs["detection error rate"], abs=1e-9)
        number = evaluation.speaker_count_error(reference, hypothesis, uem=uem)
        assert number.absolute_error == count(*pair, uem=region)


def test_purity_and_coverage_agree(random_case):
    purity, coverage = oracle.DiarizationPurity(), oracle.DiarizationCoverage()
    for seed in range(60):
        reference, hypothesis, _ = random_case(seed)
        ours = evaluation.cluster_purity(reference, hypothesis)
        assert ours.purity == pytest.approx(purity(*annotations(reference, hypothesis)), abs=1e-9)
        assert ours.coverage == pytest.approx(coverage(*annotations(reference, hypothesis)), abs=1e-9)


def test_pooling_agrees(random_case):
    metric, total = oracle.DiarizationErrorRate(collar=0.5), []
    for seed in range(10):
        reference, hypothesis, uem = random_case(seed)
        metric(*annotations(reference, hypothesis), uem=timeline(uem))
        total.append(evaluation.diarization_error(reference, hypothesis, uem=uem, protocol=Protocol(0.25)))
    assert sum(total).der == pytest.approx(abs(metric), abs=1e-9)


def test_the_mapping_is_the_same(random_case):
    metric = oracle.DiarizationErrorRate()
    for seed in range(30):
        reference, hypothesis, uem = random_case(seed)
        theirs = metric.optimal_mapping(*annotations(reference, hypothesis), uem=timeline(uem))
        assert evaluation.speaker_mapping(reference, hypothesis, uem=uem) == theirs


@pytest.mark.parametrize(
    ("reference", "hypothesis"),
    [([], []), ([], [(1, 2, "x")]), ([(1, 2, "A")], []), ([(1, 2, "A")], [(5, 6, "x")])],
)
def test_the_empty_cases_agree(reference, hypothesis):
    reference, hypothesis = Diarization(reference), Diarization(hypothesis)
    theirs = oracle.DiarizationErrorRate()(*annotations(reference, hypothesis))
    assert evaluation.diarization_error(reference, hypothesis).der == theirs
