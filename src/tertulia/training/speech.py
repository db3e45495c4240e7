"""Utterances of known speakers, decoded and split: what a `SpeakerTask` works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import InputError, UsageError
from tertulia.training.pack import Pack, pack
from tertulia.training.utterances import Utterance, read_names, read_utterances, split
from tertulia.training.verification import Trials, trials_of

__all__ = ["Data", "Evaluation", "Speech"]


@dataclass(frozen=True)
class Data:
    """What is learnt from.

    Args:
        speech: a manifest or folder, see `read_utterances`.
        test: names of speakers who are kept for the test: RTTM, a folder of it, or a list.
        noise: folder of recordings of noise.
        crop: seconds of an example.
        dev_speakers: how many speakers are kept to measure after every epoch, beside those of the test.
        per_speaker: examples of one speaker that follow one another; with 1, every utterance comes once.
        whole: long utterances come as often as an example fits into them.
        leave_out: column of the manifest → values whose rows are not used.
    """

    crop: float
    speech: str | None = None
    test: str | None = None
    noise: str | None = None
    dev_speakers: int = 0
    per_speaker: int = 1
    whole: bool = False
    leave_out: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (self.crop >= 0.1 and self.dev_speakers >= 0 and self.per_speaker >= 1):
            raise UsageError("data needs crop from 0.1 s, dev_speakers from 0 and per_speaker from 1")


@dataclass(frozen=True)
class Evaluation:
    """Trials after every epoch.

    Args:
        seconds: taken from the middle of every utterance that is as long.
        utterances: of one speaker, at most.
        child: age up to which a speaker is a child; children are reported apart from adults.
    """

    seconds: float
    utterances: int
    child: int = 12


@dataclass(frozen=True, eq=False)
class Speech:
    """Utterances with their sound.

    Attributes:
        utterances: all that were listed.
        pack: their sound; piece `i` is utterance `i`.
        splits: `train`, `dev` and `test` → numbers of their utterances; no speaker is in two.
        evaluation: what trials are made of.
    """

    utterances: Sequence[Utterance]
    pack: Pack
    splits: Mapping[str, Sequence[int]]
    evaluation: Evaluation

    @classmethod
    def read(
        cls,
        source: str,
        data: Data,
        evaluation: Evaluation,
        seed: int,
        cache: Path,
        report: Callable[[str], None],
    ) -> Self:
        """Read a manifest or folder; see `Data`.

        Raises:
            UsageError: for a column or speakers that are not there, or a split that comes out empty.
            InputError: for sound that cannot be used, or a split on which nothing can be measured.
        """
        utterances = _kept(read_utterances(source), data.leave_out, source)
        packed = pack([(u.path, u.start, u.end) for u in utterances], cache, report=report)
        usable = {id(u): i for i, u in enumerate(utterances) if i not in packed.bad}
        test = read_names(data.test) if data.test is not None else frozenset()
        parts = split([u for u in utterances if id(u) in usable], test, data.dev_speakers, seed)
        splits = {name: [usable[id(u)] for u in mine] for name, mine in parts.items()}
        speech = cls(utterances, packed, splits, evaluation)
        for name in ("dev", "test"):
            speech._check(name, report)
        return speech

    def _check(self, name: str, report: Callable[[str], None]) -> None:
        """Refuse a split on which nothing can be measured, and name who cannot be compared in another."""
        files: dict[str, int] = {}
        for i in self.splits[name]:
            files[self.utterances[i].speaker] = files.get(self.utterances[i].speaker, 0) + 1
        if files and name not in self.trials:
            raise InputError(
                f"the {name} split has no two speakers with two utterances of "
                f"{self.evaluation.seconds:g} s or more each, so nothing can be measured on it"
            )
        for speaker in sorted(speaker for speaker, count in files.items() if count == 1):
            report(f"{name}: {speaker} has one utterance, so there is nothing to compare it with")

    @cached_property
    def speakers(self) -> dict[str, int]:
        """Training speakers → their numbers."""
        names = sorted({self.utterances[i].speaker for i in self.splits["train"]})
        return {name: number for number, name in enumerate(names)}

    @cached_property
    def trials(self) -> dict[str, Trials]:
        """Trials by name of the split, where there can be any."""
        found = {name: self._trials(self.splits[name]) for name in ("dev", "test")}
        return {name: trials for name, trials in found.items() if trials is not None}

    def _trials(self, pieces: Sequence[int]) -> Trials | None:
        long = [i for i in pieces if self.pack.length(i) >= self.measured]
        return trials_of(long, [self.utterances[i].speaker for i in long], self.evaluation.utterances)

    @property
    def measured(self) -> int:
        """Samples of an utterance that are measured on."""
        return round(self.evaluation.seconds * self.pack.sample_rate)

    def middle(self, piece: int) -> NDArray[np.float32]:
        """Samples from the middle of an utterance, as many as are measured on."""
        count = self.measured
        return self.pack.read(piece, (self.pack.length(piece) - count) // 2, count)

    def groups(self, trials: Trials) -> dict[str, NDArray[np.bool_]]:
        """Which utterances of some trials are adults' and which children's, if the manifest tells of any."""
        ages = [self.utterances[i].about.get("age", "") for i in trials.pieces.tolist()]
        known = np.array([age.isdigit() for age in ages])
        child = np.array([age.isdigit() and int(age) <= self.evaluation.child for age in ages])
        return {"adults": known & ~child, "children": child} if child.any() else {}

    def training_part(self) -> Pack:
        """Sound of the training split alone."""
        return Pack(self.pack.samples, self.pack.bounds[list(self.splits["train"])], {}, self.pack.path)

    def describe(self) -> str:
        """Put the training split in words."""
        train = self.splits["train"]
        hours = sum(self.pack.length(i) for i in train) / self.pack.sample_rate / 3600
        said = f"{len(self.speakers)} speakers, {len(train)} utterances, {hours:.1f} h"
        corpora = sorted({c for i in train if (c := self.utterances[i].about.get("corpus"))})
        return f"{said}: {', '.join(corpora)}" if corpora else said


def _kept(
    utterances: Sequence[Utterance], leave_out: Mapping[str, Sequence[Any]], source: str
) -> list[Utterance]:
    """Leave rows out by the values of their columns."""
    for column in leave_out:
        if not any(column in u.about for u in utterances):
            raise UsageError(f"data.leave_out: {source} has no column {column!r}")
    unwanted = {column: {str(value) for value in values} for column, values in leave_out.items()}
    return [u for u in utterances if not any(u.about.get(c) in values for c, values in unwanted.items())]
