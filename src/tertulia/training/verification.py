"""Trials of speakers nobody was trained on, from a fixed stretch of every utterance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tertulia.evaluation import equal_error_rate

__all__ = ["Trials", "trials_of"]

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Trials:
    """All pairs of utterances.

    Args:
        pieces: (utterances,) numbers of the pieces that are compared.
        speakers: (utterances,) whose they are, as numbers.
    """

    pieces: NDArray[np.intp]
    speakers: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.pieces) * (len(self.pieces) - 1) // 2

    @property
    def targets(self) -> int:
        """Count the trials of one speaker with themselves."""
        counts = np.bincount(self.speakers)
        return int((counts * (counts - 1) // 2).sum())

    def eer(self, embeddings: Array) -> float:
        """Return the equal error rate of the cosines of embeddings (utterances, dim)."""
        vectors = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
        first, second = np.triu_indices(len(vectors), 1)
        scores = (vectors @ vectors.T)[first, second]
        return equal_error_rate(scores, self.speakers[first] == self.speakers[second])

    def of(self, chosen: NDArray[np.bool_]) -> Trials:
        """Keep the trials among some of the utterances (utterances,)."""
        return Trials(self.pieces[chosen], self.speakers[chosen])


def trials_of(pieces: Sequence[int], speakers: Sequence[str], most: int) -> Trials | None:
    """Pair utterances; speakers with one are left out, of those with many the first `most` are taken.

    Returns None when there are not both targets and non-targets.
    """
    by_speaker: dict[str, list[int]] = {}
    for piece, speaker in zip(pieces, speakers, strict=True):
        by_speaker.setdefault(speaker, []).append(piece)
    several = {speaker: mine[:most] for speaker, mine in sorted(by_speaker.items()) if len(mine) > 1}
    if len(several) < 2:
        return None
    chosen = [piece for mine in several.values() for piece in mine]
    numbers = [number for number, mine in enumerate(several.values()) for _ in mine]
    return Trials(np.array(chosen), np.array(numbers))
