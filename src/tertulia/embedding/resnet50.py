"""ResNet50 voices: the network that `recipes/resnet50.toml` trains, run by ONNX Runtime.

Source: K. He et al., "Deep residual learning for image recognition" (CVPR 2016); see
`tertulia.networks.resnet50`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.trained import Trained
from tertulia.inference import Network

__all__ = ["ResNet50"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class ResNet50(Trained):
    """ResNet50 on the log-mel spectrogram of every window; its frames are averaged for each local speaker."""

    weights: str = "resnet50"

    dim = 512
    _frame = 0.32

    @property
    def frames(self) -> Network:
        """Features (batch, time, 80) → frames (batch, ⌈time / 32⌉, channels)."""
        return self._half("frames")

    @property
    def projection(self) -> Network:
        """Means of frames (masks, channels) → embeddings (masks, 512) of length 1."""
        return self._half("projection")

    def _embed(self, frames: Array, masks: Array) -> Array:
        return self.projection(pooled=masks @ frames / masks.sum(axis=1, keepdims=True))
