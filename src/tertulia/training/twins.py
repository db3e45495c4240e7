"""Twin branches with what their training needs: settings, losses, files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from tertulia.config import part
from tertulia.errors import UsageError
from tertulia.networks.public_wav2vec import PublicWav2Vec
from tertulia.networks.sincnet import SincBands
from tertulia.networks.twin import Frozen, MelFront, Twin
from tertulia.training.encoders import load_encoder
from tertulia.training.export import export
from tertulia.training.pairs import (
    AveragedModels,
    DistanceEntropy,
    contrastive_pairs,
    distances,
    triplets,
)
from tertulia.training.task import Model

__all__ = ["FRONTS", "TwinLoss", "TwinModel", "TwinSettings", "export_twin", "twin_settings"]

_BANDS = 80


class TwinSettings(Protocol):
    """Widths of a `Twin`."""

    def __call__(self, encoder: str | None) -> Twin:
        """Make the network; `encoder` is the file of a wav2vec, for a front that has one."""


@dataclass(frozen=True)
class _Widths:
    channels: int
    wide: int
    dim: int

    def _twin(self, front: SincBands | MelFront | Frozen) -> Twin:
        return Twin(front, self.channels, self.wide, self.dim)


@dataclass(frozen=True)
class SincSettings(_Widths):
    """Learnt band-pass filters on the waveform.

    Args:
        filters: how many.
        width: samples of each, odd.
        stride: samples between two outputs of a filter.
    """

    filters: int
    width: int
    stride: int

    def __call__(self, encoder: str | None) -> Twin:  # noqa: ARG002 — one front has one
        """Make the network."""
        return self._twin(SincBands(self.filters, self.width, self.stride))


@dataclass(frozen=True)
class CepstraSettings(_Widths):
    """MFCC, `cepstra` of them."""

    cepstra: int

    def __call__(self, encoder: str | None) -> Twin:  # noqa: ARG002 — one front has one
        """Make the network."""
        return self._twin(MelFront(_BANDS, self.cepstra))


@dataclass(frozen=True)
class MelSettings(_Widths):
    """Log-mel energies."""

    def __call__(self, encoder: str | None) -> Twin:  # noqa: ARG002 — one front has one
        """Make the network."""
        return self._twin(MelFront(_BANDS))


@dataclass(frozen=True)
class EncoderSettings(_Widths):
    """A frozen wav2vec, which `data.encoder` names."""

    def __call__(self, encoder: str | None) -> Twin:
        """Make the network."""
        if encoder is None:
            raise UsageError(
                "data.encoder is not set: --data encoder=RUN/wav2vec.safetensors, or a folder or hub id of "
                "public weights"
            )
        ours = encoder.endswith(".safetensors")
        return self._twin(Frozen(load_encoder(Path(encoder)) if ours else PublicWav2Vec(encoder)))


FRONTS: dict[str, type[TwinSettings]] = {
    "log-mel": MelSettings,
    "mfcc": CepstraSettings,
    "sincnet": SincSettings,
    "wav2vec": EncoderSettings,
}


def twin_settings(table: dict[str, Any], recipe: str) -> TwinSettings:
    """Read the table that describes a network; raises `UsageError`."""
    settings: TwinSettings = part(FRONTS, table, f"{recipe}.network", "network")
    return settings


@dataclass(frozen=True)
class TwinLoss:
    """Weights of what is minimised; zero leaves a term out.

    Args:
        averaged: while there are `data.averaged` epochs left: nearness to averaged models of the speakers.
        contrastive: on pairs.
        cross_entropy: on pairs, of a logistic function of the distance.
        triplet: on all pairs of one voice in a batch.
        margin: distance that the contrastive loss wants between two voices.
        triplet_margin: difference of squared distances that the triplet loss wants.
    """

    averaged: float = 1.0
    contrastive: float = 0.0
    cross_entropy: float = 0.0
    triplet: float = 0.0
    margin: float = 1.0
    triplet_margin: float = 0.3

    def __post_init__(self) -> None:
        weights = (self.averaged, self.contrastive, self.cross_entropy, self.triplet)
        if min(weights) < 0 or not any(weights[1:]):
            raise UsageError(
                "loss needs weights from 0, and one of contrastive, cross_entropy and triplet above"
            )


class TwinModel(Model):
    """A network that sees both sides of a pair."""

    network: Twin

    def __init__(self, network: Twin, loss: TwinLoss) -> None:
        super().__init__()
        self.network, self.loss = network, loss
        self.averaged = AveragedModels()
        self.entropy = DistanceEntropy()

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return weighted losses by name; pairs have `same`, utterances of one speaker have not."""
        waveforms, loss = batch["waveforms"], self.loss  # (batch, 2 or more, samples)
        vectors = self.network(waveforms.flatten(0, 1)).view(*waveforms.shape[:2], -1)
        if "same" not in batch:
            return {"loss_averaged": loss.averaged * self.averaged(vectors, batch["labels"][:, 0])}
        distance, same = distances(vectors[:, 0], vectors[:, 1]), batch["same"]
        losses: dict[str, Tensor] = {}
        if loss.contrastive:
            pairs = contrastive_pairs(distance, same, loss.margin)
            losses["loss_contrastive"] = loss.contrastive * pairs
        if loss.cross_entropy:
            losses["loss_entropy"] = loss.cross_entropy * self.entropy(distance, same)
        if loss.triplet:
            mined = triplets(vectors.flatten(0, 1), batch["labels"].flatten(), loss.triplet_margin)
            losses["loss_triplet"] = loss.triplet * mined
        return losses


class _Frames(nn.Module):
    """What is exported: from energies or waveforms to frames."""

    def __init__(self, twin: Twin) -> None:
        super().__init__()
        self.twin = twin

    def forward(self, sound: Tensor) -> Tensor:
        front = self.twin.front
        features = front.cepstra(sound) if isinstance(front, MelFront) else front(sound)
        return self.twin.frames(features)


class _Projection(nn.Module):
    """Statistics to vectors."""

    def __init__(self, twin: Twin) -> None:
        super().__init__()
        self.twin = twin

    def forward(self, statistics: Tensor) -> Tensor:
        return self.twin.embed(statistics)


def export_twin(twin: Twin, folder: Path, name: str) -> dict[str, str]:
    """Write both halves of a network around its statistics; returns rows of its card."""
    frames, projection = folder / f"{name}-frames.onnx", folder / f"{name}-projection.onnx"
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        if isinstance(twin.front, MelFront):
            inputs = [{"features": torch.randn(1, time, twin.front.bands)} for time in (200, 40, 998)]
        else:
            inputs = [{"waveforms": 0.1 * torch.randn(1, n)} for n in (32_000, 8_000, 160_000)]
        axes = {name: {0: "batch", 1: "time"} for name in (*inputs[0], "output")}
        worst = export(_Frames(twin), frames, inputs, axes)
        pooled = [{"statistics": torch.rand(masks, 2 * twin.wide)} for masks in (2, 1)]
        axes = {"statistics": {0: "masks"}, "output": {0: "masks"}}
        worst = max(worst, export(_Projection(twin), projection, pooled, axes))
    parameters = sum(p.numel() for p in twin.parameters())
    learnt = sum(p.numel() for p in twin.parameters() if p.requires_grad)
    return {
        "files": ", ".join(f"`{path.name}` ({path.stat().st_size} bytes)" for path in (frames, projection)),
        "network": f"twin branch, {parameters} parameters, {learnt} of them learnt",
        "largest difference from torch": f"{worst:.1e}",
    }
