"""Task `one-or-two`: does one person speak in a clip, or do two? A dense network on low-level features.

Clips are mixed of utterances: the second half is the same person's or somebody else's, who may begin before
the first has ended, as people do. All clips of a run are made at its beginning; a share of them is for the
test, and as many are made of speakers of the test split, of whom nothing is in the training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tertulia.config import from_table
from tertulia.detection.crowd import FEATURES, POOLINGS, RATE, check_pooling, clip_table, fixed_length
from tertulia.errors import InputError, UsageError
from tertulia.simulation.sounds import audio_files
from tertulia.training.augment import Augmentation, Augmenter, fitted
from tertulia.training.export import export
from tertulia.training.files import replacing
from tertulia.training.pack import pack
from tertulia.training.recipe import Recipe
from tertulia.training.speech import Data as SpeechData
from tertulia.training.speech import Evaluation, Speech
from tertulia.training.task import Model

__all__ = ["CrowdModel", "CrowdTask", "Dense"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Data(SpeechData):
    """What is learnt from, see `tertulia.training.speech.Data`; `crop` is the length of a clip.

    Args:
        clips: how many, half of them of two people; and as many of speakers of the test split.
        draw: seed of the clips, so that other seeds of the recipe divide the same ones.
        test_share: of the clips that are not trained on.
        together: longest time that the second person speaks before the first has ended, in seconds.
        within: column of the manifest whose value the people of a clip share.
        vocals: separate vocals first.
        pooling: of the features over time: `mean`; `statistics`, which are the means, the standard deviations
            and those of the means of blocks of 0.5 s and 1 s; or `frames`, all of them.
    """

    clips: int = 0
    draw: int = 0
    test_share: float = 0.25
    together: float = 1.0
    within: str | None = None
    vocals: bool = False
    pooling: str = "statistics"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.clips >= 8 and 0 < self.test_share < 1 and 0 <= self.together < self.crop / 2):
            raise UsageError("data needs clips from 8, test_share in (0, 1), together under half a crop")
        check_pooling(self.pooling, self.crop)


@dataclass(frozen=True)
class Widths:
    """Widths of the network: `hidden` layers."""

    hidden: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.hidden or not all(isinstance(n, int) and n >= 1 for n in self.hidden):
            raise UsageError(f"network.hidden are whole numbers from 1; got {self.hidden}")


class Dense(nn.Module):
    """Standard scores of the features, dense layers with ReLU, one logistic output.

    Args:
        mean, scale: of the pooled features, (features,).
        hidden: widths.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, scale: Tensor, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        layers: list[nn.Module] = []
        for inputs, outputs in zip((len(mean), *hidden), hidden, strict=False):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden[-1], 1))

    def logits(self, features: Tensor) -> Tensor:
        """Map features (batch, features) to logits (batch, 1)."""
        y: Tensor = self.layers((features - self.mean) / self.scale)
        return y

    def forward(self, features: Tensor) -> Tensor:
        """Map features (batch, features) to probabilities of two people (batch, 1)."""
        return torch.sigmoid(self.logits(features))


class CrowdModel(Model):
    """The network and its binary cross-entropy."""

    network: Dense

    def __init__(self, network: Dense) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the loss of a batch."""
        logits = self.network.logits(batch["features"])[:, 0]
        return {"loss": F.binary_cross_entropy_with_logits(logits, batch["two"])}


class CrowdTask:
    """Clips in, one or two out.

    Args:
        recipe: its tables are those of `Data`, `Widths` and `Augmentation`.
        cache: folder for decoded sound and for the features of clips, frame by frame.
        report: told what is left out.
    """

    def __init__(self, recipe: Recipe, cache: Path, report: Callable[[str], None]) -> None:
        name = recipe.name
        self.data = from_table(Data, recipe.data, f"{name}.data")
        self.widths = from_table(Widths, recipe.network, f"{name}.network")
        augmentation = from_table(Augmentation, recipe.augmentation, f"{name}.augmentation")
        if self.data.speech is None:
            raise UsageError(f"{name}.data.speech is not set: --data speech=PATH")
        measured = Evaluation(seconds=0.1, utterances=2)
        self.speech = Speech.read(self.data.speech, self.data, measured, recipe.seed, cache, report)
        noises = None
        if self.data.noise is not None:
            noises = pack([(p, 0.0, None) for p in audio_files(Path(self.data.noise))], cache, report=report)
        self._rate = self.speech.pack.sample_rate
        self._augment = Augmenter(
            augmentation, noises, self.speech.training_part(), self._rate, self.data.draw
        )
        # Poolings and shares for the test of a draw are of the same clips.
        drawn = replace(self.data, pooling="frames", test_share=Data.test_share)
        self._made = f"{self.identity} {drawn} {augmentation}"
        self.features = {
            split: POOLINGS[self.data.pooling](self._clips(split, cache))
            for split in ("train", "test")
            if self.speech.splits[split]
        }  # (clips, numbers); even ones are of one person
        order = np.random.default_rng([recipe.seed, 1]).permutation(self.data.clips)
        held_out = round(self.data.test_share * self.data.clips)
        self.parts = {"held_out": order[:held_out], "train": order[held_out:]}

    @property
    def identity(self) -> dict[str, Any]:
        """The sound in a few digits."""
        return {"sound": self.speech.pack.digest, "noise": bool(self.data.noise)}

    # ── clips ────────────────────────────────────────────────────────────────────────────────────────

    def _clips(self, split: str, cache: Path) -> Array:
        """Features of all clips of a split, made once for all seeds and poolings; (clips, frames, 43)."""
        name = hashlib.sha256(f"{split} {self._made}".encode()).hexdigest()[:32]
        path = cache / f"clip-tables-{name}.npy"
        if not path.exists():
            made = np.stack([self._clip(split, i) for i in range(self.data.clips)])
            with replacing(path) as draft, draft.open("wb") as file:
                np.save(file, made)
        tables: Array = np.load(path, allow_pickle=False)
        return tables

    def _clip(self, split: str, number: int) -> Array:
        """Features of a clip, (frames, 43); with an odd number it is of two people."""
        from soxr import resample

        rng = np.random.default_rng([self.data.draw, split == "test", number])
        sound = self._augment(self._spoken(split, number % 2 == 1, rng), rng)
        clip = fixed_length(resample(sound, self._rate, RATE).astype(np.float32), self.data.crop)
        return clip_table(clip, vocals=self.data.vocals)

    def _spoken(self, split: str, two: bool, rng: Generator) -> Array:
        """Samples (n,) of one person or two, as much of both."""
        people = self._people(split)
        one = str(rng.choice(sorted(people)))
        other = one
        if two:
            where = self._of_whom(people[one][0])
            alike = [who for who in people if who != one and self._of_whom(people[who][0]) == where]
            if not alike:
                alike = [who for who in people if who != one]
            if not alike:
                raise InputError(f"the {split} split has one speaker; two are needed for a clip of two")
            other = str(rng.choice(sorted(alike)))
        wanted = round(self.data.crop * self._rate)
        overlap = round(rng.uniform(0, self.data.together) * self._rate) if two else 0
        begins = round(rng.uniform(0.35, 0.65) * wanted)
        clip = np.zeros(wanted, np.float32)
        clip[: begins + overlap] += self._stretch(people[one], begins + overlap, rng)
        clip[begins:] += self._stretch(people[other], wanted - begins, rng)
        return clip

    def _people(self, split: str) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for i in self.speech.splits[split]:
            found.setdefault(self.speech.utterances[i].speaker, []).append(i)
        return found

    def _of_whom(self, piece: int) -> str | None:
        column = self.data.within
        return None if column is None else self.speech.utterances[piece].about.get(column)

    def _stretch(self, pieces: list[int], count: int, rng: Generator) -> Array:
        samples = fitted(self.speech.pack.read(int(rng.choice(pieces))), count, rng)
        level = float(np.sqrt(np.square(samples).mean()))
        return samples * np.float32(0.05 / max(level, 1e-4))

    # ── examples ─────────────────────────────────────────────────────────────────────────────────────

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Clips that are trained on."""
        return rng.permutation(self.parts["train"])

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        """A clip: `features` (numbers,) and `two` ()."""
        return {"features": self.features["train"][number], "two": np.array(number % 2, np.float32)}

    def model(self) -> CrowdModel:
        """A new network, with the mean and deviation of the clips that are trained on."""
        seen = self.features["train"][self.parts["train"]]
        mean, scale = torch.from_numpy(seen.mean(axis=0)), torch.from_numpy(seen.std(axis=0))
        return CrowdModel(
            Dense(mean, torch.where(scale > 0, scale, torch.ones_like(scale)), self.widths.hidden)
        )

    def evaluate(self, model: CrowdModel) -> dict[str, float]:
        """Accuracy on the clips held out, and on those of other people."""
        device = next(model.parameters()).device
        chosen = {"held_out": ("train", self.parts["held_out"])}
        if "test" in self.features:
            chosen["other_people"] = ("test", np.arange(self.data.clips))
        figures = {}
        for name, (split, clips) in chosen.items():
            with torch.no_grad():
                logits = model.network.logits(torch.from_numpy(self.features[split][clips]).to(device))
            figures[f"accuracy_{name}"] = float(((logits[:, 0].cpu().numpy() > 0) == (clips % 2 == 1)).mean())
        return figures

    def finish(self, model: CrowdModel, folder: Path, name: str) -> dict[str, Any]:
        """Export."""
        path, count = folder / f"{name}.onnx", len(model.network.mean)
        axes = {"features": {0: "clips"}, "output": {0: "clips"}}
        seen = torch.from_numpy(self.features["train"][:3])
        worst = export(model.network, path, [{"features": seen[:n]} for n in (2, 1)], axes)
        figures = {f"{key.replace('_', ', ', 1)}": f"{x:.1%}" for key, x in self.evaluate(model).items()}
        return {
            "files": f"`{path.name}` ({path.stat().st_size} bytes)",
            "network": f"dense, {sum(p.numel() for p in model.network.parameters())} parameters",
            "input": f"{count} numbers: {FEATURES} features, pooling {self.data.pooling}",
            "data": f"{self.data.clips} clips of {self.data.crop:g} s; {self.speech.describe()}",
            "largest difference from torch": f"{worst:.1e}",
        } | figures
