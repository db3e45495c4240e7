"""A `Sortformer` with what its training needs: settings, features, losses, and ONNX in the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from tertulia.errors import UsageError, unknown
from tertulia.networks.frontend import LogMel
from tertulia.networks.sortformer import SIZES, Sortformer
from tertulia.training.arrival import permutation_loss, sort_loss
from tertulia.training.export import export
from tertulia.training.task import Model

__all__ = ["EndToEndModel", "Loss", "SortformerSettings", "export_sortformer"]

_RATE = 16_000


@dataclass(frozen=True)
class SortformerSettings:
    """Settings of a `Sortformer`.

    Args:
        size: one of `SIZES`.
        speakers: outputs.
        dropout: while training.
    """

    size: str
    speakers: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise unknown("size", self.size, SIZES)

    def __call__(self) -> Sortformer:
        """Make the network."""
        size = dataclasses.replace(SIZES[self.size], speakers=self.speakers, dropout=self.dropout)
        return Sortformer(size)


@dataclass(frozen=True)
class Loss:
    """Weights.

    Args:
        sort: of the loss with speakers in order of arrival.
        permutation: of the loss with speakers in the order that fits best.
    """

    sort: float
    permutation: float

    def __post_init__(self) -> None:
        if self.sort < 0 or self.permutation < 0 or not self.sort + self.permutation:
            raise UsageError("loss needs weights from zero, one of them above")


class EndToEndModel(Model):
    """A network with its features and its losses."""

    network: Sortformer

    def __init__(self, network: Sortformer, loss: Loss) -> None:
        super().__init__()
        self.network = network
        self.features = LogMel(network.size.bands, _RATE)
        self._weights = loss

    def logits(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, samples) to logits (batch, frames, speakers)."""
        with torch.no_grad(), torch.autocast(waveforms.device.type, enabled=False):
            features = self.features(waveforms)
        found: Tensor = self.network(features)
        return found

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the losses, weighted."""
        logits, targets = self.logits(batch["waveforms"]).float(), batch["targets"]
        losses = {}
        if self._weights.sort:
            losses["sort"] = self._weights.sort * sort_loss(logits, targets)
        if self._weights.permutation:
            losses["permutation"] = self._weights.permutation * permutation_loss(logits, targets)
        return losses


def export_sortformer(network: Sortformer, folder: Path, name: str) -> tuple[list[Path], float]:
    """Write NAME-frames.onnx and NAME-activity.onnx; also returns the largest difference from torch.

    The first maps `features` (batch, time, bands) to frames (batch, ⌈time / 8⌉, dim), the second `frames` to
    probabilities (batch, frames, speakers).
    """
    network = network.cpu().eval()
    size, free = network.size, {0: "batch", 1: "frames"}
    lengths = (800, 8, 1001)
    features = [{"features": size.centre + size.spread * torch.randn(1, n, size.bands)} for n in lengths]
    with torch.no_grad():
        frames = [{"frames": network.frames(each["features"])} for each in features]
    paths = [folder / f"{name}-{half}.onnx" for half in ("frames", "activity")]
    worst = [
        export(half, path, examples, {key: free, "output": free})
        for half, path, examples, key in (
            (_Frames(network), paths[0], features, "features"),
            (_Activity(network), paths[1], frames, "frames"),
        )
    ]
    return paths, max(worst)


class _Frames(nn.Module):
    def __init__(self, network: Sortformer) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        return self.network.frames(features)


class _Activity(_Frames):
    def forward(self, features: Tensor) -> Tensor:
        return self.network.activity(features).sigmoid()
