"""Crops as `embed_speakers.py` writes them, and the trials that can be made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Items:
    """One entry a crop in every array; `first` and `last` tell which utterances it is made of."""

    speaker: NDArray[np.str_]
    corpus: NDArray[np.str_]
    group: NDArray[np.str_]
    condition: NDArray[np.str_]
    seconds: Array
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    vector: Array

    @classmethod
    def load(cls, path: Path) -> tuple[Self, str]:
        """Read a file; also returns the name of the network that made the vectors."""
        with np.load(path, allow_pickle=False) as file:
            columns: dict[str, Any] = {each.name: file[each.name] for each in fields(cls)}
            model = str(file["model"])
        columns["vector"] = columns["vector"].astype(np.float64)
        return cls(**columns), model

    def __len__(self) -> int:
        return len(self.speaker)

    def __getitem__(self, chosen: Any) -> Self:
        return type(self)(**{each.name: getattr(self, each.name)[chosen] for each in fields(self)})

    def where(self, **wanted: str | float | Sequence[str] | Sequence[float]) -> Self:
        """Keep the items whose columns have one of the given values."""
        kept = np.ones(len(self), bool)
        for name, values in wanted.items():
            kept &= np.isin(getattr(self, name), values)
        return self[kept]


@dataclass(frozen=True, eq=False)
class Trials:
    """Pairs of items, by index into two lists, and whether both are one speaker."""

    one: NDArray[np.intp]
    other: NDArray[np.intp]
    target: Mask

    @classmethod
    def between(cls, ones: Items, others: Items, *, among: bool = False) -> Self:
        """Pair everything with everything, but no two crops that share an utterance.

        Args:
            ones: one side.
            others: the other side.
            among: whether both are the same list, of which each pair is wanted once.
        """
        same = ones.speaker[:, None] == others.speaker
        shared = same & (ones.first[:, None] <= others.last) & (others.first <= ones.last[:, None])
        wanted = ~shared
        if among:
            wanted &= np.triu(np.ones(same.shape, bool), 1)
        one, other = np.nonzero(wanted)
        return cls(one, other, same[one, other])

    def fewer(self, most: int, rng: np.random.Generator) -> Self:
        """Keep all targets, and so many non-targets drawn at random."""
        others = np.flatnonzero(~self.target)
        drawn = others if len(others) <= most else rng.choice(others, most, replace=False)
        kept = np.sort(np.concatenate([np.flatnonzero(self.target), drawn]))
        return type(self)(self.one[kept], self.other[kept], self.target[kept])

    def scores(self, table: Array) -> Array:
        """Pick the scores of the trials from a table (ones, others)."""
        return np.asarray(table[self.one, self.other])
