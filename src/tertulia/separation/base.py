"""`Separator`: what takes voices that speak at once apart."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Separator"]

Samples = NDArray[np.float32]


class Separator(Protocol):
    """Takes a mixture of voices apart.

    Attributes:
        sample_rate: of the sound it takes and gives, in Hz.
        voices: how many voices it always gives.
    """

    @property
    def sample_rate(self) -> int: ...  # noqa: D102
    @property
    def voices(self) -> int: ...  # noqa: D102

    def __call__(self, mixture: Samples) -> Samples:
        """Separate a stretch of sound, (n,) → (voices, n), in no particular order."""
        ...
