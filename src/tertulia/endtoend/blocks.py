"""Long recordings in overlapping blocks whose speakers are matched where blocks overlap.

What a network of this kind can hear at once is bounded by the memory its attention takes, which grows with
the square of the length. Two blocks that overlap tell who is who where both hear the same speech. A speaker
who is silent in the overlap cannot be matched that way and takes a place that is left: for hours of audio, or
more people than the network has outputs, embeddings across blocks do better (`hybrid`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import slide
from tertulia.endtoend.hearing import Array, Hearing

__all__ = ["Blocks", "matched"]


@dataclass(frozen=True)
class Blocks:
    """Hears a recording block by block.

    Args:
        network: what hears.
        window: seconds of a block.
        overlap: seconds that two blocks share.

    Raises:
        ValueError: when an overlap is as long as its block.
    """

    network: Hearing
    window: float
    overlap: float

    def __post_init__(self) -> None:
        if not 0 < self.overlap < self.window:
            raise ValueError(f"overlap lies in (0, window); got {self.overlap} and {self.window}")

    def __call__(self, blocks: Iterable[Array]) -> Iterator[Array]:
        """Map a mono recording in pieces (n,) to probabilities in pieces (frames, speakers).

        Where two blocks overlap, their mean counts.
        """
        hop = self.network.hop
        size = max(2, round(self.window * self.network.sample_rate / hop))  # frames
        shared = min(size - 1, max(1, round(self.overlap * self.network.sample_rate / hop)))
        kept = np.empty((0, self.network.speakers), np.float32)  # what the next block may still change
        step = (size - shared) * hop
        for windows in slide(blocks, self.network.sample_rate, size=size * hop, hop=step, batch=1):
            sound = windows.samples[windows.lead : min(windows.lead + windows.size, windows.sound)]
            found = self.network.activity(self.network.frames(sound))
            both = min(len(kept), len(found))
            if both:
                found = found[:, matched(kept[:both], found[:both])]
                found[:both] = (found[:both] + kept[:both]) / 2
            final = len(found) if len(found) < size else size - shared
            yield found[:final]
            kept = found[final:]
        yield kept


def matched(before: Array, after: Array) -> NDArray[np.intp]:
    """Order the columns of `after` so that they fit `before`, (frames, speakers) each → (speakers,).

    The sum of products over speakers is greatest; of equally good orders, the one that changes least.
    """
    from scipy.optimize import linear_sum_assignment

    together = before.T.astype(np.float64) @ after
    together += 1e-6 * np.eye(len(together)) * max(len(before), 1)
    return np.asarray(linear_sum_assignment(together, maximize=True)[1])
