"""ECAPA-TDNN voices: the network that `recipes/ecapa.toml` and its kin train, run by ONNX Runtime.

Source: B. Desplanques, J. Thienpondt and K. Demuynck, "ECAPA-TDNN: Emphasized channel attention, propagation
and aggregation in TDNN based speaker verification" (Interspeech 2020); see `tertulia.networks.ecapa`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.trained import Trained
from tertulia.embedding.voices import unit

__all__ = ["ECAPA"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class ECAPA(Trained):
    """ECAPA-TDNN on every window, its attentive pooling once for each local speaker.

    The second half takes frames (1, time, channels) and weights (masks, time).
    """

    weights: str = "ecapa"

    dim = 192
    halves = ("frames", "pooling")
    _frame = 0.01

    def _embed(self, frames: Array, masks: Array) -> Array:
        return unit(self._half("pooling")(frames=frames[None], weights=np.ascontiguousarray(masks)))
