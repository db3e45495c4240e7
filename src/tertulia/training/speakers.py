"""Task `speakers`: embeddings that are near for one person, from utterances of known speakers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from tertulia.config import from_table
from tertulia.embedding import EMBEDDERS, PerWindow, unit
from tertulia.errors import UsageError, unknown
from tertulia.simulation.sounds import audio_files
from tertulia.training.augment import Augmenter, at_speed, fitted
from tertulia.training.embedders import export_embedder, network_settings
from tertulia.training.pack import pack
from tertulia.training.recipe import Recipe
from tertulia.training.speech import Evaluation, Speech
from tertulia.training.teacher import targets
from tertulia.training.verification import Trials
from tertulia.training.voices import VoiceAugmentation, VoiceData, VoiceLoss, VoiceModel

__all__ = ["SpeakerTask"]

Array = NDArray[np.float32]

_BATCH = 32  # crops embedded at once when measuring


class SpeakerTask:
    """Utterances in, embeddings out.

    Args:
        recipe: its tables are those of `VoiceData`, `VoiceAugmentation`, `VoiceLoss` and `Evaluation`;
            `network` names one of `NETWORKS` and goes on with what that takes.
        cache: folder for decoded sound and the teacher's embeddings.
        report: told what is left out.
    """

    def __init__(self, recipe: Recipe, cache: Path, report: Callable[[str], None]) -> None:
        name = recipe.name
        self.recipe = recipe
        self.data = from_table(VoiceData, recipe.data, f"{name}.data")
        self.network = network_settings(recipe.network, name)
        self.augmentation = from_table(VoiceAugmentation, recipe.augmentation, f"{name}.augmentation")
        self.loss = from_table(VoiceLoss, recipe.loss, f"{name}.loss")
        evaluation = from_table(Evaluation, recipe.evaluation, f"{name}.evaluation")
        teachers = {key for key, kind in EMBEDDERS.items() if issubclass(kind, PerWindow)}
        if self.loss.teacher not in teachers:
            raise unknown("teacher", self.loss.teacher, teachers)
        if self.data.speech is None:
            raise UsageError(f"{name}.data.speech is not set: --data speech=PATH")
        self.speech = Speech.read(self.data.speech, self.data, evaluation, recipe.seed, cache, report)
        noises = None
        if self.data.noise is not None:
            files = audio_files(Path(self.data.noise))
            noises = pack([(path, 0.0, None) for path in files], cache, report=report)
        self._rate = self.speech.pack.sample_rate
        babble = self.speech.training_part()  # nobody of the other splits
        self._augment = Augmenter(self.augmentation, noises, babble, self._rate, recipe.seed)
        self._crop = round(self.data.crop * self._rate)

    @property
    def identity(self) -> dict[str, Any]:
        """The sound in a few digits, and how it is split."""
        splits = {name: len(mine) for name, mine in self.speech.splits.items()}
        return {"sound": self.speech.pack.digest, "splits": splits, "noise": bool(self.data.noise)}

    # ── examples ─────────────────────────────────────────────────────────────────────────────────────

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Places in the training split, each as often as `data` says."""
        train, length = self.speech.splits["train"], self.speech.pack.length
        times = [max(1, length(i) // self._crop) if self.data.whole else 1 for i in train]
        places = np.tile(np.repeat(np.arange(len(train)), times), self.data.passes)
        return rng.permutation(places) if self.data.per_speaker == 1 else self._balanced(len(places), rng)

    def _balanced(self, count: int, rng: Generator) -> NDArray[np.intp]:
        """All speakers equally often, `per_speaker` times in a row."""
        mine: list[list[int]] = [[] for _ in self.speech.speakers]
        for place, i in enumerate(self.speech.splits["train"]):
            mine[self._label(i)].append(place)
        rows: list[NDArray[np.intp]] = []
        while sum(map(len, rows)) < count:
            for speaker in rng.permutation(len(mine)):
                have, wanted = mine[speaker], self.data.per_speaker
                rows.append(rng.choice(have, wanted, replace=len(have) < wanted))
        return np.concatenate(rows)[:count]

    def _label(self, piece: int) -> int:
        return self.speech.speakers[self.speech.utterances[piece].speaker]

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:
        """A crop: `waveforms` (samples,), `labels` () and, for a teacher, `targets` (dim,) or what it hears.

        That is `clean` (samples,), before augmentation.
        """
        piece, pack_of = self.speech.splits["train"][number], self.speech.pack
        speeds = self.augmentation.speeds
        which = int(rng.integers(len(speeds)))
        wanted = int(np.ceil(self._crop * speeds[which]))
        start = int(rng.integers(max(1, pack_of.length(piece) - wanted + 1)))
        played = at_speed(pack_of.read(piece, start, wanted), speeds[which], self._rate)
        clean = fitted(played, self._crop, rng)
        samples = self._augment(clean, rng)
        label = self._label(piece) + which * len(self.speech.speakers)
        made: dict[str, NDArray[Any]] = {"waveforms": samples, "labels": np.array(label)}
        if self.loss.teaches_crops:
            made["clean"] = clean
        elif self.loss.distillation:
            made["targets"] = self._targets[which, number]
        return made

    @cached_property
    def _targets(self) -> Array:
        """The teacher's embeddings of training utterances, (speeds, utterances of the split, dim).

        They are free of their mean: what all voices share is the easiest to learn and tells nobody apart.
        """
        teacher = EMBEDDERS[self.loss.teacher]()
        made = targets(teacher, self.speech.pack, self.speech.splits["train"], self.augmentation.speeds)
        dim = self.recipe.network["dim"]
        if made.shape[2] != dim:
            raise UsageError(f"the teacher's embeddings have {made.shape[2]} dimensions, the network's {dim}")
        return unit(made - made.mean(axis=(0, 1)))

    # ── model ────────────────────────────────────────────────────────────────────────────────────────

    def model(self) -> VoiceModel:
        """The network, with features and classifiers."""
        classes = len(self.speech.speakers) * len(self.augmentation.speeds)
        return VoiceModel(self.network(), self.loss, self.augmentation, classes)

    def evaluate(self, model: VoiceModel) -> dict[str, float]:
        """Equal error rates: `eer_dev` and `eer_test`."""
        return {
            f"eer_{name}": trials.eer(self._embed(model, trials))
            for name, trials in self.speech.trials.items()
        }

    def _embed(self, model: VoiceModel, trials: Trials) -> Array:
        """Embed the middle of every utterance of some trials, (utterances, dim)."""
        device = next(model.parameters()).device
        parts = []
        for begin in range(0, len(trials.pieces), _BATCH):
            crops = [self.speech.middle(piece) for piece in trials.pieces[begin : begin + _BATCH].tolist()]
            with torch.no_grad():
                waveforms = torch.from_numpy(np.stack(crops)).to(device)
                parts.append(model.embed(waveforms).float().cpu().numpy())
        return np.concatenate(parts)

    def finish(self, model: VoiceModel, folder: Path, name: str) -> dict[str, Any]:
        """Export, and measure adults and children of each split apart."""
        about, figures = export_embedder(self.network, model.network, folder, name), {}
        for split_name, trials in self.speech.trials.items():
            embeddings = self._embed(model, trials)
            figures[f"EER, {split_name}"] = _rate(trials, embeddings)
            for group, chosen in self.speech.groups(trials).items():
                part = trials.of(chosen)
                if 0 < part.targets < len(part):
                    figures[f"EER, {split_name}, {group}"] = _rate(part, embeddings[chosen])
        return {**about, "data": self.speech.describe(), **figures}


def _rate(trials: Trials, embeddings: Array) -> str:
    return f"{100 * trials.eer(embeddings):.2f} % ({len(trials)} trials, {trials.targets} of them targets)"
