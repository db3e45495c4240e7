"""SepFormer checkpoints as SpeechBrain publishes them, from a folder or the hub.

They are torch's. Each is converted once and kept as an ONNX file in the cache folder of the user; only that
first time needs torch (extra `train`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.conversions import cache, keep, needing_torch, sha256_of
from tertulia.hub import locate
from tertulia.inference import Network
from tertulia.separation.sepformer import SepFormerSeparator

__all__ = ["SpeechBrainSeparator"]

Samples = NDArray[np.float32]

_INSTEAD = "`--separator sepformer` takes weights of one's own training"
_CHECKPOINTS = ("encoder", "masknet", "decoder")
_HYPERPARAMETERS = "hyperparams"
_USUAL_RATE = 8000  # of the published models, unless they say otherwise
_SHORTEST = 64  # samples that fill at least one filter
# To be raised when the conversion changes, so that files of an earlier one are not taken for those of this.
_CONVERSION = 1


@dataclass(frozen=True)
class SpeechBrainSeparator(SepFormerSeparator):
    """A published SepFormer.

    Args:
        weights: a folder or hub id (`org/name[@revision]`) with `encoder.ckpt`, `masknet.ckpt`,
            `decoder.ckpt` and `hyperparams.yaml`.
        window: seconds that are separated at once.
        overlap: seconds that two windows share; there it is seen whose voice is which.
        threads: 0 takes one a core.

    Raises:
        ModelMissingError: when a file is neither here nor to be had.
        MissingExtraError: when it has still to be converted and torch is not installed.
        InputError: when it is damaged, carries code, or is of another network.
        OutputError: when the result of the conversion cannot be kept.
    """

    weights: str = "speechbrain/sepformer-wham"

    def __post_init__(self) -> None:
        self._check()
        _ = self._converted  # what is missing is to be told now, not in the middle of a recording

    @cached_property
    def _files(self) -> dict[str, Path]:
        names = {part: f"{part}.ckpt" for part in _CHECKPOINTS} | {_HYPERPARAMETERS: "hyperparams.yaml"}
        return {part: locate(self.weights, (name,), _INSTEAD) for part, name in names.items()}

    @cached_property
    def _converted(self) -> Path:
        digests = [bytes.fromhex(sha256_of(path)) for path in self._files.values()]
        digest = hashlib.sha256(b"".join(digests)).hexdigest()
        path = cache() / f"sepformer-{_CONVERSION}-{digest}.onnx"
        if not path.is_file():
            with needing_torch(self._files["masknet"], _INSTEAD):
                from tertulia.networks.speechbrain import convert
            keep(path, lambda fresh: convert(self._files, fresh), path.is_file)
        return path

    @cached_property
    def network(self) -> Network:
        """The network: mixtures (batch, samples) → voices (batch, voices, samples)."""
        return Network(str(self._converted), self.threads)

    @cached_property
    def sample_rate(self) -> int:  # type: ignore[override]
        """Of the sound it takes and gives, in Hz."""
        text = self._files[_HYPERPARAMETERS].read_text(encoding="utf-8", errors="replace")
        match = re.search(r"^\s*sample_rate:\s*(\d+)", text, re.M)
        return int(match[1]) if match else _USUAL_RATE

    def _window(self, mixture: Samples) -> Samples:
        """Separate a window."""
        padded = np.pad(mixture, (0, max(0, _SHORTEST - len(mixture))))
        return super()._window(padded)[:, : len(mixture)]
