"""The statistics of turns, measured on real conversations or assumed.

The model is a Markov chain over speakers with the timing of floor transfers: `offset = start − floor`, where
the floor is the latest end of all turns so far. An offset is a pause (the same speaker goes on), a gap
(another takes over after silence) or, when negative, an overlap. A turn that ends before the floor is an
interjection. The vocabulary is that of Heldner & Edlund, "Pauses, gaps and overlaps in conversations",
Journal of Phonetics 38 (2010).
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Any, Self

import numpy as np

from tertulia.config import from_table
from tertulia.errors import FormatError, UsageError
from tertulia.formats import write_text
from tertulia.timeline import Diarization, Turn

__all__ = ["TurnStatistics"]

Quantiles = tuple[float, ...]

# Percentiles: fine enough that the straight line to the longest turn adds little.
_LEVELS = np.linspace(0, 1, 101)


def _lognormal(median: float, spread: float) -> Quantiles:
    """Quantiles of a log-normal distribution, cut off at its 0.5 % ends."""
    normal = NormalDist(np.log(median), spread)
    return tuple(round(float(np.exp(normal.inv_cdf(0.005 + 0.99 * level))), 3) for level in _LEVELS)


# Round numbers of the size that studies of conversation report.
_TURN = _lognormal(1.8, 0.9)
_PAUSE = _lognormal(0.5, 0.7)
_GAP = _lognormal(0.35, 0.8)
_OVERLAP = _lognormal(0.5, 0.8)


@dataclass(frozen=True)
class TurnStatistics:
    """How conversations are structured. Distributions are quantiles in seconds at evenly spaced levels.

    The defaults are assumed, fitted to no corpus.

    Raises:
        UsageError: for quantiles that are negative or fall, or shares outside [0, 1].
    """

    turn: Quantiles = _TURN
    """Length of turns."""
    pause: Quantiles = _PAUSE
    """Silence before the same speaker goes on."""
    gap: Quantiles = _GAP
    """Silence before another speaker."""
    overlap: Quantiles = _OVERLAP
    """How long before the floor is free another speaker begins, where one does."""
    stay: float = 0.25
    """Chance that the next turn is the same speaker's."""
    back: float = 0.5
    """Chance that a change goes back to the speaker before, where there are three or more."""
    overlapping: float = 0.35
    """Share of changes that overlap."""
    evenness: float = 2.0
    """Concentration of the Dirichlet distribution of the speakers' shares; large: all speak as much."""

    def __post_init__(self) -> None:
        for name in ("turn", "pause", "gap", "overlap"):
            values = np.asarray(getattr(self, name), dtype=float)
            rising = values.ndim == 1 and values.size >= 2 and bool((np.diff(values) >= 0).all())
            if not (rising and np.isfinite(values).all() and values[0] >= 0):
                raise UsageError(f"{name} needs two or more quantiles in seconds, rising from 0 or more")
        for name in ("stay", "back", "overlapping"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is a share in [0, 1]; got {getattr(self, name)}")
        if not 0 < self.evenness < np.inf:
            raise UsageError(f"evenness is positive; got {self.evenness}")

    @classmethod
    def of(cls, references: Iterable[Diarization]) -> Self:
        """Measure references. What they do not show, such as pauses where nobody pauses, keeps its default.

        Raises:
            UsageError: when there is no turn in any.
        """
        counts = _Counts()
        for reference in references:
            counts.add(reference)
        if not counts.turn:
            raise UsageError("turn statistics need references with at least one turn")
        return cls(**counts.settings())

    def write(self, path: str | Path) -> None:
        """Write JSON; raises `OutputError` when that is not possible."""
        write_text(path, json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read what `write` wrote.

        Raises:
            FormatError: when it cannot be opened or is no JSON object.
            UsageError: for an unknown key or an impossible value.
        """
        try:
            table = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FormatError(f"cannot read turn statistics from {path}: {error}") from error
        if not isinstance(table, dict):
            raise FormatError(f"{path}: turn statistics are a JSON object; got a {type(table).__name__}")
        return from_table(cls, table, str(path))


# ── measuring ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Counts:
    """What has been seen so far."""

    turn: list[float] = field(default_factory=list)
    pause: list[float] = field(default_factory=list)
    gap: list[float] = field(default_factory=list)
    overlap: list[float] = field(default_factory=list)
    stays: list[bool] = field(default_factory=list)
    backs: list[bool] = field(default_factory=list)
    evenness: list[float] = field(default_factory=list)

    def add(self, reference: Diarization) -> None:
        turns = list(reference)
        self.turn.extend(turn.duration for turn in turns)
        self._add_offsets(turns)
        order = [turn.speaker for turn in turns]
        self.stays.extend(a == b for a, b in itertools.pairwise(order))
        changes = [s for i, s in enumerate(order) if i == 0 or s != order[i - 1]]
        if len(reference.speakers) > 2:
            self.backs.extend(a == b for a, b in zip(changes[:-2], changes[2:], strict=True))
        self._add_shares(reference)

    def _add_offsets(self, turns: Sequence[Turn]) -> None:
        floor = 0.0
        for i, turn in enumerate(turns):
            offset = turn.start - floor
            floor = max(floor, turn.end)
            if i == 0 or offset == 0:
                continue
            if offset < 0:
                self.overlap.append(-offset)
            elif turn.speaker == turns[i - 1].speaker:
                self.pause.append(offset)
            else:
                self.gap.append(offset)

    def _add_shares(self, reference: Diarization) -> None:
        """By the moments of a Dirichlet distribution: E Σ (share − 1/K)² = (1 − 1/K) / (K·evenness + 1)."""
        times = np.array([timeline.duration for _, timeline in reference.items()])
        k = len(times)
        if k >= 2:
            uneven = max(float(((times / times.sum() - 1 / k) ** 2).sum()), 1e-3)
            self.evenness.append(max(((1 - 1 / k) / uneven - 1) / k, 0.1))

    def settings(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            name: tuple(np.quantile(getattr(self, name), _LEVELS).round(3).tolist())
            for name in ("turn", "pause", "gap", "overlap")
            if getattr(self, name)
        }
        changes = len(self.gap) + len(self.overlap)
        if self.stays:
            found["stay"] = float(np.mean(self.stays))
        if self.backs:
            found["back"] = float(np.mean(self.backs))
        if changes:
            found["overlapping"] = len(self.overlap) / changes
        if self.evenness:
            found["evenness"] = float(np.median(self.evenness))
        return found
