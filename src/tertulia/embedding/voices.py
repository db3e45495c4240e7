"""`Voices`: one vector for each stretch of each local speaker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows
from tertulia.segmentation.activity import Activity, joined

__all__ = ["Embedder", "Voices", "unit"]

Array = NDArray[np.float32]


def unit(vectors: Array) -> Array:
    """Scale the last axis to length 1; zero vectors stay."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Voices:
    """Embeddings of the local speakers of each window, in one or more pieces of the window.

    Attributes:
        vectors: (windows, local speakers, pieces, dim); NaN where there is too little to embed.
        support: (windows, local speakers, pieces), seconds of that speaker alone that the vector is made of.
        solo: … that lie in the piece itself: pieces may share support with their neighbours, never this.
        present: seconds in the piece in which the speaker is active, alone or not.
        hop: seconds between two windows.
        piece: seconds in a piece.
    """

    vectors: Array
    support: Array
    solo: Array
    present: Array
    hop: float
    piece: float

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Put consecutive batches together; the list is emptied, see `joined`."""
        hop, piece = parts[0].hop, parts[0].piece
        columns = [[part.vectors, part.support, part.solo, part.present] for part in parts]
        parts.clear()
        vectors, support, solo, present = joined(columns)
        return cls(vectors, support, solo, present, hop, piece)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def embedded(self) -> NDArray[np.bool_]:
        """Where there is a vector, (windows, local speakers, pieces)."""
        return ~np.isnan(self.vectors[..., 0])

    @property
    def redundancy(self) -> float:
        """How many windows see each moment, on average: fewer in a short recording, which is mostly ends."""
        window = self.vectors.shape[2] * self.piece
        return float(len(self) * window / ((len(self) - 1) * self.hop + window))


class Embedder(Protocol):
    """Turns the voices of local speakers into vectors that are near for one person.

    Attributes:
        margin: seconds around a batch of windows that it wants to see.
    """

    @property
    def margin(self) -> float: ...  # noqa: D102

    def __call__(self, windows: Windows, activity: Activity) -> Voices:
        """Embed the local speakers of a batch of windows."""
        ...
