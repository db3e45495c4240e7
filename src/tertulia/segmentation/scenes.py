"""What is heard every 10 ms: silence, speech, music, noise, speech over music."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows
from tertulia.features import fbank
from tertulia.frames import Grid
from tertulia.inference import Network, weights
from tertulia.segmentation.activity import Activity
from tertulia.segmentation.speech import WindowedSpeech

__all__ = ["CLASSES", "GRID", "SPOKEN", "CRDNNSegmenter", "SceneSegmenter"]

Array = NDArray[np.float32]

CLASSES = ("silence", "speech", "music", "noise", "speech over music")
SPOKEN = ("speech", "speech over music")
"""Classes in which somebody speaks."""

GRID = Grid(0.01)
"""Frames of the networks."""


@dataclass(frozen=True)
class _FromFeatures(WindowedSpeech):
    """A network on log-mel energies, run on windows that overlap a little.

    Args:
        hop: seconds between two windows.
        threshold: probability from which a frame is speech.
        weights: bundled weights or the path of an ONNX file of the same shape.
        threads: 0 takes one a core.
    """

    hop: float = 18.0
    weights: str = ""
    threads: int = 0

    window = 20.0
    bands: ClassVar[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        weights(self.weights)

    @cached_property
    def network(self) -> Network:
        """The network: log-mel energies (batch, frames, bands) → logits (batch, frames, classes)."""
        return Network(self.weights, self.threads)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return {self.weights: self.network}

    def probabilities(self, windows: Windows) -> Array:
        """Return how probable each class is, (windows, frames, classes)."""
        found = []
        for samples in windows.stack():  # one by one: the features of many take more memory than they save
            features = fbank(samples, self.bands)[None]  # (1, frames, bands)
            logits = self.network(features=features)[0]
            exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
            found.append(exponentials / exponentials.sum(axis=1, keepdims=True))
        return np.stack(found)

    def _spoken(self, probabilities: Array) -> Array:
        raise NotImplementedError

    def __call__(self, windows: Windows) -> Activity:
        """Segment a batch of windows."""
        speech = self._spoken(self.probabilities(windows))
        return self._activity(speech, GRID, windows.hop / windows.sample_rate)


@dataclass(frozen=True)
class SceneSegmenter(_FromFeatures):
    """Tells the classes of `CLASSES` apart; as a segmentation model, speech from the rest."""

    weights: str = "scenes"

    bands = 64

    def _spoken(self, probabilities: Array) -> Array:
        return np.asarray(probabilities[..., [CLASSES.index(name) for name in SPOKEN]].sum(axis=-1))


@dataclass(frozen=True)
class CRDNNSegmenter(_FromFeatures):
    """Convolutions, a recurrent network and a dense one that tell speech from the rest."""

    weights: str = "crdnn"

    bands = 40

    def _spoken(self, probabilities: Array) -> Array:
        return np.asarray(probabilities[..., 1])
