"""Task `sortformer`: who is active every 0.08 s, learnt from conversations mixed on the way."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from tertulia.config import from_table, part
from tertulia.embedding.track import VoiceTrack
from tertulia.errors import UsageError
from tertulia.evaluation import DiarizationError
from tertulia.frames import Grid
from tertulia.networks.frontend import LogMel
from tertulia.simulation.sounds import audio_files
from tertulia.training.augment import Augmentation, Augmenter
from tertulia.training.cast import FRAME, Data, sides, templates
from tertulia.training.conversations import Conversations, Rooms
from tertulia.training.kept import Example, Kept
from tertulia.training.pack import pack
from tertulia.training.recipe import Recipe
from tertulia.training.sortformer import EndToEndModel, Loss, SortformerSettings, export_sortformer
from tertulia.training.task import Examples
from tertulia.training.utterances import used_utterances
from tertulia.training.windows import activity, window_errors

__all__ = ["EndToEndTask"]

_RATE = 16_000
_AROUND = 120  # samples by which a window of 25 ms reaches beyond its step of 10 ms
_TEST = 1 << 34  # numbers of test examples begin here
_KEPT = 2  # tells the chance behind conversations that are kept from other chance
_MADE = 2  # how conversations are made: the next number when that changes, so that none is kept from before
_HALF = 0.5  # probability from which somebody is active when measuring


NETWORKS: dict[str, type] = {"sortformer": SortformerSettings}


class EndToEndTask:
    """Conversations in, activity of their speakers out.

    Args:
        recipe: its tables are those of `Data`, `Loss` and `Augmentation`, whose rooms have a place for every
            speaker; `network` names one of `NETWORKS` and goes on with what that takes.
        cache: folder for decoded sound.
        report: told what is left out.
    """

    def __init__(self, recipe: Recipe, cache: Path, report: Callable[[str], None]) -> None:
        name = recipe.name
        self.data = from_table(Data, recipe.data, f"{name}.data")
        self.network = part(NETWORKS, recipe.network, f"{name}.network", "network")
        self.loss = from_table(Loss, recipe.loss, f"{name}.loss")
        augmentation = from_table(Augmentation, recipe.augmentation, f"{name}.augmentation")
        most = self.data.most
        if most > self.network.speakers:
            raise UsageError(f"{name}.data.curriculum has {most} speakers, network.speakers fewer")
        for key in ("speech", "test"):
            if getattr(self.data, key) is None:
                raise UsageError(f"{name}.data.{key} is not set: --data {key}=PATH")
        utterances = used_utterances(str(self.data.speech), self.data.leave_out)
        self._pack = pack([(u.path, u.start, u.end) for u in utterances], cache, report=report)
        noise = None
        if self.data.noise is not None:
            noise = pack(
                [(path, 0.0, None) for path in audio_files(Path(self.data.noise))], cache, report=report
            )
        self._noise = noise
        without_rooms = dataclasses.replace(augmentation, rooms=0.0)
        self._augment = Augmenter(without_rooms, noise, None, _RATE, recipe.seed)
        self._seed, self._track = recipe.seed, VoiceTrack(threads=1)
        self._features = LogMel()
        rooms = Rooms(augmentation.responses, most, _RATE, recipe.seed) if augmentation.rooms else None
        turns = templates(self.data)
        self.voices = {
            side: {who: [i for i in mine if i not in self._pack.bad] for who, mine in people.items()}
            for side, people in sides(utterances, self.data, most).items()
        }
        self._sides = {
            side: Conversations(
                self._pack,
                people,
                rooms,
                augmentation.rooms,
                turns,
                self.data.speeds if side == "train" else (1.0,),
            )
            for side, people in self.voices.items()
        }
        named = json.dumps(
            [
                self.identity,
                recipe.seed,
                recipe.augmentation,
                self.data.lasting,
                most,
                self.data.speeds,
                _MADE,
            ]
        )
        digest = hashlib.sha256(named.encode()).hexdigest()[:32]
        self.kept = Kept(cache / f"conversations-{digest}", self._whole)

    @property
    def identity(self) -> dict[str, Any]:
        """Files in a few digits."""
        return {"sound": self._pack.digest, "noise": None if self._noise is None else self._noise.digest}

    # ── examples ─────────────────────────────────────────────────────────────────────────────────────

    def stage(self, epoch: int) -> Examples:
        """Return the examples of an epoch, as the curriculum has them."""
        _, low, high, seconds = max(row for row in self.data.curriculum if row[0] <= epoch)
        if self.data.kept:
            return _KeptStage(
                self, (low, high), seconds, min(self.data.kept, self.data.joining * (epoch + 1))
            )
        return _Stage(self, (low, high), seconds)

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Those of the first epoch."""
        return self.stage(0).order(rng)

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:
        """One of the first epoch."""
        return self.stage(0).example(number, rng)

    def mixed(
        self, side: str, speakers: tuple[int, int], seconds: float, rng: Generator
    ) -> dict[str, NDArray[Any]]:
        """A conversation: `waveforms` (samples,), padded by what windows reach, `targets` (frames, S).

        A network that wants them gets `voices` (frames, 704) as well.
        """
        frames = Grid(FRAME).count(seconds)
        samples, reference = self._sides[side](speakers, frames * FRAME, rng)
        samples = self._augment(samples, rng)
        active = activity(reference, Grid(FRAME), frames)  # (frames, people)
        targets = np.zeros((frames, self.network.speakers), np.float32)
        targets[:, : active.shape[1]] = active
        example = {"waveforms": np.pad(samples, _AROUND), "targets": targets}
        return example | {"voices": self._track(samples)[:frames]} if self.network.wants_voices else example

    def _whole(self, number: int) -> Example:
        """A conversation that is kept, in few bits."""
        people, rng = 1 + number % self.data.most, np.random.default_rng([self._seed, _KEPT, number])
        made = self.mixed("train", (people, people), self.data.lasting, rng)
        kept = {"targets": made["targets"].astype(np.uint8)}
        with torch.no_grad():
            (features,) = self._features(torch.from_numpy(made["waveforms"])[None]).numpy()
        kept["features"] = features.astype(np.float16)
        return kept | {name: made[name].astype(np.float16) for name in made if name == "voices"}

    def stretch(self, number: int, seconds: float, rng: Generator) -> Example:
        """A stretch of a conversation that is kept, from anywhere in it."""
        whole, frames = self.kept(number), Grid(FRAME).count(seconds)
        first = int(rng.integers(len(whole["targets"]) - frames + 1))
        fine = len(whole["features"]) // len(whole["targets"])  # features in a frame
        return {
            name: array[first * step : (first + frames) * step].astype(np.float32)
            for name, array in whole.items()
            for step in [fine if name == "features" else 1]
        }

    # ── model ────────────────────────────────────────────────────────────────────────────────────────

    def model(self) -> EndToEndModel:
        """A new network."""
        return EndToEndModel(self.network(), self.loss)

    @cached_property
    def _tests(self) -> list[dict[str, NDArray[Any]]]:
        _, low, high, seconds = self.data.curriculum[-1]
        people = [low + number % (high - low + 1) for number in range(self.data.tests)]
        return [
            self.mixed("test", (count, count), seconds, np.random.default_rng(_TEST + number))
            for number, count in enumerate(people)
        ]

    def errors(self, model: EndToEndModel) -> dict[int, DiarizationError]:
        """Errors on the test, number of speakers → their sum; frames at a half, speakers mapped at best."""
        device, found = next(model.parameters()).device, dict[int, DiarizationError]()
        for example in self._tests:
            with torch.no_grad():
                batch = {name: torch.from_numpy(array)[None].to(device) for name, array in example.items()}
                logits = model.logits(batch)[0]
            active, there = logits.sigmoid().cpu().numpy() >= _HALF, example["targets"] > 0
            people = int(there.any(axis=0).sum())
            errors = window_errors(there, active, FRAME)
            found[people] = found.get(people, DiarizationError()) + errors
        return found

    def evaluate(self, model: EndToEndModel) -> dict[str, float]:
        """DER with its parts on conversations of people who are heard nowhere else."""
        errors = sum(self.errors(model).values(), DiarizationError())
        return {
            "der": errors.der,
            "false_alarm": errors.false_alarm_rate,
            "missed": errors.missed_rate,
            "confusion": errors.confusion_rate,
        }

    def finish(self, model: EndToEndModel, folder: Path, name: str) -> dict[str, Any]:
        """Export both halves."""
        errors = self.errors(model)
        paths, worst = export_sortformer(model.network, folder, name)
        hours = sum(self._pack.length(i) for mine in self.voices["train"].values() for i in mine) / (
            _RATE * 3600
        )
        return {
            "files": ", ".join(f"`{path.name}` ({path.stat().st_size} bytes)" for path in paths),
            "network": f"Sortformer, {sum(p.numel() for p in model.network.parameters())} parameters",
            "input": "Kaldi log-mel energies, 80 bands every 10 ms",
            "output": f"activity of {self.network.speakers} speakers in order of arrival, every 0.08 s",
            "data": f"{len(self.voices['train'])} speakers, {hours:.1f} h; "
            f"test: {len(self.voices['test'])} other speakers, {self.data.tests} conversations",
            "largest difference from torch": f"{worst:.1e}",
        } | {f"DER on test conversations of {n}": f"{errors[n].der:.2%}" for n in sorted(errors)}


class _Stage:
    """Examples of an epoch."""

    def __init__(self, task: EndToEndTask, speakers: tuple[int, int], seconds: float) -> None:
        self._task, self._speakers, self._seconds = task, speakers, seconds

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Numbers that only tell examples apart: each is drawn."""
        return rng.permutation(max(1, round(self._task.data.hours * 3600 / self._seconds)))

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        return self._task.mixed("train", self._speakers, self._seconds, rng)


class _KeptStage:
    """Examples of an epoch, stretches of the first `count` conversations that are kept."""

    def __init__(self, task: EndToEndTask, speakers: tuple[int, int], seconds: float, count: int) -> None:
        low, high = speakers
        self._task, self._seconds = task, seconds
        people = 1 + np.arange(count) % task.data.most
        (self._fitting,) = np.nonzero((people >= low) & (people <= high))

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Numbers of conversations, drawn with none much more often than others."""
        wanted = max(1, round(self._task.data.hours * 3600 / self._seconds))
        rounds = [rng.permutation(self._fitting) for _ in range(-(-wanted // len(self._fitting)))]
        return np.concatenate(rounds)[:wanted]

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:
        return self._task.stretch(number, self._seconds, rng)
