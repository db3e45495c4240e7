"""A `Sortformer` with what its training needs: settings, features, losses, and ONNX in the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from tertulia.errors import UsageError, unknown
from tertulia.networks.fastconformer import SUBSAMPLING
from tertulia.networks.frontend import LogMel
from tertulia.networks.sortformer import SIZES, ActivityHalf, FramesHalf, Sortformer
from tertulia.training.arrival import permutation_loss, sort_loss
from tertulia.training.export import export
from tertulia.training.task import Model

__all__ = ["EndToEndModel", "Loss", "SortformerSettings", "export_sortformer"]

_RATE = 16_000
_SPEECH = 0.2  # weight of the loss of speech as such


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

    @property
    def wants_voices(self) -> bool:
        """Whether the network has embeddings for input, beside features."""
        return SIZES[self.size].voices > 0

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

    def logits(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Map a batch, see `frames`, to logits (batch, frames, speakers)."""
        found: Tensor = self.network.activity(self.frames(batch))
        return found

    def frames(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Map `features` (batch, time, bands), and `voices` where wanted, to frames (batch, frames, dim).

        Instead of features there may be `waveforms` (batch, samples).
        """
        if "features" in batch:
            features = batch["features"]
        else:
            waveforms = batch["waveforms"]
            with torch.no_grad(), torch.autocast(waveforms.device.type, enabled=False):
                features = self.features(waveforms)
        voices = batch["voices"].float() if "voices" in batch else None
        found: Tensor = self.network.frames(features, voices=voices)
        return found

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the losses, weighted."""
        frames, targets = self.frames(batch), batch["targets"]
        logits = self.network.activity(frames).float()
        losses = {}
        if self.network.arrivals is not None:
            anybody = targets.amax(dim=2)  # (batch, frames)
            speech = self.network.arrivals.speech(frames).float()
            losses["speech"] = _SPEECH * F.binary_cross_entropy_with_logits(speech, anybody)
        if self._weights.sort:
            losses["sort"] = self._weights.sort * sort_loss(logits, targets)
        if self._weights.permutation:
            losses["permutation"] = self._weights.permutation * permutation_loss(logits, targets)
        return losses


def export_sortformer(network: Sortformer, folder: Path, name: str) -> tuple[list[Path], float]:
    """Write NAME-frames.onnx and NAME-activity.onnx; also returns the largest difference from torch.

    The first maps `features` (batch, time, bands), and `voices` (batch, ⌈time / 8⌉, voices) where the network
    wants them, to frames (batch, ⌈time / 8⌉, dim), the second `frames` to probabilities (batch, frames,
    speakers).
    """
    network = network.cpu().eval()
    size, free = network.size, {0: "batch", 1: "frames"}
    lengths = (800, 8, 1001)
    heard = [{"features": size.centre + size.spread * torch.randn(1, n, size.bands)} for n in lengths]
    if size.voices:
        for each, n in zip(heard, lengths, strict=True):
            each["voices"] = torch.randn(1, -(-n // SUBSAMPLING), size.voices)
    first = FramesHalf(network)
    with torch.no_grad():
        frames = [{"frames": first(*each.values())} for each in heard]
    paths = [folder / f"{name}-{half}.onnx" for half in ("frames", "activity")]
    axes = {"features": {0: "batch", 1: "time"}, "voices": free, "frames": free, "output": free}
    worst = [
        export(half, path, examples, {key: axes[key] for key in (*examples[0], "output")})
        for half, path, examples in ((first, paths[0], heard), (ActivityHalf(network), paths[1], frames))
    ]
    return paths, max(worst)
