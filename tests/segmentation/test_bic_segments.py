import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.gaussians import Moments
from tertulia.segmentation.bic import bic_segments, glr_changes, linear_bic, quiet_edges


def speech(*voices: float, frames: int = 600, seed: int = 0) -> np.ndarray:
    """Frames of speakers that differ in the mean of their cepstra, one after the other."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(voice, 1, (frames, 5)) for voice in voices]).astype(np.float32)


def test_segments_are_the_speakers():
    assert bic_segments(speech(0, 2, -2, 0)).tolist() == [[0, 600], [600, 1200], [1200, 1800], [1800, 2400]]


def test_one_speaker_is_one_segment_though_the_first_pass_cuts():
    frames = speech(0, 0, 0, 0)
    assert len(glr_changes(frames)) >= 3
    assert bic_segments(frames).tolist() == [[0, 2400]]


def test_a_higher_penalty_leaves_fewer_segments():
    frames = speech(0, 0.5, 1, 0.2, frames=300)
    counts = [len(bic_segments(frames, 100, weight)) for weight in (0.1, 1.0, 3.0, 30.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1] == 1


@settings(deadline=None, max_examples=30)
@given(frames=st.integers(0, 900), width=st.integers(10, 300), seed=st.integers(0, 99))
def test_segments_tile_any_features(frames, width, seed):
    values = np.random.default_rng(seed).normal(size=(frames, 3)).astype(np.float32)
    bounds = bic_segments(values, width)
    edges = np.concatenate([bounds[:, 0], [frames]]) if frames else np.empty(0)
    np.testing.assert_array_equal(bounds.ravel(), np.repeat(edges, 2)[1:-1])
    assert (bounds[:, 1] > bounds[:, 0]).all()
    changes = glr_changes(values, width)
    assert (np.diff(changes) >= width // 10 * 10).all()


@pytest.mark.parametrize("values", [np.zeros((2000, 4)), np.ones((1, 4)), np.full((700, 4), 1e6)])
def test_equal_features_are_one_segment(values):
    assert bic_segments(values.astype(np.float32)).tolist() == [[0, len(values)]]


def test_linear_clustering_by_hand():
    frames = speech(0, 0, 3, 3, 0, frames=100)
    stretches = Moments.of(frames, [(i * 100, (i + 1) * 100) for i in range(5)])
    assert linear_bic(stretches, 1.0).tolist() == [0, 0, 1, 1, 2]
    assert linear_bic(stretches[:0], 1.0).tolist() == []
    assert linear_bic(stretches[:1], 1.0).tolist() == [0]


def test_changes_move_to_the_quietest_frame():
    labels = np.repeat([0, 1, 0], [100, 50, 100])
    loudness = np.ones(250)
    loudness[88:93] = 0  # earlier than the first change
    loudness[158:163] = 0  # later than the second
    moved = quiet_edges(labels, loudness)
    assert np.flatnonzero(np.diff(moved)).tolist() == [89, 159]
    assert moved[0] == moved[-1] == 0
    np.testing.assert_array_equal(quiet_edges(labels, np.ones(250), reach=0), labels)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_moving_changes_keeps_all_stays(data):
    lengths = data.draw(st.lists(st.integers(1, 40), min_size=0, max_size=8))
    labels = np.repeat(np.arange(len(lengths)) % 3, lengths)
    loudness = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=len(labels))
    moved = quiet_edges(labels, loudness)
    assert len(moved) == len(labels)
    stays = labels[np.flatnonzero(np.diff(labels, prepend=-1))]
    assert moved[np.flatnonzero(np.diff(moved, prepend=-1))].tolist() == stays.tolist()
