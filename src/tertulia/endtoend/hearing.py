"""`Hearing`: what blocks and streaming ask of a network."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Hearing"]

Array = NDArray[np.float32]


class Hearing(Protocol):
    """A network in two halves, such as `tertulia.endtoend.sortformer.Sortformer`.

    Attributes:
        sample_rate: in Hz.
        hop: samples in a frame.
        speakers: outputs.
        before: frames before a stretch of sound without which its first would not be what they are in a whole
            recording.
    """

    @property
    def sample_rate(self) -> int: ...  # noqa: D102
    @property
    def hop(self) -> int: ...  # noqa: D102
    @property
    def speakers(self) -> int: ...  # noqa: D102
    @property
    def before(self) -> int: ...  # noqa: D102

    def frames(self, samples: Array) -> Array:
        """Map samples (n,) to frames (about n / hop, dim), each of which looks at little around it."""
        ...

    def activity(self, frames: Array) -> Array:
        """Map frames (frames, dim), looking at all of them, to probabilities (frames, speakers)."""
        ...
