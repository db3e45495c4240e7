"""The loop over windows and local speakers, with a network whose answers can be computed in the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tertulia.audio.windows import Windows, slide
from tertulia.embedding import PerWindow, Voices
from tertulia.frames import Grid
from tertulia.segmentation import Activity


@dataclass(frozen=True)
class Level(PerWindow):
    """A frame is the mean of ten samples, the embedding its mean and deviation over the mask."""

    dim = 2
    _frame = 1.0

    def _frames_of(self, samples: np.ndarray) -> np.ndarray:
        return samples.reshape(-1, 10).mean(axis=1, keepdims=True)

    def _project(self, pooled: np.ndarray) -> np.ndarray:
        return pooled


def windows_of(levels: list[float]) -> Windows:
    """Windows of five seconds every two, at ten samples a second, each second of the level given."""
    (batch,) = slide([np.repeat(np.float32(levels), 10)], 10, size=50, hop=20, batch=9)
    return batch


def activity_of(*active: list[list[int]]) -> Activity:
    """Activity from who is active: windows, speakers, and ten frames of half a second in five seconds."""
    decided = np.array(active, bool).transpose(0, 2, 1)  # (windows, frames, speakers)
    alone = decided & (decided.sum(axis=2, keepdims=True) == 1)
    count = decided.sum(axis=2).astype(np.float32)
    return Activity(decided.astype(np.float32), decided, alone.astype(np.float32), count, Grid(0.5), 2.0)


FIRST = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]  # seconds 0 and 1
MOST = [0, 0, 1, 1, 1, 1, 1, 1, 1, 1]  # seconds 1 to 4
NEVER = [0] * 10


def embed(embedder: PerWindow, *active: list[list[int]]) -> Voices:
    return embedder(windows_of([1.0, 2.0, 4.0, 6.0, 8.0]), activity_of(*active))


def test_overlap_is_left_out() -> None:
    voices = embed(Level(), [FIRST, MOST, NEVER])
    assert voices.vectors.shape == (1, 3, 1, 2)
    np.testing.assert_allclose(voices.vectors[0, 0, 0], [1.0, 0.0])  # second 1 is shared
    np.testing.assert_allclose(voices.vectors[0, 1, 0], [6.0, 2.0])  # 4, 6, 8
    assert np.isnan(voices.vectors[0, 2]).all()
    np.testing.assert_allclose(voices.solo[0, :, 0], [1.0, 3.0, 0.0])
    np.testing.assert_allclose(voices.support, voices.solo)
    np.testing.assert_allclose(voices.present[0, :, 0], [2.0, 4.0, 0.0])
    assert (voices.hop, voices.piece) == (2.0, 5.0)


def test_overlap_can_be_kept() -> None:
    voices = embed(Level(exclude_overlap=False), [FIRST, MOST, NEVER])
    np.testing.assert_allclose(voices.vectors[0, 0, 0], [1.5, np.sqrt(0.5)])
    np.testing.assert_allclose(voices.vectors[0, 1, 0], [5.0, np.std([2, 4, 6, 8], ddof=1)], rtol=1e-6)


def test_overlap_is_kept_where_too_little_is_left_without_it() -> None:
    """The first speaker is alone for one second, which has to be more than `least`."""
    above, exactly = embed(Level(least=0.9), [FIRST, MOST]), embed(Level(least=1.0), [FIRST, MOST])
    np.testing.assert_allclose(above.vectors[0, 0, 0], [1.0, 0.0])
    np.testing.assert_allclose(exactly.vectors[0, 0, 0], [1.5, np.sqrt(0.5)])


def test_who_is_there_too_shortly_gets_no_vector() -> None:
    voices = embed(Level(least=2.5), [FIRST, MOST])
    assert voices.embedded[0, :, 0].tolist() == [False, True]


def test_windows_are_taken_apart_and_silent_ones_skipped() -> None:
    class Counting(Level):
        def _frames_of(self, samples: np.ndarray) -> np.ndarray:
            assert samples[0] != 4.0, "the silent window was computed"
            return super()._frames_of(samples)

    windows = windows_of([1.0, 2.0, 4.0, 6.0, 8.0, 8.0, 8.0, 10.0, 10.0])
    voices = Counting()(windows, activity_of([FIRST], [NEVER], [FIRST]))
    np.testing.assert_allclose(voices.vectors[[0, 2], 0, 0, 0], [1.5, 8.0])
    assert np.isnan(voices.vectors[1]).all()


def test_a_network_is_needed() -> None:
    with pytest.raises(TypeError, match="abstract"):
        PerWindow()
