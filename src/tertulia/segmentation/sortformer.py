"""Sortformer at run time: the two halves that `tertulia.networks.sortformer` describes, run by ONNX Runtime.

Source: T. Park et al., "Sortformer: Seamless integration of speaker diarization and ASR by bridging
timestamps and tokens" (2024, arXiv 2409.06656).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows
from tertulia.features import fbank
from tertulia.frames import Grid
from tertulia.inference import Network
from tertulia.inference import weights as weights_path
from tertulia.segmentation.activity import Activity

__all__ = ["Sortformer", "SortformerSegmenter"]

Array = NDArray[np.float32]

_HALVES = ("frames", "activity")


@dataclass(frozen=True)
class Sortformer:
    """Activity of speakers in order of arrival, a frame every 0.08 s.

    Args:
        weights: bundled weights, or the path that two ONNX files begin with: those that `tertulia train`
            writes are `DIR/NAME`.
        threads: 0 takes one a core.
        device: cpu or cuda.

    Raises:
        ModelMissingError: when one of the files is not there.
    """

    weights: str = "sortformer-tiny"
    threads: int = 0
    device: str = "cpu"

    sample_rate = 16_000
    step = 0.08
    subsampling = 8
    """Features in a frame."""
    hop = 1280
    """Samples in a frame."""

    def __post_init__(self) -> None:
        for half in _HALVES:
            weights_path(f"{self.weights}-{half}")

    @cached_property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        names = [f"{self.weights}-{half}" for half in _HALVES]
        return {name: Network(name, self.threads, self.device) for name in names}

    @cached_property
    def bands(self) -> int:
        """Mel bands of the features."""
        return int(self._half("frames").session.get_inputs()[0].shape[2])

    def frames(self, samples: Array) -> Array:
        """Sub-sample the features of samples (n,) to frames (⌈n / 1280⌉ or one less, dim)."""
        features = fbank(samples, self.bands)
        if not len(features):
            return np.empty((0, int(self._half("activity").session.get_inputs()[0].shape[2])), np.float32)
        computed: Array = self._half("frames")(features=features[None])[0]
        return computed

    def activity(self, frames: Array) -> Array:
        """Map frames (frames, dim) to probabilities (frames, speakers)."""
        if not len(frames):
            return np.empty((0, self.speakers), np.float32)
        computed: Array = self._half("activity")(frames=frames[None])[0]
        return computed

    @cached_property
    def speakers(self) -> int:
        """Outputs."""
        return int(self._half("activity").session.get_outputs()[0].shape[2])

    def __call__(self, samples: Array) -> Array:
        """Map samples (n,) to probabilities (frames, speakers)."""
        return self.activity(self.frames(samples))

    def _half(self, name: str) -> Network:
        return self.networks[f"{self.weights}-{name}"]


@dataclass(frozen=True)
class SortformerSegmenter:
    """A `Sortformer` on every window: speakers inside windows, for others to find again across them.

    Args:
        weights: see `Sortformer`.
        window: seconds the network sees at once.
        hop: seconds between two windows.
        onset: probability from which somebody is active.
        threads: 0 takes one a core.
        device: cpu or cuda.
    """

    weights: str = "sortformer-tiny"
    window: float = 20.0
    hop: float = 10.0
    onset: float = 0.5
    threads: int = 0
    device: str = "cpu"

    sample_rate = 16_000

    def __post_init__(self) -> None:
        if not (0 < self.hop <= self.window and 0 < self.onset < 1):
            raise ValueError(f"hop lies in (0, window], onset in (0, 1); got {self.hop} and {self.onset}")
        _ = self.network

    @cached_property
    def network(self) -> Sortformer:
        """What hears."""
        return Sortformer(self.weights, self.threads, self.device)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return self.network.networks

    def __call__(self, windows: Windows) -> Activity:
        """Segment a batch of windows."""
        found = [self._of_window(windows, i) for i in range(len(windows))]
        scores = np.stack(found)  # (windows, frames, local speakers)
        active = scores >= self.onset
        alone = active & (active.sum(axis=2, keepdims=True) == 1)
        solo = np.where(alone, scores, np.float32(0)).astype(np.float32)
        count = active.sum(axis=2).astype(np.float32)
        return Activity(
            scores, active, solo, count, Grid(self.network.step), windows.hop / windows.sample_rate
        )

    def _of_window(self, windows: Windows, index: int) -> Array:
        """Scores of one window (frames, local speakers); beyond the end of the recording nobody is active."""
        begin = windows.lead + index * windows.hop
        end = min(begin + windows.size, windows.sound)
        scores = np.zeros((-(-windows.size // self.network.hop), self.network.speakers), np.float32)
        if end > begin:  # the last window may begin after the sound has ended
            found = self.network(windows.samples[begin:end])[: len(scores)]
            scores[: len(found)] = found
        return scores
