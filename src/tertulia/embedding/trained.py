"""What networks that `tertulia train` wrote in two halves have in common at run time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.window import PerWindow
from tertulia.features import fbank
from tertulia.inference import Network
from tertulia.inference import weights as weights_path

__all__ = ["Trained"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Trained(PerWindow):
    """A network on every window whose frames and pooling are files of their own; its kinds say which.

    Args:
        exclude_overlap: embed a speaker from the frames it has alone, when there are enough of them.
        least: seconds of the mask below which overlap is not excluded, or there is no embedding.
        weights: bundled weights, or the path that two ONNX files of the same shapes begin with: those that
            `tertulia train` writes are `DIR/NAME`.
        threads: 0 takes one a core.

    Raises:
        ModelMissingError: when one of the files is not there.
    """

    weights: str = ""
    threads: int = 0

    sample_rate = 16_000
    halves: ClassVar[tuple[str, str]] = ("frames", "projection")

    def __post_init__(self) -> None:
        for half in self.halves:
            weights_path(f"{self.weights}-{half}")

    @cached_property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        names = [f"{self.weights}-{half}" for half in self.halves]
        return {name: Network(name, self.threads) for name in names}

    def _half(self, name: str) -> Network:
        return self.networks[f"{self.weights}-{name}"]

    def _frames_of(self, samples: Array) -> Array:
        """Compute frames from log-mel energies that are free of their mean over the window."""
        features = fbank(samples, centred=False)
        computed: Array = self._half("frames")(features=(features - features.mean(axis=0))[None])[0]
        return computed
