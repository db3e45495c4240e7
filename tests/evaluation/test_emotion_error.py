import pytest

from tertulia.evaluation import EmotionError, Protocol, emotion_error
from tertulia.timeline import Diarization, Timeline


def test_the_published_example():
    # The example in the documentation of the authors' implementation gives this figure; its last 20 ms, for
    # which it has no frame, are labelled here as its last frame.
    reference = Diarization([(0.39, 1.10, "angry")])
    hypothesis = Diarization([(0, 0.6, "neutral"), (0.6, 1.22, "angry")])
    error = emotion_error(reference, hypothesis, uem=Timeline([(0, 1.22)]))
    assert error.eder == pytest.approx(0.2704918032786885)
    assert (error.missed, error.false_alarm, error.confusion) == pytest.approx((0.21, 0.12, 0))


def test_emotions_keep_their_names():
    reference, hypothesis = Diarization([(0, 4, "happy")]), Diarization([(0, 4, "sad")])
    error = emotion_error(reference, hypothesis)
    assert (error.confusion, error.eder) == (4, 1)
    assert emotion_error(reference, reference).eder == 0


def test_each_kind_of_error_by_hand():
    reference = Diarization([(0, 2, "neutral"), (2, 6, "sad"), (6, 10, "neutral")])
    hypothesis = Diarization([(0, 1, "neutral"), (1, 3, "sad"), (3, 4, "happy"), (8, 9, "happy")])
    error = emotion_error(reference, hypothesis)
    assert error == EmotionError(duration=10, false_alarm=2, missed=2, confusion=1)
    assert error.eder == pytest.approx(0.5)


def test_neutral_and_no_label_are_the_same():
    said, unsaid = Diarization([(0, 9, "calm")]), Diarization()
    uem = Timeline([(0, 9)])
    assert emotion_error(said, unsaid, uem=uem, neutral="calm").eder == 0
    assert emotion_error(unsaid, said, uem=uem, neutral="calm").eder == 0
    assert emotion_error(unsaid, said, uem=uem).eder == 1


def test_a_second_emotion_is_a_false_alarm_unless_the_reference_has_it():
    sad, both = Diarization([(0, 4, "sad")]), Diarization([(0, 4, "sad"), (0, 4, "angry")])
    assert emotion_error(sad, both).false_alarm == 4
    assert emotion_error(both, sad).missed == 4
    assert emotion_error(both, both, protocol=Protocol(skip_overlap=True)).duration == 0


def test_collars_lie_on_every_boundary_of_the_reference():
    reference = Diarization([(0, 2, "neutral"), (2, 6, "sad")])
    error = emotion_error(reference, Diarization([(0, 6, "sad")]), protocol=Protocol(0.5))
    assert (error.duration, error.false_alarm) == (4, 1)


def test_nothing_scored():
    assert emotion_error(Diarization(), Diarization()).eder == 0
