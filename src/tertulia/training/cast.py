"""Who is heard in the conversations of task `sortformer`, and whose turns are replayed."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

from tertulia.errors import InputError, UsageError
from tertulia.simulation.templates import read_references
from tertulia.timeline import Diarization
from tertulia.training.utterances import Utterance, read_names

__all__ = ["FRAME", "Data", "sides", "templates"]

FRAME = 0.08
"""Seconds between two outputs of the network."""


@dataclass(frozen=True)
class Data:
    """What is mixed.

    Args:
        speech: a manifest or folder, see `read_utterances`.
        test: names of speakers who are heard in the test alone: RTTM, a folder of it, or a list.
        noise: folder of clips.
        turns: folder of RTTM whose turns are replayed; without it they are sampled.
        turns_left_out: patterns of the names of recordings whose turns are not replayed.
        speeds: factors, one of which a voice of the training is played at.
        leave_out: column of the manifest → values whose rows are not used.
        curriculum: rows (first epoch, fewest speakers, most, seconds of an example), in order of the first.
        hours: of sound in an epoch.
        tests: conversations in the test, like those of the last row, the same for every run.
        kept: conversations that are made once, and heard again and again in stretches; 0 makes every example
            afresh. Those of 1, 2, … speakers take turns.
        lasting: seconds of each of them.
        joining: how many of them join in every epoch.
    """

    curriculum: tuple[tuple[int, int, int, float], ...]
    hours: float
    tests: int
    kept: int = 0
    lasting: float = 90.0
    joining: int = 1
    speech: str | None = None
    test: str | None = None
    noise: str | None = None
    turns: str | None = None
    turns_left_out: tuple[str, ...] = ()
    speeds: tuple[float, ...] = (1.0,)
    leave_out: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.curriculum:
            if len(row) != 4 or not (1 <= row[1] <= row[2] and row[3] >= FRAME):
                raise UsageError(f"data.curriculum has rows [epoch, fewest, most, seconds]; got {row}")
        epochs = [row[0] for row in self.curriculum]
        if not epochs or epochs[0] != 0 or epochs != sorted(set(epochs)):
            raise UsageError(f"data.curriculum begins with epoch 0 and goes on rising; got {epochs}")
        if not (self.hours > 0 and self.tests >= 1 and self.kept >= 0 and self.joining >= 1):
            raise UsageError("data needs hours above zero, tests and joining from 1, kept from 0")
        if not self.speeds or not all(0.5 <= speed <= 2 for speed in self.speeds):
            raise UsageError(f"data.speeds are factors from 0.5 to 2; got {self.speeds}")
        if self.kept and min(self.kept, self.joining) < self.most:
            raise UsageError(
                f"data.kept and data.joining go from {self.most}, one for each number of speakers"
            )
        if self.kept and self.lasting < self.longest:
            raise UsageError(f"data.lasting is {self.lasting:g}, which is shorter than an example")

    @property
    def most(self) -> int:
        """Most speakers of an example."""
        return max(row[2] for row in self.curriculum)

    @property
    def longest(self) -> float:
        """Seconds of the longest example."""
        return max(row[3] for row in self.curriculum)


def sides(utterances: list[Utterance], data: Data, most: int) -> dict[str, dict[str, list[int]]]:
    """Give for `train` and `test` speaker → numbers of utterances; nobody is in both.

    Raises:
        InputError: when there are too few for conversations of `most` speakers.
    """
    kept = read_names(str(data.test))
    sides: dict[str, dict[str, list[int]]] = {"train": {}, "test": {}}
    for number, utterance in enumerate(utterances):
        side = "test" if utterance.speaker in kept else "train"
        sides[side].setdefault(utterance.speaker, []).append(number)
    for side, people in sides.items():
        if len(people) < most:
            raise InputError(f"{len(people)} speakers to {side} on are too few for conversations of {most}")
    return sides


def templates(data: Data) -> list[Diarization]:
    """Read the references whose turns are replayed; none means that turns are sampled.

    Raises:
        InputError: when there are none to be replayed.
    """
    if data.turns is None:
        return []
    found = read_references(data.turns)
    left = {n: r for n, r in found.items() if not any(fnmatch(n, p) for p in data.turns_left_out)}
    usable = [reference for reference in left.values() if len(reference)]
    if not usable:
        raise InputError(f"{data.turns} holds no turns that are not left out")
    return usable
