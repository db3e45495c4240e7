"""`Gallery`: everybody a store knows, as one matrix, searched by brute force.

One product of a matrix with a vector looks at 100 000 people in a few milliseconds, exactly, with no index to
keep up to date (`benchmarks/identity_speed.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tertulia.identity.voiceprint import Voiceprint, same_model

__all__ = ["Gallery"]


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """People to be searched.

    Attributes:
        names: (people,).
        vectors: float32 (people, dim), of length 1.
        seconds: net speech behind each, (people,).
        model: the network that made the vectors.
        incomparable: names of people who are known only by vectors of another network.
    """

    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    seconds: NDArray[np.float64]
    model: str
    incomparable: tuple[str, ...] = ()

    @classmethod
    def of(cls, people: Iterable[tuple[str, Voiceprint]], model: str) -> Self:
        """Build from names and voiceprints; several of one person become one."""
        prints: dict[str, list[Voiceprint]] = {}
        for name, voiceprint in people:
            prints.setdefault(name, []).append(voiceprint)
        mine = {name: [each for each in many if each.model == model] for name, many in prints.items()}
        whole = {name: Voiceprint.combine(many) for name, many in mine.items() if many}
        vectors = [each.vector for each in whole.values()]
        return cls(
            tuple(whole),
            np.stack(vectors) if vectors else np.zeros((0, 0), np.float32),
            np.array([each.seconds for each in whole.values()]),
            model,
            tuple(name for name, many in mine.items() if not many),
        )

    def __len__(self) -> int:
        return len(self.names)

    def voiceprint(self, index: int) -> Voiceprint:
        """Voice of one person."""
        return Voiceprint(self.vectors[index], float(self.seconds[index]), self.model)

    def nearest(self, voiceprint: Voiceprint, count: int = 32) -> NDArray[np.intp]:
        """Return the indices of the people with the highest cosines, the highest first.

        Raises:
            InputError: for a voiceprint of another network.
        """
        same_model((voiceprint.model, self.model))
        if not len(self):
            return np.empty(0, dtype=np.intp)
        cosines = self.vectors @ voiceprint.vector  # (people,)
        first = max(len(self) - count, 0)
        best = np.argpartition(cosines, first)[first:]
        return best[np.lexsort((best, -cosines[best]))]
