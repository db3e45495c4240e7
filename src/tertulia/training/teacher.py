"""Embeddings of a network that knows voices already, as targets for one that is to learn them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tertulia.training.augment import at_speed
from tertulia.training.files import replacing
from tertulia.training.pack import Pack

if TYPE_CHECKING:
    from tertulia.embedding import PerWindow

__all__ = ["targets"]

Array = NDArray[np.float32]

_LEAST = 0.1  # s


def targets(teacher: PerWindow, pack: Pack, pieces: Sequence[int], speeds: Sequence[float]) -> Array:
    """Embed whole pieces at every speed: who plays a voice faster hears another person.

    The result is kept beside the pack and found again.

    Args:
        teacher: embeds.
        pack: sound.
        pieces: numbers of those that are wanted.
        speeds: factors.

    Returns:
        (speeds, pieces, dim), of length 1.

    Raises:
        OutputError: when it cannot be kept.
    """
    from tertulia.identity.listening import Listener

    listener = Listener(teacher, least=_LEAST)
    named = f"{listener.model}|{list(pieces)}|{list(speeds)}"
    path = pack.path.with_name(f"{pack.path.stem}-{hashlib.sha256(named.encode()).hexdigest()[:16]}.npy")
    if path.exists():
        kept: Array = np.load(path, allow_pickle=False)
        return kept
    made = np.array(
        [
            [listener.embed(at_speed(pack.read(piece), speed, pack.sample_rate)).vector for piece in pieces]
            for speed in speeds
        ],
        dtype=np.float32,
    )
    with replacing(path) as draft, draft.open("wb") as file:
        np.save(file, made, allow_pickle=False)
    return made
