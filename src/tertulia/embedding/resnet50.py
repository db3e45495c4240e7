"""ResNet50 voices: the network that `recipes/resnet50.toml` trains, run by ONNX Runtime.

Source: K. He et al., "Deep residual learning for image recognition" (CVPR 2016); see
`tertulia.networks.resnet50`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.window import PerWindow
from tertulia.features import fbank
from tertulia.inference import Network
from tertulia.inference import weights as weights_path

__all__ = ["ResNet50"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class ResNet50(PerWindow):
    """ResNet50 on the log-mel spectrogram of every window; its frames are averaged for each local speaker.

    Args:
        exclude_overlap: embed a speaker from the frames it has alone, when there are enough of them.
        least: seconds of the mask below which overlap is not excluded, or there is no embedding.
        weights: bundled weights, or the path that two ONNX files of the same shapes begin with: those that
            `tertulia train` writes are `DIR/NAME`.
        threads: 0 takes one a core.
    """

    weights: str = "resnet50"
    threads: int = 0

    sample_rate = 16_000
    dim = 512
    _frame = 0.32

    def __post_init__(self) -> None:
        for half in ("frames", "projection"):
            weights_path(f"{self.weights}-{half}")

    @cached_property
    def frames(self) -> Network:
        """Features (batch, time, 80) → frames (batch, ⌈time / 32⌉, channels)."""
        return Network(f"{self.weights}-frames", self.threads)

    @cached_property
    def projection(self) -> Network:
        """Means of frames (masks, channels) → embeddings (masks, 512) of length 1."""
        return Network(f"{self.weights}-projection", self.threads)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return {f"{self.weights}-frames": self.frames, f"{self.weights}-projection": self.projection}

    def _frames_of(self, samples: Array) -> Array:
        features = fbank(samples, centred=False)
        computed: Array = self.frames(features=(features - features.mean(axis=0))[None])[0]
        return computed

    def _embed(self, frames: Array, masks: Array) -> Array:
        return self.projection(pooled=masks @ frames / masks.sum(axis=1, keepdims=True))
