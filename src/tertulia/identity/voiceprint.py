"""`Voiceprint`: the vector of one voice, with the seconds of speech and the network behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.voices import unit
from tertulia.errors import InputError

__all__ = ["Voiceprint", "same_model"]


# A vector of length 1 keeps its very bits: stored and read, or copied from store to store, it is the same.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Voiceprint:
    """One voice as a vector. What is printed of it, in logs or errors, never shows the vector.

    Attributes:
        vector: float32 (dim,), of length 1, read-only.
        seconds: net speech it is made of.
        model: names the network; vectors of two networks cannot be compared.

    Raises:
        ValueError: for a vector that is no direction, or no speech.
    """

    vector: NDArray[np.float32]
    seconds: float
    model: str

    def __post_init__(self) -> None:
        vector = np.asarray(self.vector, dtype=np.float32)
        if vector.ndim != 1 or not np.isfinite(vector).all() or not vector.any():
            raise ValueError(
                f"a voiceprint needs a finite vector of shape (dim,), not zero; got {vector.shape}"
            )
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise ValueError(f"a voiceprint needs seconds of speech above zero; got {self.seconds}")
        if abs(np.linalg.norm(vector) - 1) > _ROUNDING:
            vector = unit(vector)
        vector = vector.copy()
        vector.flags.writeable = False
        object.__setattr__(self, "vector", vector)

    def __repr__(self) -> str:
        return f"Voiceprint({self.seconds:.1f} s, model {self.model})"

    @classmethod
    def combine(cls, prints: Sequence[Self]) -> Self:
        """Make one voiceprint of several of one person: the sum of vectors weighted by seconds.

        Raises:
            InputError: for voiceprints of different networks.
        """
        model = same_model(each.model for each in prints)
        total = sum(each.seconds * each.vector.astype(np.float64) for each in prints)
        return cls(np.asarray(total, np.float32), sum(each.seconds for each in prints), model)


def same_model(models: Iterable[str]) -> str:
    """Return the one network that all vectors are of; raises `InputError` when there are several."""
    found = sorted(set(models))
    if len(found) != 1:
        raise InputError(
            f"voices can be compared only when one network made them; got {', '.join(found) or 'none'}"
        )
    return found[0]
