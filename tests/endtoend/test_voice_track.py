from __future__ import annotations

import numpy as np
import pytest

from tertulia.embedding.pooling import statistics
from tertulia.embedding.track import VoiceTrack
from tertulia.embedding.voices import unit


@pytest.fixture(scope="module")
def track() -> VoiceTrack:
    return VoiceTrack(threads=1)


def test_an_embedding_is_pooled_around_its_frame(track, sound):
    samples = sound[: 16_000 * 6]
    found = track(samples)
    assert found.shape == (75, VoiceTrack.dim)
    fine = track.embedder.frames_of(samples)  # 20 ms
    middle = 40
    weights = np.zeros((1, len(fine)), np.float32)
    weights[0, 4 * (middle - track.reach) : 4 * (middle + track.reach + 1)] = 1
    pooled = statistics(fine, weights)
    expected = unit(track.embedder.projection(statistics=pooled))[0]
    # The standard deviation is that of the population, which for 68 frames differs little.
    assert float(expected @ found[middle, 512:]) > 0.999


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (60, 0), (160, 1), (1280, 1), (1281, 1), (1360, 2)])
def test_a_frame_for_eight_features(track, samples, frames):
    assert track(np.zeros(samples, np.float32)).shape == (frames, VoiceTrack.dim)


def test_a_stretch_with_enough_before_it_is_as_in_the_recording(track, sound):
    """What streaming relies on: `Sortformer.before` frames are enough."""
    from tertulia.endtoend.sortformer import _VOICES

    samples = sound[: 16_000 * 10]
    whole = track(samples)
    begin = 60
    stretch = track(samples[(begin - _VOICES) * 1280 :])[_VOICES:]
    alike = (whole[begin:, 512:] * stretch[:, 512:]).sum(axis=1)
    assert alike.min() > 0.98
