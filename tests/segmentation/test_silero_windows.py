"""Silero in windows of any length, with and without a memory of what came before them."""

from __future__ import annotations

import numpy as np
import pytest

from tertulia.audio.windows import slide
from tertulia.errors import UsageError
from tertulia.segmentation import Activity, SileroSegmenter
from tertulia.systems import build, system

RATE, FRAME = 16_000, 512


def segmented(samples: np.ndarray, segmenter: SileroSegmenter) -> Activity:
    size, hop = round(segmenter.window * RATE), round(segmenter.hop * RATE)
    (batch,) = slide([samples], RATE, size=size, hop=hop, batch=64)
    return segmenter(batch)


def test_short_windows_that_remember_are_cut_from_the_whole(sound: np.ndarray) -> None:
    samples = sound[: 12 * RATE]
    (whole,) = segmented(samples, SileroSegmenter(window=12.0, hop=12.0, threads=1)).scores
    found = segmented(samples, SileroSegmenter(window=1.5, hop=0.75, remember=True, threads=1))
    assert found.scores.shape == (15, 47, 1)
    for window, speech in enumerate(found.scores):
        nearest = np.rint(window * 0.75 * RATE / FRAME + np.arange(46)).astype(int)
        np.testing.assert_allclose(speech[:46], whole[nearest], atol=1e-5)


def test_one_window_has_nothing_to_remember(sound: np.ndarray) -> None:
    samples = sound[: 2 * RATE]
    first, second = (
        segmented(samples, SileroSegmenter(window=2.0, hop=2.0, remember=remember, threads=1))
        for remember in (False, True)
    )
    np.testing.assert_array_equal(first.scores, second.scores)


def test_without_a_memory_every_window_is_the_first(sound: np.ndarray) -> None:
    settings = {"window": 1.5, "hop": 1.5, "threads": 1}
    samples = sound[3 * RATE : 6 * RATE]
    forgetful = segmented(samples, SileroSegmenter(**settings))
    alone = segmented(samples[round(1.5 * RATE) :], SileroSegmenter(**settings))
    np.testing.assert_allclose(forgetful.scores[1], alone.scores[0], atol=1e-6)
    heard = segmented(samples, SileroSegmenter(**settings, remember=True))
    assert not np.allclose(heard.scores[1], alone.scores[0], atol=1e-3)


def test_a_hop_beyond_the_window_is_refused() -> None:
    table = {
        "segmentation": {"name": "silero", "window": 1.5, "hop": 2.0},
        "embedding": {"name": "campplus-window"},
        "clustering": {"name": "agglomerative"},
    }
    with pytest.raises(UsageError, match=r"hop lies in \(0, 1.5\] seconds"):
        build(system(table, "mine", "mine.toml"))
