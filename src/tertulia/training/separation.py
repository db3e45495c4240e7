"""Task `separation`: voices of a mixture, learnt from utterances added up on the way, clean or noisy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from tertulia.config import from_table, part
from tertulia.errors import InputError, UsageError
from tertulia.networks.sepformer import SepFormer
from tertulia.simulation.sounds import audio_files, decibels, rms, speech_of
from tertulia.training.augment import fitted
from tertulia.training.export import export
from tertulia.training.pack import Pack, pack
from tertulia.training.recipe import Recipe
from tertulia.training.task import Model
from tertulia.training.utterances import read_names, used_utterances

__all__ = ["SeparationTask", "si_sdr"]

Array = NDArray[np.float32]

_RATE = 16_000
_TEST = 1 << 33  # numbers of test examples begin here


@dataclass(frozen=True)
class Data:
    """What is mixed.

    Args:
        speech: a manifest or folder, see `read_utterances`.
        test: names of speakers who are heard in the test alone: RTTM, a folder of it, or a list.
        noise: folder of clips.
        leave_out: column of the manifest → values whose rows are not used.
        window: seconds of an example.
        examples: in an epoch.
        tests: mixtures in the test, half of them noisy, the same for every run.
        noisy: share of examples that have noise.
        ratio: of one voice over the next in dB, lowest and highest.
        snr: of the voices over the noise in dB.
    """

    window: float
    examples: int
    tests: int
    noisy: float
    ratio: tuple[float, float]
    snr: tuple[float, float]
    speech: str | None = None
    test: str | None = None
    noise: str | None = None
    leave_out: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (self.window >= 0.5 and self.examples >= 1 and self.tests >= 1 and 0 <= self.noisy <= 1):
            raise UsageError("data needs window from 0.5 s, examples and tests from 1, and noisy in [0, 1]")


@dataclass(frozen=True)
class SepFormerSettings:
    """Settings of a `SepFormer`."""

    voices: int
    filters: int
    kernel: int
    chunk: int
    blocks: int
    layers: int
    heads: int
    feedforward: int

    def __post_init__(self) -> None:
        if self.voices < 2 or self.kernel % 2 or self.chunk % 2 or self.filters % self.heads:
            raise UsageError(
                "network needs voices from 2, an even kernel and chunk, and filters that heads divide"
            )

    def __call__(self) -> SepFormer:
        """Make the network."""
        return SepFormer(
            self.voices,
            self.filters,
            self.kernel,
            self.chunk,
            self.blocks,
            self.layers,
            self.heads,
            self.feedforward,
        )


NETWORKS: dict[str, type] = {"sepformer": SepFormerSettings}


class SeparationTask:
    """Mixtures in, voices out.

    Args:
        recipe: its table `data` is that of `Data`; `network` names one of `NETWORKS` and goes on with what
            that takes.
        cache: folder for decoded sound.
        report: told what is left out.
    """

    def __init__(self, recipe: Recipe, cache: Path, report: Callable[[str], None]) -> None:
        name = recipe.name
        self.data = from_table(Data, recipe.data, f"{name}.data")
        self.network = part(NETWORKS, recipe.network, f"{name}.network", "network")
        for key in ("speech", "test", "noise"):
            if getattr(self.data, key) is None:
                raise UsageError(f"{name}.data.{key} is not set: --data {key}=PATH")
        self._noise = pack(
            [(path, 0.0, None) for path in audio_files(Path(str(self.data.noise)))], cache, report=report
        )
        self._sides = {
            side: _People(who, cache, report)
            for side, who in _speakers(self.data, self.network.voices).items()
        }
        self._size = round(self.data.window * _RATE)

    @property
    def identity(self) -> dict[str, Any]:
        """Files in a few digits."""
        packs = {side: people.pack.path.stem for side, people in self._sides.items()}
        return packs | {"noise": self._noise.path.stem}

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Numbers that only tell examples apart: each is drawn."""
        return rng.permutation(self.data.examples)

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        """A mixture: `mixture` (samples,) of unit power, and `voices` (voices, samples) at its scale."""
        return self._mixed("train", rng, rng.random() < self.data.noisy)

    def _mixed(self, side: str, rng: Generator, noisy: bool) -> dict[str, NDArray[Any]]:
        voices = self._sides[side].together(self.network.voices, self._size, rng)
        voices[1:] *= decibels(rng.uniform(*self.data.ratio))
        mixture = voices.sum(axis=0)
        if noisy:
            clip = self._noise.read(int(rng.integers(len(self._noise))))
            noise = fitted(clip, self._size, rng)
            scale = rms(mixture) * decibels(-rng.uniform(*self.data.snr)) / max(rms(noise), 1e-6)
            mixture = mixture + noise * np.float32(scale)
        level = np.float32(max(rms(mixture), 1e-6))
        return {"mixture": mixture / level, "voices": voices / level}

    # ── model ────────────────────────────────────────────────────────────────────────────────────────

    def model(self) -> SeparationModel:
        """A new network."""
        return SeparationModel(self.network())

    def test_mixture(self, number: int) -> dict[str, NDArray[Any]]:
        """Make a mixture of the test as `example` does, noisy if its number is odd."""
        return self._mixed("test", np.random.default_rng(_TEST + number), noisy=number % 2 == 1)

    @cached_property
    def _tests(self) -> list[dict[str, NDArray[Any]]]:
        return [self.test_mixture(number) for number in range(self.data.tests)]

    def evaluate(self, model: SeparationModel) -> dict[str, float]:
        """Mean improvement of SI-SDR over the mixture in dB, clean and noisy mixtures apart."""
        gains: dict[str, list[float]] = {"clean": [], "noisy": []}
        for number, example in enumerate(self._tests):
            mixture = torch.from_numpy(example["mixture"])[None]
            voices = torch.from_numpy(example["voices"])[None]
            found = best_order(model.network(mixture), voices)
            before = si_sdr(mixture[:, None].expand_as(voices), voices)
            gains["noisy" if number % 2 else "clean"].append(float((found - before).mean()))
        return {f"improvement_{name}": float(np.mean(values)) for name, values in gains.items() if values}

    def finish(self, model: SeparationModel, folder: Path, name: str) -> dict[str, Any]:
        """Export."""
        path = folder / f"{name}.onnx"
        with torch.no_grad():
            figures = self.evaluate(model)
        examples = [{"mixtures": torch.randn(b, n)} for b, n in ((2, _RATE), (1, 4 * _RATE), (3, 12_345))]
        axes = {"mixtures": {0: "batch", 1: "samples"}, "output": {0: "batch", 2: "samples"}}
        worst = export(model.network, path, examples, axes)
        people = {side: len(found.names) for side, found in self._sides.items()}
        return {
            "files": f"`{path.name}` ({path.stat().st_size} bytes)",
            "network": f"SepFormer, {sum(p.numel() for p in model.network.parameters())} parameters",
            "input": "`mixtures` (batch, samples), 16 kHz, of unit power",
            "output": f"voices (batch, {self.network.voices}, samples)",
            "speakers": ", ".join(f"{count} ({side})" for side, count in people.items()),
            "largest difference from torch": f"{worst:.1e}",
            "SI-SDR improvement": ", ".join(f"{key.split('_')[1]} {v:.2f} dB" for key, v in figures.items()),
        }


class SeparationModel(Model):
    """A network with its loss."""

    def __init__(self, network: SepFormer) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the negative SI-SDR in dB under the best order of the voices."""
        found = self.network(batch["mixture"]).float()
        return {"loss": -best_order(found, batch["voices"]).mean()}


def si_sdr(found: Tensor, voices: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio in dB, (…, samples) each → (…).

    Source: J. Le Roux et al., "SDR – half-baked or well done?" (ICASSP 2019), eq. 5.
    """
    found = found - found.mean(dim=-1, keepdim=True)
    voices = voices - voices.mean(dim=-1, keepdim=True)
    tiny = 1e-8
    share = (found * voices).sum(-1, keepdim=True) / (voices.square().sum(-1, keepdim=True) + tiny)
    target = share * voices
    ratio = target.square().sum(-1) / ((target - found).square().sum(-1) + tiny)
    return 10 * torch.log10(ratio + tiny)


def best_order(found: Tensor, voices: Tensor) -> Tensor:
    """SI-SDR of each voice in the order that suits them best, (batch, voices, samples) → (batch, voices)."""
    each = si_sdr(found[:, :, None], voices[:, None])  # (batch, found, voices)
    columns = torch.arange(voices.shape[1])
    orders = torch.stack([each[:, list(order), columns] for order in permutations(columns.tolist())], dim=1)
    best = orders.mean(dim=2).argmax(dim=1)  # (batch,)
    return orders[torch.arange(len(orders)), best]


class _People:
    """Utterances by speaker."""

    def __init__(self, who: Mapping[str, Sequence[Path]], cache: Path, report: Callable[[str], None]) -> None:
        self.names = sorted(who)
        self.pack: Pack = pack(
            [(path, 0.0, None) for name in self.names for path in who[name]], cache, report=report
        )
        counts = np.cumsum([0, *(len(who[name]) for name in self.names)])
        self._pieces = [
            [piece for piece in range(first, last) if piece not in self.pack.bad]
            for first, last in zip(counts[:-1].tolist(), counts[1:].tolist(), strict=True)
        ]

    def together(self, voices: int, count: int, rng: Generator) -> Array:
        """Draw speakers and let them talk at once, (voices, count), each of unit power."""
        spoken = []
        for person in rng.choice(len(self.names), voices, replace=False).tolist():
            speech = np.zeros(0, np.float32)
            while len(speech) < count:
                piece = int(rng.choice(self._pieces[person]))
                speech = np.concatenate([speech, speech_of(self.pack.read(piece), _RATE)])
            speech = fitted(speech, count, rng)
            spoken.append(speech / np.float32(max(rms(speech), 1e-6)))
        return np.stack(spoken)


def _speakers(data: Data, voices: int) -> dict[str, dict[str, list[Path]]]:
    """Side → speaker → utterances."""
    kept = read_names(str(data.test))
    sides: dict[str, dict[str, list[Path]]] = {"train": {}, "test": {}}
    for utterance in used_utterances(str(data.speech), data.leave_out):
        side = "test" if utterance.speaker in kept else "train"
        sides[side].setdefault(utterance.speaker, []).append(utterance.path)
    for side, who in sides.items():
        if len(who) < voices:
            raise InputError(f"{len(who)} speakers to {side} on are too few for mixtures of {voices}")
    return sides
