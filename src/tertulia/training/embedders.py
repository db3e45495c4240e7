"""Embedding networks that can be trained, and how each becomes ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from tertulia.config import part
from tertulia.networks.ecapa import ECAPA
from tertulia.networks.resnet50 import ResNet50
from tertulia.training.export import export, round_to_half

__all__ = ["NETWORKS", "Settings", "export_embedder", "network_settings"]


class Settings(Protocol):
    """Widths of a network that maps log-mel features (batch, time, 80) without their mean to embeddings."""

    def __call__(self) -> nn.Module:
        """Make the network; its attribute `dim` is that of the embeddings."""

    def write(self, network: Any, folder: Path, name: str) -> tuple[list[Path], float]:
        """Write its ONNX files; returns them and their largest difference from torch."""


@dataclass(frozen=True)
class ECAPASettings:
    """Widths of an `ECAPA`.

    Args:
        cepstra, channels, blocks, scale, bottleneck, wide, attention, dim: see there.
        half: keep matrices in 16 bits; they are computed with in 32. The network is rounded before it is
            measured.
    """

    cepstra: int
    channels: int
    blocks: int
    scale: int
    bottleneck: int
    wide: int
    attention: int
    dim: int
    half: bool = False

    def __call__(self) -> nn.Module:
        """Make the network."""
        widths = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "half"}
        return ECAPA(**widths)

    def write(self, network: Any, folder: Path, name: str) -> tuple[list[Path], float]:
        """Write the network in two halves, up to the frames and from there on."""
        if self.half:
            round_to_half(network)
        features = [{"features": torch.randn(1, time, 80)} for time in (200, 30, 998)]
        frames, pooling = folder / f"{name}-frames.onnx", folder / f"{name}-pooling.onnx"
        axes = {"features": {0: "batch", 1: "time"}, "output": {0: "batch", 1: "time"}}
        worst = export(_Half(network.frames), frames, features, axes, half=self.half)
        width = network.project.in_features // 2
        pooled = [
            {"frames": torch.randn(1, time, width).relu(), "weights": torch.rand(masks, time)}
            for time, masks in ((200, 2), (30, 1), (998, 3))
        ]
        axes = {"frames": {1: "time"}, "weights": {0: "masks", 1: "time"}, "output": {0: "masks"}}
        last = export(_Pooling(network), pooling, pooled, axes, half=self.half)
        return [frames, pooling], max(worst, last)


@dataclass(frozen=True)
class ResNet50Settings:
    """Widths of a `ResNet50`."""

    channels: int
    dim: int
    dropout: float

    def __call__(self) -> nn.Module:
        """Make the network."""
        return ResNet50(self.dim, self.channels, self.dropout)

    def write(self, network: Any, folder: Path, name: str) -> tuple[list[Path], float]:
        """Write the network in two halves, up to the frames and from their means on."""
        sizes = ((1, 148), (2, 20), (1, 998))
        features = [{"features": torch.randn(batch, time, 80)} for batch, time in sizes]
        frames, projection = folder / f"{name}-frames.onnx", folder / f"{name}-projection.onnx"
        axes = {"features": {0: "batch", 1: "time"}, "output": {0: "batch", 1: "time"}}
        worst = export(_Half(network.frames), frames, features, axes)
        pooled = [{"pooled": torch.rand(masks, network.width)} for masks in (2, 1)]
        axes = {"pooled": {0: "masks"}, "output": {0: "masks"}}
        return [frames, projection], max(worst, export(_Half(network.embed), projection, pooled, axes))


NETWORKS: dict[str, type[Settings]] = {"ecapa": ECAPASettings}
NETWORKS["resnet50"] = ResNet50Settings


def network_settings(table: dict[str, Any], recipe: str) -> Settings:
    """Read the table that describes a network; raises `UsageError`."""
    settings: Settings = part(NETWORKS, table, f"{recipe}.network", "network")
    return settings


def export_embedder(settings: Settings, network: nn.Module, folder: Path, name: str) -> dict[str, str]:
    """Write the ONNX files of a network; returns rows of its card."""
    parameters = sum(p.numel() for p in network.parameters())
    (kind,) = (name for name, kind in NETWORKS.items() if isinstance(settings, kind))
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        paths, worst = settings.write(network, folder, name)
    sizes = ", ".join(f"`{path.name}` ({path.stat().st_size} bytes)" for path in paths)
    return {
        "files": sizes,
        "network": f"{kind}, {parameters} parameters",
        "largest difference from torch": f"{worst:.1e}",
    }


class _Half(nn.Module):
    """A method as a network of its own."""

    def __init__(self, method: Any) -> None:
        super().__init__()
        self.owner = method.__self__
        self.method = method.__func__

    def forward(self, *inputs: Tensor) -> Tensor:
        output: Tensor = self.method(self.owner, *inputs)
        return output


class _Pooling(nn.Module):
    """Frames of one window, pooled for several speakers."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor, weights: Tensor) -> Tensor:
        shared = frames.expand(weights.shape[0], -1, -1)  # (masks, time, wide)
        embeddings: Tensor = self.network.embed(shared, weights)
        return embeddings
