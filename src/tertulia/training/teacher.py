"""Embeddings of a network that knows voices already, as targets for one that is to learn them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from tertulia.inference import weights as weights_path
from tertulia.networks.reload import campplus
from tertulia.training.augment import at_speed
from tertulia.training.files import replacing
from tertulia.training.pack import Pack

if TYPE_CHECKING:
    from tertulia.embedding import PerWindow

__all__ = ["CropTeacher", "targets"]

Array = NDArray[np.float32]

_LEAST = 0.1  # s


class CropTeacher:
    """CAM++ in torch, which hears what the learner hears, crop by crop, on the same device.

    It is no module, so that nothing of it is learnt, counted or saved with the model.

    Raises:
        MissingExtraError: when `onnx` is not installed.
    """

    dim = 192

    def __init__(self) -> None:
        halves = (weights_path(f"campplus-{half}") for half in ("frames", "projection"))
        self._network = campplus(*halves).requires_grad_(False)

    @torch.no_grad()
    def __call__(self, features: Tensor) -> Tensor:
        """Embed log-mel features without their mean (batch, time, 80) → (batch, 192), of length 1."""
        network = self._network.to(features.device)
        return F.normalize(network(features).float(), dim=1)


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
