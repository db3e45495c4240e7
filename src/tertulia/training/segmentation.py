"""Task `segmentation`: fine-tune who-is-active-when on one's own recordings with RTTM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from tertulia.config import from_table, part
from tertulia.errors import UsageError
from tertulia.evaluation import DiarizationError, diarization_error
from tertulia.frames import Grid
from tertulia.inference import weights
from tertulia.networks.pyannet import PyanNet
from tertulia.networks.reload import pyannet
from tertulia.segmentation.powerset import powerset
from tertulia.simulation.sounds import audio_files
from tertulia.training.augment import Augmentation, Augmenter
from tertulia.training.export import export
from tertulia.training.losses import NOT_SCORED, PermutedPowerset
from tertulia.training.pack import pack
from tertulia.training.recipe import Recipe
from tertulia.training.recordings import Recordings
from tertulia.training.task import Model
from tertulia.training.windows import activity, class_labels, window_errors

__all__ = ["SegmentationTask"]

Array = NDArray[np.float32]

_RATE = 16_000
_STEP, _WIDTH = 270, 991  # samples: what the convolutions of the network look at
_SPEAKERS, _TOGETHER = 3, 2
_BATCH = 16  # windows at once when measuring


@dataclass(frozen=True)
class Data:
    """What is learnt from.

    Args:
        recordings: folder of audio with RTTM, or another corpus that `tertulia corpus` knows.
        dev: another one, held out, on which is measured.
        noise: folder of recordings of noise.
        window: seconds of an example.
    """

    window: float
    recordings: str | None = None
    dev: str | None = None
    noise: str | None = None

    def __post_init__(self) -> None:
        if not self.window >= 1:
            raise UsageError(f"data.window is 1 s or more; got {self.window}")


@dataclass(frozen=True)
class PyanNetSettings:
    """Where a `PyanNet` begins.

    Args:
        start: bundled weights, or the path of an ONNX file of the same network.
        frozen: its parts that stay as they are: `sincnet`, `lstm`, `linear`, `classifier`.
    """

    start: str
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parts = ("sincnet", "lstm", "linear", "classifier")
        if wrong := sorted(set(self.frozen) - set(parts)):
            raise UsageError(f"network.frozen cannot hold {wrong}; there is: {', '.join(parts)}")
        weights(self.start)

    def __call__(self) -> PyanNet:
        """Make the network."""
        network = pyannet(weights(self.start))
        for name in self.frozen:
            for parameter in getattr(network, name).parameters():
                parameter.requires_grad_(False)
        return network


@dataclass(frozen=True)
class Export:
    """What becomes of the trained weights.

    Args:
        keep: share in [0, 1] that they keep of those training began with: WiSE-FT with alpha = 1 − keep
            (M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
    """

    keep: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.keep <= 1:
            raise UsageError(f"export.keep is a share in [0, 1]; got {self.keep}")


@dataclass(frozen=True)
class Evaluation:
    """What is measured in the end.

    Args:
        system: a name or the path of a file; it is run on the held-out recordings with the weights of before
            and with those of after.
    """

    system: str = "default"


NETWORKS: dict[str, type] = {"pyannet": PyanNetSettings}


class SegmentationTask:
    """Windows of recordings in, powerset classes out.

    Args:
        recipe: its tables are those of `Data`, `PyanNetSettings`, `Augmentation`, `Evaluation` and `Export`.
        cache: folder for decoded sound.
        report: told what is left out.
    """

    def __init__(self, recipe: Recipe, cache: Path, report: Callable[[str], None]) -> None:
        name = recipe.name
        self.recipe = recipe
        self.data = from_table(Data, recipe.data, f"{name}.data")
        self.network = part(NETWORKS, recipe.network, f"{name}.network", "network")
        self.evaluation = from_table(Evaluation, recipe.evaluation, f"{name}.evaluation")
        self.export = from_table(Export, recipe.export, f"{name}.export")
        augmentation = from_table(Augmentation, recipe.augmentation, f"{name}.augmentation")
        if recipe.loss:
            raise UsageError(f"{name}.loss has nothing to choose; got {', '.join(recipe.loss)}")
        self.train = Recordings.read(self.data.recordings, f"{name}.data.recordings", cache, report)
        self.dev = Recordings.read(self.data.dev, f"{name}.data.dev", cache, report)
        if shared := self.train.names & self.dev.names:
            raise UsageError(
                f"{len(shared)} recordings are in both data.recordings and data.dev: {min(shared)} …"
            )
        noises = None
        if self.data.noise is not None:
            files = audio_files(Path(self.data.noise))
            noises = pack([(path, 0.0, None) for path in files], cache, report=report)
        self._augment = Augmenter(augmentation, noises, None, _RATE, recipe.seed)
        self._size = round(self.data.window * _RATE)
        self._grid = Grid.of_receptive_field(_STEP / _RATE, _WIDTH / _RATE)
        self._frames = (self._size - _WIDTH) // _STEP + 1

    @property
    def identity(self) -> dict[str, Any]:
        """Files in a few digits."""
        return {
            "train": self.train.pack.digest,
            "dev": self.dev.pack.digest,
            "noise": bool(self.data.noise),
        }

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Recordings, each as often as windows fit into it."""
        times = [max(1, self.train.pack.length(i) // self._size) for i in self.train.usable]
        return rng.permutation(np.repeat(self.train.usable, times))

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:
        """A window from anywhere: `waveforms` (1, samples) and `labels` (frames,)."""
        length = self.train.pack.length(number)
        start = int(rng.integers(max(1, length - self._size + 1)))
        samples, labels = self._window(self.train, number, start)
        return {"waveforms": self._augment(samples, rng)[None], "labels": labels}

    def _window(self, recordings: Recordings, number: int, start: int) -> tuple[Array, NDArray[np.int64]]:
        """Samples (size,) and classes (frames,) from sample `start` on; beyond the end there is silence."""
        samples = recordings.pack.read(number, start, self._size)
        samples = np.pad(samples, (0, self._size - len(samples)))
        grid = Grid(self._grid.step, self._grid.start + start / _RATE)
        labels = class_labels(
            activity(recordings.references[number], grid, self._frames), _SPEAKERS, _TOGETHER
        )
        region = recordings.regions[number]
        if region is not None:
            labels[~grid.mask(region, self._frames)] = NOT_SCORED
        return samples, labels

    # ── model ────────────────────────────────────────────────────────────────────────────────────────

    def model(self) -> SegmentationModel:
        """The network as the recipe lets it begin."""
        return SegmentationModel(self.network())

    @cached_property
    def _dev_windows(self) -> list[tuple[int, int]]:
        """Number of the recording and first sample of held-out windows, one after the other."""
        return [
            (i, start)
            for i in self.dev.usable
            for start in range(0, max(1, self.dev.pack.length(i) - self._size // 2), self._size)
        ]

    def evaluate(self, model: SegmentationModel) -> dict[str, float]:
        """Loss, and DER with its parts within each held-out window, speakers mapped as fits best."""
        device = next(model.parameters()).device
        members = powerset(_SPEAKERS, _TOGETHER)
        loss, errors = 0.0, DiarizationError()
        for begin in range(0, len(self._dev_windows), _BATCH):
            some = [self._window(self.dev, *where) for where in self._dev_windows[begin : begin + _BATCH]]
            waveforms = torch.from_numpy(np.stack([samples for samples, _ in some])[:, None]).to(device)
            labels = torch.from_numpy(np.stack([classes for _, classes in some])).to(device)
            logs = model.network(waveforms)  # (windows, frames, classes)
            loss += float(model.loss(logs, labels)) * len(some)
            decided = members[logs.argmax(dim=2).cpu().numpy()]  # (windows, frames, speakers)
            for window, (_, classes) in zip(decided, some, strict=True):
                scored = classes != NOT_SCORED
                errors += window_errors(members[classes[scored]], window[scored], self._grid.step)
        rates = {
            "der": errors.der,
            "false_alarm": errors.false_alarm_rate,
            "missed": errors.missed_rate,
            "confusion": errors.confusion_rate,
        }
        return {"loss_dev": loss / len(self._dev_windows)} | {f"window_{k}": v for k, v in rates.items()}

    def finish(self, model: SegmentationModel, folder: Path, name: str) -> dict[str, Any]:
        """Export, and run the system on the held-out recordings with the weights of before and after."""
        keep, path = self.export.keep, folder / f"{name}.onnx"
        network, start = model.network, self.network().state_dict()
        trained = network.state_dict()
        network.load_state_dict(
            {
                k: torch.lerp(v.cpu(), start[k], keep) if v.is_floating_point() else v
                for k, v in trained.items()
            }
        )
        examples = [{"waveforms": 0.1 * torch.randn(2, 1, n)} for n in (self._size, _RATE, 51_234)]
        axes = {"waveforms": {0: "batch", 2: "samples"}, "output": {0: "batch", 1: "frames"}}
        worst = export(network, path, examples, axes)
        before = self._diarized(str(weights(self.network.start)))
        after = self._diarized(str(path))
        return {
            "files": f"`{path.name}` ({path.stat().st_size} bytes)",
            "network": f"PyanNet, {sum(p.numel() for p in network.parameters())} parameters",
            "begun with": self.network.start + (f", of which {keep:.0%} were kept" if keep else ""),
            "data": f"{len(self.train.usable)} recordings, {self.train.hours:.1f} h",
            "largest difference from torch": f"{worst:.1e}",
            f"`{self.evaluation.system}` on {len(self.dev.usable)} held-out recordings, before": _said(
                before
            ),
            f"`{self.evaluation.system}` on {len(self.dev.usable)} held-out recordings, after": _said(after),
        }

    def _diarized(self, segmentation: str) -> DiarizationError:
        from tertulia import systems

        described = systems.override(systems.read(self.evaluation.system), segmentation=segmentation)
        diarize, total = systems.build(described), DiarizationError()
        for i in self.dev.usable:
            hypothesis = diarize((self.dev.pack.read(i), _RATE))
            total += diarization_error(self.dev.references[i], hypothesis, uem=self.dev.regions[i])
        return total


def _said(error: DiarizationError) -> str:
    parts = (error.false_alarm_rate, error.missed_rate, error.confusion_rate)
    return f"DER {error.der:.2%}: " + ", ".join(
        f"{name} {value:.2%}"
        for name, value in zip(("false alarm", "missed", "confusion"), parts, strict=True)
    )


class SegmentationModel(Model):
    """A segmentation network with its loss."""

    def __init__(self, network: PyanNet) -> None:
        super().__init__()
        self.network = network
        self.loss = PermutedPowerset(_SPEAKERS, _TOGETHER)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the permutation-invariant powerset loss."""
        return {"loss": self.loss(self.network(batch["waveforms"]).float(), batch["labels"])}
