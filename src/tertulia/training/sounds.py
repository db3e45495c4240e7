"""Task `sounds`: what is heard every 10 ms, learnt from mixtures of speech, music and noise made on the way.

Every example is drawn anew: a strip of scenes, its utterances, tracks and clips, their levels, a room. What
is mixed is known, so the labels are exact. Where speech alone is told from the rest, some examples can be
windows of recordings with references instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tertulia.config import from_table, part
from tertulia.errors import InputError, UsageError
from tertulia.networks.crdnn import CRDNN
from tertulia.networks.frontend import LogMel
from tertulia.networks.scenes import SceneNet
from tertulia.segmentation.scenes import CLASSES, SPOKEN
from tertulia.training.augment import Augmentation, Augmenter
from tertulia.training.export import export
from tertulia.training.ingredients import Data, files_of, speech_of_sides
from tertulia.training.losses import NOT_SCORED
from tertulia.training.pack import Pack, pack
from tertulia.training.recipe import Recipe
from tertulia.training.recordings import Recordings, SpeechWindows
from tertulia.training.scenery import Levels, Material, Scenery, Tunes
from tertulia.training.task import Model
from tertulia.training.utterances import read_names

__all__ = ["SoundTask"]

Array = NDArray[np.float32]

_RATE = 16_000
_FRAME = 160  # samples
_AROUND = 120  # samples by which a window of 25 ms reaches beyond its frame of 10 ms
_TEST = 1 << 32  # numbers of test examples begin here: no training example has such a number


@dataclass(frozen=True)
class SceneSettings:
    """Settings of a `SceneNet`."""

    bands: int
    channels: int
    dilations: tuple[int, ...]
    maps: tuple[int, ...]
    dropout: float = 0.0

    def __call__(self, classes: int) -> nn.Module:
        """Make the network."""
        return SceneNet(self.bands, classes, self.channels, self.dilations, self.maps, self.dropout)


@dataclass(frozen=True)
class CRDNNSettings:
    """Settings of a `CRDNN`."""

    bands: int
    channels: int
    hidden: int
    layers: int
    dense: int

    def __call__(self, classes: int) -> nn.Module:
        """Make the network."""
        return CRDNN(self.bands, classes, self.channels, self.hidden, self.layers, self.dense)


NETWORKS: dict[str, type] = {"scenes": SceneSettings, "crdnn": CRDNNSettings}


@dataclass(frozen=True)
class Loss:
    """What is told apart.

    Args:
        targets: all of `tertulia.segmentation.scenes.CLASSES`, or speech and the rest.
    """

    targets: Literal["scenes", "speech"]


class SoundTask:
    """Mixtures in, classes of frames out.

    Args:
        recipe: its tables are those of `Data`, `Augmentation` (of the speech) and `Loss`; `network` names one
            of `NETWORKS` and goes on with what that takes.
        cache: folder for decoded sound.
        report: told what is left out.
    """

    def __init__(self, recipe: Recipe, cache: Path, report: Callable[[str], None]) -> None:
        name = recipe.name
        self.data = from_table(Data, recipe.data, f"{name}.data")
        self.loss = from_table(Loss, recipe.loss, f"{name}.loss")
        self.network = part(NETWORKS, recipe.network, f"{name}.network", "network")
        augmentation = from_table(Augmentation, recipe.augmentation, f"{name}.augmentation")
        self._augment = Augmenter(augmentation, None, None, _RATE, recipe.seed)
        for key in ("speech", "music", "noise", "test"):
            if getattr(self.data, key) is None:
                raise UsageError(f"{name}.data.{key} is not set: --data {key}=PATH")
        self._frames = round(self.data.window * _RATE) // _FRAME
        self._frames -= self._frames % 2
        speech = speech_of_sides(self.data)
        music, noise = (files_of(self.data, kind) for kind in ("music", "noise"))
        packs = {
            (kind, side): pack([(path, 0.0, None) for path in files], cache, report=report)
            for kind, sides in (("speech", speech), ("music", music), ("noise", noise))
            for side, files in sides.items()
        }
        self.packs = packs
        self._recorded = self._windows(recipe, augmentation, cache, report) if self.data.recorded else None
        self._train = self._scenery(packs, "train", recipe.seed)
        self._test = self._scenery(packs, "test", recipe.seed)

    def _windows(
        self, recipe: Recipe, augmentation: Augmentation, cache: Path, report: Callable[[str], None]
    ) -> SpeechWindows:
        """Windows of recordings, through the codecs of the recipe: rooms and noise are in them already."""
        key = f"{recipe.name}.data.recordings"
        if self.loss.targets != "speech":
            raise UsageError(f"{key} tell where speech is, and loss.targets asks for {self.loss.targets!r}")
        recordings = Recordings.read(self.data.recordings, key, cache, report)
        kept = set(read_names(str(self.data.test)))
        heard = {name for r in recordings.references for name in r.speakers if name in kept}
        if heard:
            raise InputError(f"{len(heard)} speakers of the test are heard in {key}: {min(heard)} …")
        changed = replace(augmentation, rooms=0.0, noise=0.0, babble=0.0, gain=self.data.recorded_gain)
        augment = Augmenter(changed, None, None, _RATE, recipe.seed)
        return SpeechWindows(recordings, augment, self._frames)

    def _scenery(self, packs: Mapping[tuple[str, str], Pack], side: str, seed: int) -> Scenery:
        speech, music, noise = (packs[kind, side] for kind in ("speech", "music", "noise"))
        tunes = Tunes(self.data.tunes, self.data.window, seed)
        material = Material(speech, music, noise, tunes, varied=side == "train")
        return Scenery(material, Levels(), self._augment, self._frames)

    @property
    def identity(self) -> dict[str, Any]:
        """Files in a few digits."""
        found = {f"{kind} {side}": packed.path.stem for (kind, side), packed in self.packs.items()}
        return (
            found if self._recorded is None else found | {"recordings": self._recorded.recordings.pack.digest}
        )

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Numbers that only tell examples apart: each is drawn."""
        return rng.permutation(self.data.examples)

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        """A mixture or window: `waveforms` (samples,), padded by what frames reach over; `labels`."""
        if self._recorded is not None and rng.random() < self.data.recorded:
            samples, labels = self._recorded(rng)
        else:
            samples, classes = self._train(rng)
            labels = self._targets(classes)
        return {"waveforms": np.pad(samples, _AROUND), "labels": labels}

    def _targets(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.loss.targets == "scenes":
            return labels
        return np.isin(labels, [CLASSES.index(name) for name in SPOKEN]).astype(np.int64)

    @property
    def classes(self) -> tuple[str, ...]:
        """What the network tells apart."""
        return CLASSES if self.loss.targets == "scenes" else ("rest", "speech")

    # ── model ────────────────────────────────────────────────────────────────────────────────────────

    def model(self) -> SoundModel:
        """A new network."""
        return SoundModel(self.network(len(self.classes)), self.network.bands)

    def test_mixture(self, number: int) -> tuple[Array, NDArray[np.int64]]:
        """Make a mixture of the test: samples (n,) and the class of each frame, (frames,), of `CLASSES`."""
        return self._test(np.random.default_rng(_TEST + number))

    @cached_property
    def _tests(self) -> list[dict[str, NDArray[Any]]]:
        found: list[dict[str, NDArray[Any]]] = []
        for number in range(self.data.tests):
            samples, labels = self.test_mixture(number)
            found.append({"waveforms": np.pad(samples, _AROUND), "labels": self._targets(labels)})
        return found

    def confusion(self, model: SoundModel) -> NDArray[np.int64]:
        """Count frames of the test, (true class, class found)."""
        count = len(self.classes)
        table = np.zeros((count, count), np.int64)
        for example in self._tests:
            found = model.logits(torch.from_numpy(example["waveforms"])[None])[0].argmax(dim=1).numpy()
            np.add.at(table, (example["labels"], found), 1)
        return table

    def evaluate(self, model: SoundModel) -> dict[str, float]:
        """Share of frames that are right, and F1 of every class."""
        table = self.confusion(model)
        return {"accuracy": float(table.trace() / table.sum())} | {
            f"f1_{name}": value for name, value in zip(self.classes, f1(table), strict=True)
        }

    def finish(self, model: SoundModel, folder: Path, name: str) -> dict[str, Any]:
        """Export."""
        path = folder / f"{name}.onnx"
        with torch.no_grad():
            table = self.confusion(model)
        bands = self.network.bands
        shapes = ((2, 2000), (1, 100), (3, 734))
        examples = [{"features": 4 * torch.randn(*shape, bands)} for shape in shapes]
        free = {0: "batch", 1: "frames"}
        worst = export(model.network, path, examples, {"features": free, "output": free})
        hours = {f"{kind} ({side})": p.bounds[-1, 1] / _RATE / 3600 for (kind, side), p in self.packs.items()}
        if self._recorded is not None:
            hours["recordings"] = self._recorded.recordings.hours
        return {
            "files": f"`{path.name}` ({path.stat().st_size} bytes)",
            "network": f"{sum(p.numel() for p in model.network.parameters())} parameters",
            "input": f"`features` (batch, frames, {bands}): Kaldi log-mel energies, one frame every 10 ms",
            "output": f"logits (batch, frames, {len(self.classes)}): {', '.join(self.classes)}",
            "data": ", ".join(f"{name} {h:.2f} h" for name, h in hours.items()),
            "largest difference from torch": f"{worst:.1e}",
            "frames of the test that are right": f"{table.trace() / table.sum():.2%}",
            "confusion (rows: true)": "; ".join(
                f"{label}: {' '.join(map(str, row))}"
                for label, row in zip(self.classes, table.tolist(), strict=True)
            ),
        }


def f1(table: NDArray[np.int64]) -> list[float]:
    """F1 of every class, from counts (true class, class found)."""
    hits, sizes = table.diagonal(), table.sum(axis=0) + table.sum(axis=1)
    return [2 * hit / size if size else 1.0 for hit, size in zip(hits.tolist(), sizes.tolist(), strict=True)]


class SoundModel(Model):
    """A network with its features and its loss."""

    def __init__(self, network: nn.Module, bands: int) -> None:
        super().__init__()
        self.network = network
        self.features = LogMel(bands, _RATE)

    def logits(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, samples) to logits (batch, frames, classes)."""
        with torch.no_grad():
            features = self.features(waveforms)
        found: Tensor = self.network(features)
        return found

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the cross-entropy."""
        logits = self.logits(batch["waveforms"]).float()
        return {
            "loss": F.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=NOT_SCORED)
        }
