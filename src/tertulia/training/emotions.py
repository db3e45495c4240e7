"""Task `emotions`: which emotion an utterance is spoken with, learnt from stretches of acted utterances."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tertulia.config import from_table, part
from tertulia.embedding.campplus import CAMPPlus
from tertulia.emotions.recognizers import EMOTIONS, voice_and_prosody
from tertulia.errors import FormatError, InputError, UsageError
from tertulia.networks.emotions import DenseEmotions, SpectralEmotions
from tertulia.networks.frontend import LogMel
from tertulia.prosody import STATISTICS
from tertulia.training.augment import fitted
from tertulia.training.export import export
from tertulia.training.files import replacing
from tertulia.training.pack import Pack, pack
from tertulia.training.recipe import Recipe
from tertulia.training.task import Model
from tertulia.training.utterances import Utterance, read_utterances

__all__ = ["EmotionTask", "trimmed"]

Array = NDArray[np.float32]

_RATE = 16_000
_STATISTICS = 1024 + len(STATISTICS)
_AROUND = 120  # samples by which a window of 25 ms reaches beyond its frame of 10 ms
_EDGE = 0.1  # seconds kept before and after speech
_FLOOR = 32.0  # decibels under the loudest frame at which speech ends
_APART = 0.5  # seconds between two stretches of one length
_PREVAILING = 0.5  # parameter of the Dirichlet distribution of emotions in what is usual
_OTHERS = 12  # utterances that tell what is usual when a network is measured
_TEST = 1 << 34  # of the random numbers of measuring


@dataclass(frozen=True)
class Data:
    """What is learnt from.

    Args:
        speech: a table with the columns path, speaker and emotion.
        test: speakers who are heard in the test alone; nobody, when the network is to be shipped.
        stretches: seconds of what is cut out of every utterance, which is learnt from whole too.
        others: how many other utterances of the speaker, one of these numbers, tell what is usual.
        even: share of examples in which those are of all emotions alike; else the mixture is drawn, most
            often with one emotion or two prevailing.
    """

    stretches: tuple[float, ...]
    others: tuple[int, ...] = ()
    even: float = 0.0
    speech: str | None = None
    test: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(isinstance(s, int | float) and s >= 0.25 for s in self.stretches):
            raise UsageError(f"data.stretches are seconds from 0.25; got {self.stretches}")
        if not (all(isinstance(n, int) and n >= 0 for n in self.others) and 0 <= self.even <= 1):
            raise UsageError("data.others are whole numbers from 0, and data.even is a share in [0, 1]")


@dataclass(frozen=True)
class Dense:
    """Settings of a `DenseEmotions`, on the statistics of voice and prosody."""

    hidden: int
    dropout: float

    spectral = False

    def __call__(self, statistics: Array) -> nn.Module:
        """Make the network for statistics (stretches, dim) like these."""
        mean, deviation = statistics.mean(axis=0), statistics.std(axis=0) + 1e-3
        return DenseEmotions(
            torch.from_numpy(mean), torch.from_numpy(deviation), len(EMOTIONS), self.hidden, self.dropout
        )


@dataclass(frozen=True)
class Spectral:
    """Settings of a `SpectralEmotions`, on log-mel energies of `seconds` of every stretch."""

    bands: int
    channels: int
    dilations: tuple[int, ...]
    dropout: float
    seconds: float

    spectral = True

    def __call__(self, statistics: Array) -> nn.Module:  # noqa: ARG002 — it takes none
        """Make the network."""
        return SpectralEmotions(self.bands, len(EMOTIONS), self.channels, self.dilations, self.dropout)


NETWORKS: dict[str, type] = {"dense": Dense, "spectral": Spectral}


@dataclass(frozen=True)
class Loss:
    """Cross-entropy, in which every emotion counts the same however many utterances it has.

    Args:
        smoothing: share of the target that is spread over all emotions.
    """

    smoothing: float = 0.0


class EmotionTask:
    """Stretches of utterances in, emotions out.

    Args:
        recipe: its tables are those of `Data` and `Loss`; `network` names one of `NETWORKS` and goes on with
            what that takes.
        cache: folder for decoded sound and for statistics.
        report: told what is left out.
    """

    def __init__(self, recipe: Recipe, cache: Path, report: Callable[[str], None]) -> None:
        name = recipe.name
        self.data = from_table(Data, recipe.data, f"{name}.data")
        self.loss = from_table(Loss, recipe.loss, f"{name}.loss")
        self.network = part(NETWORKS, recipe.network, f"{name}.network", "network")
        if self.data.speech is None:
            raise UsageError(f"{name}.data.speech is not set: --data speech=PATH")
        utterances = read_utterances(self.data.speech)
        labels = _labels(utterances, self.data.speech)
        self._pack = pack([(u.path, u.start, u.end) for u in utterances], cache, report=report)
        self._items = _stretches(self._pack, self.data.stretches)  # (stretches, 3): utterance, first, last
        of = self._items[:, 0]
        self.labels = labels[of]  # (stretches,)
        self.speakers = np.array([u.speaker for u in utterances])[of]
        self.whole = np.r_[True, of[1:] != of[:-1]]  # the first stretch of an utterance is all of it
        held = np.isin(self.speakers, self.data.test)
        if missing := set(self.data.test) - set(self.speakers.tolist()):
            raise UsageError(f"{name}.data.test: there is no speaker {', '.join(sorted(missing))}")
        self.train, self.test = np.flatnonzero(~held), np.flatnonzero(held)
        if len(set(self.labels[self.train].tolist())) < len(EMOTIONS):
            raise InputError(f"{name}: there is not every emotion to learn from: {', '.join(EMOTIONS)}")
        self.statistics = np.zeros((len(of), 0), np.float32)
        if not self.network.spectral:
            self.statistics = _cached(self._pack, self._items, cache, report)
        self._weights = _balanced(of, self.labels, self.train)
        self._first = np.flatnonzero(self.whole)[np.cumsum(self.whole) - 1]  # stretch → its whole utterance
        self._by_speaker = {name: self._utterances_of(name) for name in set(self.speakers.tolist())}

    @property
    def identity(self) -> dict[str, Any]:
        """Sound in a few digits."""
        return {"speech": self._pack.digest}

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Stretches of the training speakers."""
        return rng.permutation(self.train)

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:
        """A stretch: `statistics` and `usual` (dim,), or `waveforms` (samples,); `labels` and `weights`."""
        about: dict[str, NDArray[Any]] = {
            "labels": np.array(self.labels[number], np.int64),
            "weights": np.array(self._weights[number], np.float32),
        }
        if not self.network.spectral:
            count = int(rng.choice(self.data.others)) if self.data.others else 0
            usual = self.usual(number, count, rng.random() < self.data.even, rng)
            return {"statistics": self.statistics[number], "usual": usual, **about}
        samples = fitted(self._sound(number), round(self.network.seconds * _RATE), rng)
        return {"waveforms": np.pad(samples, _AROUND), **about}

    def _utterances_of(self, speaker: str) -> list[NDArray[np.intp]]:
        """Whole utterances of a speaker, emotion by emotion; those that are not there are left out."""
        mine = np.flatnonzero((self.speakers == speaker) & self.whole)
        each = (mine[self.labels[mine] == emotion] for emotion in range(len(EMOTIONS)))
        return [numbers for numbers in each if len(numbers)]

    def usual(self, number: int, count: int, even: bool, rng: Generator) -> Array:
        """Mean statistics of the utterance of a stretch and of `count` others of its speaker, (dim,)."""
        mine = self._by_speaker[str(self.speakers[number])]
        share = np.ones(len(mine)) / len(mine) if even else rng.dirichlet(np.full(len(mine), _PREVAILING))
        kinds = rng.choice(len(mine), count, p=share)
        drawn = [int(mine[kind][int(rng.integers(len(mine[kind])))]) for kind in kinds.tolist()]
        mean: Array = self.statistics[[int(self._first[number]), *drawn]].mean(axis=0)
        return mean

    def _sound(self, number: int) -> Array:
        utterance, first, last = self._items[number].tolist()
        return self._pack.read(utterance, first, last - first)

    # ── model ────────────────────────────────────────────────────────────────────────────────────────

    def model(self) -> EmotionModel:
        """A new network."""
        network = self.network(self.statistics[self.train])
        return EmotionModel(network, getattr(self.network, "bands", 0), self.loss.smoothing)

    def probabilities(self, model: EmotionModel, numbers: Iterable[int], others: int = 0) -> Array:
        """Return what the model says of stretches, (stretches, emotions).

        Args:
            model: after training.
            numbers: of the stretches.
            others: how many other utterances of the speaker, in a mixture that is drawn, tell what is usual.
        """
        rows = []
        for number in numbers:
            if self.network.spectral:
                row = {"waveforms": np.pad(self._sound(number), _AROUND)}
            else:
                rng = np.random.default_rng([_TEST, number])
                usual = self.usual(number, others, False, rng)
                row = {"statistics": self.statistics[number], "usual": usual}
            rows.append({name: torch.from_numpy(values)[None] for name, values in row.items()})
        with torch.no_grad():
            return np.concatenate([model.logits(row).softmax(dim=1).numpy() for row in rows])

    @cached_property
    def _measured(self) -> NDArray[np.intp]:
        """Whole utterances of the test speakers; without any, every tenth of those learnt from."""
        if len(self.test):
            return np.asarray(self.test[self.whole[self.test]])
        return np.asarray(self.train[self.whole[self.train]][::10])

    def evaluate(self, model: EmotionModel) -> dict[str, float]:
        """Share of whole utterances that are right: heard alone, and among others of the speaker."""
        labels, figures = self.labels[self._measured], {}
        for name, others in (("alone", 0), ("among_others", _OTHERS)):
            right = self.probabilities(model, self._measured, others).argmax(axis=1) == labels
            figures[f"accuracy_{name}" + ("" if len(self.test) else "_train")] = float(right.mean())
            if self.network.spectral:
                break
        return figures

    def finish(self, model: EmotionModel, folder: Path, name: str) -> dict[str, Any]:
        """Export."""
        path = folder / f"{name}.onnx"
        figures = self.evaluate(model)
        worst = self._export(model.network, path)
        people = len(set(self.speakers[self.train].tolist()))
        names = "`features`" if self.network.spectral else "`statistics` and `usual`"
        dim = "bands" if self.network.spectral else "numbers"
        return {
            "files": f"`{path.name}` ({path.stat().st_size} bytes)",
            "network": f"{sum(p.numel() for p in model.network.parameters())} parameters",
            "input": f"{names}, {self._width} {dim}",
            "output": f"logits (batch, {len(EMOTIONS)}): {', '.join(EMOTIONS)}",
            "data": f"{int(self.whole[self.train].sum())} utterances of {people} speakers",
            "largest difference from torch": f"{worst:.1e}",
            **{key: f"{value:.2%}" for key, value in figures.items()},
        }

    @property
    def _width(self) -> int:
        return int(self.network.bands) if self.network.spectral else _STATISTICS

    def _export(self, network: nn.Module, path: Path) -> float:
        if self.network.spectral:
            shapes = ((2, 200), (1, 25), (3, 321))
            examples = [{"features": 4 * torch.randn(*shape, self._width)} for shape in shapes]
            free = {0: "batch", 1: "frames"}
            return export(network, path, examples, {"features": free, "output": {0: "batch"}})
        names = ("statistics", "usual")
        examples = [{name: torch.randn(batch, self._width) for name in names} for batch in (2, 1, 5)]
        return export(network, path, examples, {name: {0: "batch"} for name in (*names, "output")})


class EmotionModel(Model):
    """A network with its features and its loss."""

    def __init__(self, network: nn.Module, bands: int, smoothing: float) -> None:
        super().__init__()
        self.network = network
        self.features = LogMel(bands, _RATE) if bands else nn.Identity()
        self.smoothing = smoothing

    def logits(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Map a batch to logits (batch, emotions)."""
        if "statistics" in batch:
            found: Tensor = self.network(batch["statistics"], batch["usual"])
            return found
        with torch.no_grad():
            features = self.features(batch["waveforms"])
        logits: Tensor = self.network(features)
        return logits

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the cross-entropy."""
        logits = self.logits(batch).float()
        each = F.cross_entropy(logits, batch["labels"], reduction="none", label_smoothing=self.smoothing)
        return {"loss": (each * batch["weights"]).mean()}


def trimmed(samples: Array) -> tuple[int, int]:
    """Find where speech begins and ends in an utterance recorded in quiet, samples (n,) at 16 kHz."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    if not len(frames):
        return 0, len(samples)
    level = 10 * np.log10(np.square(frames, dtype=np.float64).mean(axis=1) + 1e-10)
    level = np.convolve(np.pad(level, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    (loud,) = np.nonzero(level > level.max() - _FLOOR)
    edge = round(_EDGE * _RATE)
    return max(0, int(loud[0]) * 160 - edge), min(len(samples), (int(loud[-1]) + 1) * 160 + edge)


def _labels(utterances: list[Utterance], source: str) -> NDArray[np.int64]:
    found = []
    for utterance in utterances:
        emotion = utterance.about.get("emotion")
        if emotion not in EMOTIONS:
            known, name = ", ".join(EMOTIONS), utterance.path.name
            raise FormatError(f"{source}: {name}: an emotion is one of {known}; got {emotion!r}")
        found.append(EMOTIONS.index(emotion))
    return np.array(found, np.int64)


def _stretches(sound: Pack, seconds: tuple[float, ...]) -> NDArray[np.int64]:
    """List stretches of all utterances: number, first and last sample; the first of each is all of it."""
    rows = []
    for number in range(len(sound)):
        if number in sound.bad:
            continue
        first, last = trimmed(sound.read(number))
        rows.append((number, first, last))
        for length in (round(each * _RATE) for each in seconds):
            begins = range(first, last - length + 1, round(_APART * _RATE))
            rows += [(number, begin, begin + length) for begin in begins if length < 0.9 * (last - first)]
    return np.array(rows, np.int64)


def _balanced(of: NDArray[np.int64], labels: NDArray[np.int64], used: NDArray[np.intp]) -> Array:
    """Weights of stretches: utterances of an emotion share what it has, emotions have the same; mean 1."""
    weights = 1 / np.bincount(of)[of]
    totals = np.bincount(labels[used], weights=weights[used], minlength=len(EMOTIONS))
    weights = weights / np.maximum(totals, 1e-9)[labels]
    return np.asarray(weights / weights[used].mean(), np.float32)


def _cached(sound: Pack, items: NDArray[np.int64], cache: Path, report: Callable[[str], None]) -> Array:
    """Compute the statistics of stretches, (stretches, dim), or find that it was done before."""
    embedder = CAMPPlus(threads=1)
    models = "".join(network.sha256 for network in embedder.networks.values())
    key = hashlib.sha256(f"{sound.path.stem}{models}{STATISTICS}".encode() + items.tobytes()).hexdigest()[:32]
    path = cache / f"{key}.npy"
    if not path.exists():
        report(f"computing the statistics of {len(items)} stretches")
        rows = []
        for number in np.unique(items[:, 0]).tolist():
            mine = items[items[:, 0] == number, 1:]
            begin = int(mine[0, 0])
            speech = sound.read(number, begin, int(mine[0, 1]) - begin)
            rows.append(voice_and_prosody(speech, (mine - begin) / _RATE, embedder))
        with replacing(path) as draft, draft.open("wb") as file:
            np.save(file, np.concatenate(rows), allow_pickle=False)
    found: Array = np.load(path, allow_pickle=False)
    return found
