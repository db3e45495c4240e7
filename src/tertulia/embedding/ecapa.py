"""ECAPA-TDNN voices: the network that `recipes/ecapa.toml` and its kin train, run by ONNX Runtime.

Source: B. Desplanques, J. Thienpondt and K. Demuynck, "ECAPA-TDNN: Emphasized channel attention, propagation
and aggregation in TDNN based speaker verification" (Interspeech 2020); see `tertulia.networks.ecapa`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.voices import unit
from tertulia.embedding.window import PerWindow
from tertulia.features import fbank
from tertulia.inference import Network
from tertulia.inference import weights as weights_path

__all__ = ["ECAPA"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class ECAPA(PerWindow):
    """ECAPA-TDNN on every window, its attentive pooling once for each local speaker.

    Args:
        exclude_overlap: embed a speaker from the frames it has alone, when there are enough of them.
        least: seconds of the mask below which overlap is not excluded, or there is no embedding.
        weights: bundled weights, or the path that two ONNX files of the same shapes begin with: those that
            `tertulia train` writes are `DIR/NAME`.
        threads: 0 takes one a core.
    """

    weights: str = "ecapa"
    threads: int = 0

    sample_rate = 16_000
    dim = 192
    _frame = 0.01

    def __post_init__(self) -> None:
        for half in ("frames", "pooling"):
            weights_path(f"{self.weights}-{half}")

    @cached_property
    def frames(self) -> Network:
        """Features (batch, time, 80) → frames (batch, time, channels)."""
        return Network(f"{self.weights}-frames", self.threads)

    @cached_property
    def pooling(self) -> Network:
        """Frames (1, time, channels) and weights (masks, time) → embeddings (masks, 192)."""
        return Network(f"{self.weights}-pooling", self.threads)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return {f"{self.weights}-frames": self.frames, f"{self.weights}-pooling": self.pooling}

    def _frames_of(self, samples: Array) -> Array:
        features = fbank(samples, centred=False)
        computed: Array = self.frames(features=(features - features.mean(axis=0))[None])[0]
        return computed

    def _embed(self, frames: Array, masks: Array) -> Array:
        return unit(self.pooling(frames=frames[None], weights=np.ascontiguousarray(masks)))
