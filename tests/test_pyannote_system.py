"""The system `pyannote-3.1`: the source's settings, pyannote's own answer, and our promise about counts."""

from dataclasses import replace

import numpy as np
import pytest

import tertulia
from tertulia.binarize import TopCount
from tertulia.counting import reconcile
from tertulia.evaluation import diarization_error
from tertulia.frames import Frames, Grid
from tertulia.speakers import ANY, Speakers
from tertulia.stitch import Stitched

# What pyannote.audio 4.0.7 answers to the bundled recording, with the same two networks
# (`benchmarks/pyannote_reference.py --stable-ties`): start, duration, speaker.
ANSWER = """
6.730 0.439 SPEAKER_00
7.169 0.017 SPEAKER_01
7.591 0.726 SPEAKER_00
8.317 1.603 SPEAKER_01
9.920 1.063 SPEAKER_00
10.460 4.286 SPEAKER_01
14.307 3.578 SPEAKER_00
18.020 3.493 SPEAKER_01
18.155 0.287 SPEAKER_00
21.766 6.733 SPEAKER_00
27.858 2.109 SPEAKER_01
"""
FRAME = 270 / 16_000


class Remembered:
    """A part of the system that runs once for each batch of windows; there is one recording here."""

    def __init__(self, part):
        self.part, self.answers = part, {}

    def __getattr__(self, name):
        return getattr(self.part, name)

    def __call__(self, windows, *rest):
        if windows.index not in self.answers:
            self.answers[windows.index] = self.part(windows, *rest)
        return self.answers[windows.index]


@pytest.fixture(scope="module")
def system() -> tertulia.Diarizer:
    loaded = tertulia.load("pyannote-3.1")
    return replace(loaded, segmenter=Remembered(loaded.segmenter), embedder=Remembered(loaded.embedder))


def turns(lines: str) -> tertulia.Diarization:
    fields = [line.split() for line in lines.split("\n") if line]
    return tertulia.Diarization(
        [(float(start), float(start) + float(length), who) for start, length, who in fields]
    )


def test_the_numbers_are_those_of_the_source(system):
    assert (system.segmenter.window, system.segmenter.hop, system.segmenter.soft) == (10.0, 1.0, False)
    assert system.embedder.exclude_overlap
    clusterer = system.clusterer
    assert (clusterer.method, clusterer.min_cluster_size) == ("centroid", 12)
    assert clusterer.threshold == 0.7045654963945799
    assert not clusterer.constrained
    assert (system.binarize.min_duration_on, system.binarize.min_duration_off) == (0.0, 0.0)
    assert system.sliding.least == 1, "the step is one second, however short the recording"


def test_a_fifth_of_the_frames_of_a_window_makes_a_vector_count(system):
    """pyannote counts frames: 118 of 589 are a fifth, 117 are not."""
    assert 117 * FRAME < system.clusterer.least < 118 * FRAME


def test_the_answer_is_that_of_pyannote(system, recording):
    """Turns are the same; its boundaries are the middles of frames, ours their edges, half a frame before."""
    theirs, result = turns(ANSWER), system(recording)
    error = diarization_error(theirs, result)
    assert error.der < 0.01
    ours = np.array(sorted((turn.start, turn.end) for turn in result))
    expected = np.array(sorted((turn.start, turn.end) for turn in theirs))
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected - FRAME / 2, atol=0.001)


@pytest.mark.parametrize(
    "speakers", [Speakers(1), Speakers(3), Speakers(minimum=4), Speakers(maximum=1)], ids=str
)
def test_a_known_number_of_speakers_is_kept(system, recording, speakers):
    assert len(system(recording, speakers).speakers) in speakers


# ── two at once, taken for one ───────────────────────────────────────────────────────────────────────────


def stitched(scores, count) -> Stitched:
    return Stitched(Frames(np.array(scores, np.float32), Grid(FRAME)), np.array(count, np.float32))


def test_fill_lets_others_speak_where_more_are_counted_than_have_a_score():
    before = stitched([[0, 1, 0], [0, 0.5, 0.1], [0, 1, 0]], [2, 2, 1])
    assert TopCount()(before).astype(int).tolist() == [[0, 1, 0], [0, 1, 1], [0, 1, 0]]
    assert TopCount(fill=True)(before).astype(int).tolist() == [[1, 1, 0], [0, 1, 1], [0, 1, 0]]
    assert TopCount(fill=True)(before, at_most=1).astype(int).tolist() == [[0, 1, 0]] * 3


def test_two_at_once_make_a_second_speaker():
    before = stitched([[1], [1], [0]], [1, 1.6, 0])
    after = reconcile(before, ANY)
    assert after.frames.scores.tolist() == [[1, 0], [1, 0], [0, 0]]
    assert TopCount(fill=True)(after).astype(int).tolist() == [[1, 0], [1, 1], [0, 0]]
    assert TopCount()(after).astype(int).tolist() == [[1, 0], [1, 0], [0, 0]]


def test_but_not_against_a_known_number():
    before = stitched([[1], [1], [0]], [1, 1.6, 0])
    for speakers in (Speakers(1), Speakers(maximum=1)):
        after = reconcile(before, speakers)
        assert after.frames.scores.shape == (3, 1)
        assert after.count.tolist() == [1, 1, 0]


def test_nothing_is_reconciled_that_fits():
    before = stitched([[1, 0], [0.5, 0.5], [0, 0]], [1, 2, 0])
    for speakers in (ANY, Speakers(2), Speakers(maximum=5)):
        after = reconcile(before, speakers)
        np.testing.assert_array_equal(after.frames.scores, before.frames.scores)
        np.testing.assert_array_equal(after.count, before.count)


def test_half_of_the_windows_do_not_make_speech():
    assert TopCount()(stitched([[0.5], [0.6]], [0.5, 0.6])).tolist() == [[False], [True]]
    assert TopCount()(stitched([[0.9, 0.6]], [1.5])).tolist() == [[True, True]]
