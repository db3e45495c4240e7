"""Task `siamese`: one voice or two? Pairs of stretches of speech, compared by twin branches.

It goes in two steps, after H. Salehghaffari, "Speaker verification using convolutional neural networks"
(2018): for `data.averaged` epochs utterances have to be near the averaged model of their speaker; then pairs
fine-tune what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from tertulia.config import from_table
from tertulia.errors import UsageError
from tertulia.evaluation import auc
from tertulia.networks.sincnet import SincBands
from tertulia.simulation.sounds import audio_files
from tertulia.training.augment import Augmentation, Augmenter, fitted
from tertulia.training.filters import draw_filters
from tertulia.training.pack import pack
from tertulia.training.recipe import Recipe
from tertulia.training.speech import Data as SpeechData
from tertulia.training.speech import Evaluation, Speech
from tertulia.training.task import Examples
from tertulia.training.twins import TwinLoss, TwinModel, export_twin, twin_settings
from tertulia.training.verification import Trials

__all__ = ["SiameseTask"]

Array = NDArray[np.float32]

_BATCH = 32  # crops embedded at once when measuring


@dataclass(frozen=True)
class Data(SpeechData):
    """What is learnt from, see `tertulia.training.speech.Data`.

    Args:
        pairs: in an epoch; half of them are of one voice.
        averaged: epochs in which speakers are averaged models, before the pairs.
        utterances: of each speaker, in an example of those.
        within: column of the manifest whose value two voices of a pair share, such as the corpus: what only
            tells corpora apart is not to be learnt.
        encoder: for a network that has one: file of a wav2vec that the task `wav2vec` wrote (`.safetensors`),
            or the folder or hub id of public weights (see `tertulia.networks.public_wav2vec`).
    """

    pairs: int = 0
    averaged: int = 0
    utterances: int = 3
    within: str | None = None
    encoder: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.pairs >= 1 and self.averaged >= 0 and self.utterances >= 2):
            raise UsageError("data needs pairs from 1, averaged from 0 and utterances from 2")
        if self.per_speaker != 1 or self.whole:
            raise UsageError("data.per_speaker and data.whole are not for pairs")


class SiameseTask:
    """Pairs in, distances out.

    Args:
        recipe: its tables are those of `Data`, `Augmentation`, `TwinLoss` and `Evaluation`; `network` names
            one of `FRONTS` and goes on with what that takes.
        cache: folder for decoded sound.
        report: told what is left out.
    """

    def __init__(self, recipe: Recipe, cache: Path, report: Callable[[str], None]) -> None:
        name = recipe.name
        self.data = from_table(Data, recipe.data, f"{name}.data")
        self.network = twin_settings(recipe.network, name)
        self.loss = from_table(TwinLoss, recipe.loss, f"{name}.loss")
        augmentation = from_table(Augmentation, recipe.augmentation, f"{name}.augmentation")
        evaluation = from_table(Evaluation, recipe.evaluation, f"{name}.evaluation")
        if self.data.speech is None:
            raise UsageError(f"{name}.data.speech is not set: --data speech=PATH")
        self.speech = Speech.read(self.data.speech, self.data, evaluation, recipe.seed, cache, report)
        noises = None
        if self.data.noise is not None:
            noises = pack([(p, 0.0, None) for p in audio_files(Path(self.data.noise))], cache, report=report)
        self._rate = self.speech.pack.sample_rate
        self._augment = Augmenter(augmentation, noises, self.speech.training_part(), self._rate, recipe.seed)
        self._crop = round(self.data.crop * self._rate)
        self._groups()  # refuse a column that is not there now

    @property
    def identity(self) -> dict[str, Any]:
        """The sound in a few digits, and how it is split."""
        splits = {name: len(mine) for name, mine in self.speech.splits.items()}
        return {"sound": self.speech.pack.digest, "splits": splits, "noise": bool(self.data.noise)}

    # ── examples ─────────────────────────────────────────────────────────────────────────────────────

    def stage(self, epoch: int) -> Examples:
        """Return couples of utterances first, pairs then."""
        return _Averaged(self) if epoch < self.data.averaged else _Pairs(self)

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Those of the first epoch."""
        return self.stage(0).order(rng)

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:
        """One of the first epoch."""
        return self.stage(0).example(number, rng)

    @cached_property
    def files(self) -> list[list[int]]:
        """Training utterances of every speaker."""
        mine: list[list[int]] = [[] for _ in self.speech.speakers]
        for i in self.speech.splits["train"]:
            mine[self.speech.speakers[self.speech.utterances[i].speaker]].append(i)
        return mine

    def _groups(self) -> list[Sequence[int]]:
        """Speakers of whom each may be paired with, by speaker; those of one group share one list."""
        if self.data.within is None:
            return [range(len(self.files))] * len(self.files)
        values = [self.speech.utterances[mine[0]].about.get(self.data.within) for mine in self.files]
        if None in values:
            raise UsageError(f"data.within: there is no column {self.data.within!r}")
        groups = {value: [k for k, other in enumerate(values) if other == value] for value in set(values)}
        return [groups[value] for value in values]

    @cached_property
    def others(self) -> list[Sequence[int]]:
        """As `_groups`, those with somebody else in them alone."""
        return [group if len(group) > 1 else range(len(self.files)) for group in self._groups()]

    def crops(self, speaker: int, count: int, rng: Generator) -> list[Array]:
        """Stretches of a speaker, of as many utterances as there are, (samples,) each."""
        have = self.files[speaker]
        return [self._crop_of(i, rng) for i in rng.choice(have, count, replace=len(have) < count).tolist()]

    def _crop_of(self, piece: int, rng: Generator) -> Array:
        pack_of = self.speech.pack
        start = int(rng.integers(max(1, pack_of.length(piece) - self._crop + 1)))
        return fitted(pack_of.read(piece, start, self._crop), self._crop, rng)

    def augmented(self, crops: Sequence[Array], rng: Generator) -> Array:
        """What happens to all of them together: one room, one noise; (crops, samples)."""
        return self._augment(np.concatenate(crops), rng).reshape(len(crops), -1)

    # ── model ────────────────────────────────────────────────────────────────────────────────────────

    def model(self) -> TwinModel:
        """Two branches with one set of weights are one network."""
        return TwinModel(self.network(self.data.encoder), self.loss)

    def evaluate(self, model: TwinModel) -> dict[str, float]:
        """Equal error rates of all pairs of each split, and how many are right at the threshold of `dev`."""
        figures: dict[str, float] = {}
        scores = {name: self._scores(model, trials) for name, trials in self.speech.trials.items()}
        for name, (_, labels, eer) in scores.items():
            figures[f"eer_{name}"] = eer
            figures[f"auc_{name}"] = auc(scores[name][0], labels)
        if {"dev", "test"} <= set(scores):
            right = _balanced_accuracy(*scores["test"][:2], _threshold(*scores["dev"][:2]))
            figures["accuracy_test"] = right
        return figures

    def _scores(
        self, model: TwinModel, trials: Trials
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], float]:
        """Negative distances of all pairs, whether they are of one voice, and the equal error rate."""
        vectors = self._embed(model, trials)
        first, second = np.triu_indices(len(vectors), 1)
        cosine = (vectors @ vectors.T)[first, second].astype(np.float64)
        labels = trials.speakers[first] == trials.speakers[second]
        return -np.sqrt(np.maximum(2 - 2 * cosine, 0)), labels, trials.eer(vectors)

    def _embed(self, model: TwinModel, trials: Trials) -> Array:
        """Embed the middle of every utterance of some trials, (utterances, dim)."""
        device = next(model.parameters()).device
        parts = []
        for begin in range(0, len(trials.pieces), _BATCH):
            crops = [self.speech.middle(piece) for piece in trials.pieces[begin : begin + _BATCH].tolist()]
            with torch.no_grad():
                parts.append(model.network(torch.from_numpy(np.stack(crops)).to(device)).cpu().numpy())
        return np.concatenate(parts)

    def finish(self, model: TwinModel, folder: Path, name: str) -> dict[str, Any]:
        """Export, draw the filters if they are learnt, and measure adults and children apart."""
        figures: dict[str, str] = {}
        for split, trials in self.speech.trials.items():
            scores, labels, eer = self._scores(model, trials)
            figures[f"pairs, {split}"] = (
                f"EER {eer:.2%}, AUC {auc(scores, labels):.4f} "
                f"({len(trials)} pairs, {trials.targets} of one voice)"
            )
            if split == "dev":
                figures["distance at the EER of dev"] = f"{-_threshold(scores, labels):.3f}"
            vectors = self._embed(model, trials)
            for group, chosen in self.speech.groups(trials).items():
                part = trials.of(chosen)
                if 0 < part.targets < len(part):
                    figures[f"EER, {split}, {group}"] = f"{part.eer(vectors[chosen]):.2%} ({len(part)} pairs)"
        if isinstance(model.network.front, SincBands):
            draw_filters(model.network.front.filters, folder, name)
        about = export_twin(model.network, folder, name)
        return {**about, "data": self.speech.describe(), **figures}


def _threshold(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Score at which misses equal false alarms."""
    order = np.argsort(scores)
    missed = np.cumsum(labels[order]) / labels.sum()
    alarms = 1 - np.cumsum(~labels[order]) / (~labels).sum()
    return float(scores[order][int(np.argmax(missed >= alarms))])


def _balanced_accuracy(scores: NDArray[np.float64], labels: NDArray[np.bool_], threshold: float) -> float:
    """Mean of the shares of right answers among pairs of one voice and of two."""
    accepted = scores > threshold
    return float((accepted[labels].mean() + (~accepted[~labels]).mean()) / 2)


class _Averaged:
    """Utterances of one speaker: `waveforms` (utterances, samples), `labels` (utterances,).

    Each is augmented by itself: in one room they would be known by the room.
    """

    def __init__(self, task: SiameseTask) -> None:
        self._task = task

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Speakers, as many as make the crops of an epoch of pairs; everybody before anybody comes again."""
        task = self._task
        wanted = -(-2 * task.data.pairs // task.data.utterances)
        rounds = -(-wanted // len(task.files))
        return np.concatenate([rng.permutation(len(task.files)) for _ in range(rounds)])[:wanted]

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:
        """Make the one of a speaker."""
        task = self._task
        crops = task.crops(number, task.data.utterances, rng)
        heard = np.concatenate([task.augmented([crop], rng) for crop in crops])
        return {"waveforms": heard, "labels": np.full(len(crops), number)}


class _Pairs:
    """Pairs: `waveforms` (2, samples), `same` (), `labels` (2,).

    Both sides are heard in one room and noise, as in a recording that is to be segmented.
    """

    def __init__(self, task: SiameseTask) -> None:
        self._task = task

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Even numbers are pairs of one voice, odd ones of two."""
        return rng.permutation(self._task.data.pairs)

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:
        """Draw a pair."""
        task = self._task
        one = int(rng.integers(len(task.files)))
        if number % 2 == 0:
            crops, labels = task.crops(one, 2, rng), [one, one]
        else:
            group = task.others[one]
            other = one
            while other == one:
                other = int(group[int(rng.integers(len(group)))])
            crops, labels = [*task.crops(one, 1, rng), *task.crops(other, 1, rng)], [one, other]
        return {
            "waveforms": task.augmented(crops, rng),
            "same": np.array(labels[0] == labels[1]),
            "labels": np.array(labels),
        }
