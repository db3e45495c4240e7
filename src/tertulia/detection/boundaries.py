"""From probabilities of speech to its boundaries.

The steps are those of SpeechBrain's recipe for voice activity detection (M. Ravanelli et al., "SpeechBrain: A
general-purpose speech toolkit", 2021): hysteresis, energy inside what was found, close segments merged, short
ones removed, and a second look at the mean probability of what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tertulia.binarize import Hysteresis
from tertulia.frames import Frames
from tertulia.stitch import Stitched
from tertulia.timeline import Timeline

__all__ = ["Boundaries"]


@dataclass(frozen=True)
class Boundaries:
    """Where speech begins and ends.

    Args:
        onset: probability at which speech begins, in (0, 1].
        offset: probability below which it ends, in (0, onset].
        min_duration_on: seconds; shorter speech is dropped.
        min_duration_off: seconds; shorter pauses are filled.
        certain: mean probability that a stretch of speech needs, at last, to stay.
        energy: cut each stretch down to where it is loud. Finer than the frames of a network, but soft ends
            of words go too: it costs more than it gains wherever speech is not equally loud.
    """

    onset: float = 0.5
    offset: float = 0.35
    min_duration_on: float = 0.1
    min_duration_off: float = 0.3
    certain: float = 0.25
    energy: bool = False

    def __post_init__(self) -> None:
        self._hysteresis  # noqa: B018 — checks the four it shares with it
        if not 0 <= self.certain <= 1:
            raise ValueError(f"certain is a probability in [0, 1]; got {self.certain}")

    @property
    def _hysteresis(self) -> Hysteresis:
        return Hysteresis(self.min_duration_on, self.min_duration_off, self.onset, self.offset)

    def __call__(self, speech: Frames, level: Frames) -> Timeline:
        """Find speech.

        Args:
            speech: (frames, 1), probability of speech.
            level: (frames, 1), level of the sound in decibels, on a grid of its own.
        """
        active = self._hysteresis(Stitched(speech, speech.scores[:, 0]))[:, 0]
        found = speech.grid.timeline(active)
        if self.energy:
            found = _loud(found, level)
        found = found.without_gaps_under(self.min_duration_off)
        found = found.without_segments_under(self.min_duration_on)
        keep = means(speech, found) >= self.certain
        return Timeline.from_bounds(found.bounds[keep])


def means(frames: Frames, timeline: Timeline) -> NDArray[np.float64]:
    """Mean score over each segment, frames (frames, 1) → (segments,); at least one frame counts."""
    total = np.r_[0.0, np.cumsum(frames.scores[:, 0], dtype=np.float64)]
    first = np.clip(frames.grid.indices(timeline.bounds[:, 0] + frames.grid.step / 2), 0, len(frames) - 1)
    last = np.clip(frames.grid.indices(timeline.bounds[:, 1] + frames.grid.step / 2), first + 1, len(frames))
    return np.asarray((total[last] - total[first]) / (last - first))


def _loud(found: Timeline, level: Frames) -> Timeline:
    """Keep of each segment what is loud beside the rest of it.

    Levels are brought to mean ½ and standard deviation ½ within the segment; loud begins at the mean and ends
    one standard deviation below it.
    """
    hysteresis = Hysteresis(onset=0.5, offset=1e-6)
    kept = np.zeros(len(level), dtype=bool)
    edges = np.clip(level.grid.indices(found.bounds + level.grid.step / 2), 0, len(level))
    for first, last in edges.tolist():
        inside = level.scores[first:last]
        spread = 2 * inside.std() if len(inside) else 0.0
        if spread > 0:
            scores = Frames((inside - inside.mean()) / spread + np.float32(0.5), level.grid)
            kept[first:last] = hysteresis(Stitched(scores, scores.scores[:, 0]))[:, 0]
        else:
            kept[first:last] = True
    return level.grid.timeline(kept) & found
