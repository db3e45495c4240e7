"""Published speaker embeddings whose weights are not bundled: WeSpeaker ResNet34 and pyannote's x-vector.

Their checkpoints are torch's. Each is converted once, when a system that names it is built, and kept as two
ONNX files in the cache folder of the user; only that first time needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tertulia.conversions import cache, keep, needing_torch, sha256_of
from tertulia.embedding.window import PerWindow
from tertulia.features import fbank
from tertulia.hub import locate
from tertulia.inference import Network

__all__ = ["ResNet34", "XVector", "published"]

Array = NDArray[np.float32]

_INSTEAD = "`--embedding campplus` runs without it"
_CHECKPOINTS = ("model.safetensors", "pytorch_model.bin")
_HALVES = ("frames.onnx", "projection.onnx")
# To be raised when the conversion changes, so that files of an earlier one are not taken for those of this.
_CONVERSION = 1


@dataclass(frozen=True)
class _Published:
    """The two halves of a network around its statistics, made from a checkpoint."""

    weights: str
    threads: int = 0
    device: str = "cpu"

    sample_rate = 16_000
    _architecture: ClassVar[str]

    def __post_init__(self) -> None:
        _ = self._folder  # what is missing is to be told now, not in the middle of a recording

    @cached_property
    def _folder(self) -> Path:
        return _converted(self.weights, self._architecture)

    @cached_property
    def frames(self) -> Network:
        """Features or waveforms → frames (batch, frames, channels)."""
        return Network(str(self._folder / _HALVES[0]), self.threads, self.device)

    @cached_property
    def projection(self) -> Network:
        """Statistics (batch, 2 · channels) → embeddings (batch, dim)."""
        return Network(str(self._folder / _HALVES[1]), self.threads, self.device)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        name = self._architecture
        return {f"{name}-frames": self.frames, f"{name}-projection": self.projection}


@dataclass(frozen=True)
class ResNet34(PerWindow, _Published):
    """WeSpeaker's ResNet34 on every window, one embedding for each local speaker, overlap excluded.

    Args:
        exclude_overlap: embed a speaker from the frames it has alone, when there are enough of them.
        least: seconds of the mask below which overlap is not excluded, or there is no embedding.
        weights: a checkpoint: its path, the folder or hub id (`org/name[@revision]`) of a
            `model.safetensors` or `pytorch_model.bin`; or a folder with a `frames.onnx` and a
            `projection.onnx` that were made of one.
        threads: 0 takes one a core.
        device: cpu or cuda.

    Raises:
        ModelMissingError: when the checkpoint is neither here nor to be had.
        MissingExtraError: when it has still to be converted and torch is not installed.
        InputError: when it is damaged, carries code, or is of another network.
        OutputError: when the result of the conversion cannot be kept.
    """

    weights: str = "pyannote/wespeaker-voxceleb-resnet34-LM"

    dim = 256
    _frame = 0.08
    _architecture = "resnet34"

    def _frames_of(self, samples: Array) -> Array:
        # As WeSpeaker does it: Hamming windows on the amplitudes of 16-bit samples.
        features = fbank(samples * np.float32(1 << 15), centred=False, window="hamming")
        features = features - features.mean(axis=0)
        computed: Array = self.frames(features=features[None])[0]
        return computed

    def _project(self, pooled: Array) -> Array:
        return self.projection(statistics=pooled)


@dataclass(frozen=True)
class XVector(PerWindow, _Published):
    """The x-vector of pyannote/embedding on every window; see `ResNet34` for settings and errors."""

    weights: str = "pyannote/embedding"

    dim = 512
    _frame = 270 / 16_000
    _architecture = "xvector"

    def _frames_of(self, samples: Array) -> Array:
        computed: Array = self.frames(waveforms=np.ascontiguousarray(samples[None, None]))[0]
        return computed

    def _project(self, pooled: Array) -> Array:
        return self.projection(statistics=pooled)


def published(model: str) -> dict[str, str] | None:
    """Return the table (`name`, `weights`) of the embedding model that a hub id stands for."""
    names = {ResNet34.weights: "resnet34", XVector.weights: "xvector"}
    name = names.get(model.partition("@")[0])
    return None if name is None else {"name": name, "weights": model}


def _converted(weights: str, architecture: str) -> Path:
    """Return the folder with the two ONNX files of a checkpoint, which are made if they are not there."""
    given = Path(weights).expanduser()
    if _complete(given):
        return given
    local = f"`--embedding {architecture}=PATH` takes a checkpoint that is here"
    checkpoint = locate(weights, _CHECKPOINTS, f"{local}, {_INSTEAD}")
    folder = cache() / f"{architecture}-{_CONVERSION}-{sha256_of(checkpoint)}"
    if not _complete(folder):
        with needing_torch(checkpoint, _INSTEAD):
            from tertulia.networks.convert import convert

        def make(fresh: Path) -> None:
            fresh.mkdir()
            convert(checkpoint, architecture, fresh)

        keep(folder, make, lambda: _complete(folder))
    return folder


def _complete(folder: Path) -> bool:
    return all((folder / half).is_file() for half in _HALVES)
