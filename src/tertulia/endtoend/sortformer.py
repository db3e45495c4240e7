"""Sortformer at run time: the two halves that `tertulia.networks.sortformer` describes, run by ONNX Runtime.

Source: T. Park et al., "Sortformer: Seamless integration of speaker diarization and ASR by bridging
timestamps and tokens" (2024, arXiv 2409.06656).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.track import VoiceTrack
from tertulia.endtoend.spectrogram import Spectrogram
from tertulia.features import fbank
from tertulia.inference import Network
from tertulia.inference import weights as weights_path

__all__ = ["HALVES", "Sortformer"]

Array = NDArray[np.float32]

HALVES = ("frames", "activity")
"""The files of a network, `NAME-frames.onnx` and `NAME-activity.onnx`."""

_AROUND = 2  # frames beside one that its features and their sub-sampling look at
# … and that its embedding does: half a pooled stretch, the context of CAM++ and its sliding mean.
_VOICES = 40


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
        for half in HALVES:
            weights_path(f"{self.weights}-{half}")

    @cached_property
    def _halves(self) -> dict[str, Network]:
        names = {half: f"{self.weights}-{half}" for half in HALVES}
        return {half: Network(name, self.threads, self.device) for half, name in names.items()}

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        own = {f"{Path(self.weights).name}-{half}": network for half, network in self._halves.items()}
        return own if self._track is None else {**self._track.networks, **own}

    @cached_property
    def _track(self) -> VoiceTrack | None:
        """Makes the second input, where the network has one."""
        wanted = [each.name for each in self._half("frames").session.get_inputs()]
        return VoiceTrack(threads=self.threads, device=self.device) if "voices" in wanted else None

    @property
    def before(self) -> int:
        """Frames before a stretch that have to be seen for its own to be what they are in a recording."""
        return _AROUND if self._track is None else _VOICES

    @cached_property
    def _spectrogram(self) -> Spectrogram | None:
        """Makes features for networks that do not take those of Kaldi: what a file beside them says."""
        path = Path(f"{self.weights}-features.npz")
        return Spectrogram.read(path) if path.is_file() else None

    @cached_property
    def bands(self) -> int:
        """Mel bands of the features."""
        return int(self._half("frames").session.get_inputs()[0].shape[2])

    def frames(self, samples: Array) -> Array:
        """Sub-sample the features of samples (n,) to frames (⌈n / 1280⌉ or one less, dim)."""
        features = fbank(samples, self.bands) if self._spectrogram is None else self._spectrogram(samples)
        if not len(features):
            return np.empty((0, int(self._half("activity").session.get_inputs()[0].shape[2])), np.float32)
        inputs = {"features": features[None]}
        if self._track is not None:
            inputs["voices"] = self._track(samples)[None]
        computed: Array = self._half("frames")(**inputs)[0]
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
        return self._halves[name]
