"""Who was heard first: voices gathered around their means, and counted in the order in which they come.

Nothing of the order itself is learnt, only which frames hold speech, how alike two of one person are, and
what layers above make of it. Likeness is that of CAM++; a few steps of mean shift (D. Comaniciu, P. Meer,
"Mean shift", IEEE PAMI 24 (2002), with the kernel of von Mises and Fisher) make the frames of one person
nearly the same vector. A frame is *new* when no speech before it is like it; the *rank* of a frame is the
number of new frames up to the first speech that is like it. All of it is attention by likeness, which a
large network learns from thousands of hours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["RANKS", "Arrivals", "gathered", "ranks"]

RANKS = 6
"""Ranks that are told apart; later ones are like the last."""

SHARPNESS = 8.0
"""Concentration of the kernel before anything is learnt."""

ALIKE = 0.55
"""Cosine from which two gathered frames are one person, before anything is learnt."""

SOFT = 0.05
"""How gradually they become so, likewise."""

_STEPS = 5
_SILENCE = 1e-3  # weight of a frame without speech


def gathered(voices: Tensor, speech: Tensor, sharpness: Tensor | float = SHARPNESS) -> Tensor:
    """Move unit vectors (batch, frames, dim) towards those like them that hold speech, to the same shape."""
    weight = (speech + _SILENCE).log()[:, None, :]
    for _ in range(_STEPS):
        near = (sharpness * (voices @ voices.transpose(1, 2)) + weight).softmax(dim=2)
        voices = torch.nn.functional.normalize(near @ voices, dim=2)
    return voices


def ranks(
    close: Tensor, speech: Tensor, alike_from: Tensor | float = ALIKE, soft: Tensor | float = SOFT
) -> Tensor:
    """Number the people of frames by arrival.

    Args:
        close: gathered unit vectors (batch, frames, dim).
        speech: probability that anybody speaks, (batch, frames).
        alike_from: cosine from which two frames are one person.
        soft: how gradually.

    Returns:
        (batch, frames, RANKS), how near the rank of a frame is to 1, 2, …; as far as it is like any speech.
    """
    alike = ((close @ close.transpose(1, 2) - alike_from) / soft).sigmoid()  # (batch, frames, frames)
    alike = alike * speech[:, None, :]
    place = torch.arange(close.shape[1], device=close.device)
    earlier = (place[None, :] < place[:, None]).to(alike.dtype)
    new = speech * (1 - (alike * earlier).amax(dim=2))
    so_far = new.cumsum(dim=1)  # people up to each frame
    far = 2.0 * RANKS
    rank = (so_far[:, None, :] * alike + far * (1 - alike)).amin(dim=2)  # (batch, frames)
    steps = torch.arange(1, RANKS + 1, device=close.device, dtype=alike.dtype)
    return torch.exp(-2 * (rank[:, :, None] - steps) ** 2)


class _Prior(nn.Linear):
    """What ranks alone say: at first, that the k-th output is whoever came k-th; the layers correct it."""

    def __init__(self, ranks: int, speakers: int) -> None:
        super().__init__(ranks, speakers)
        with torch.no_grad():
            self.weight.copy_(4 * torch.eye(speakers, ranks))
            self.bias.fill_(-2.0)


class Arrivals(nn.Module):
    """Adds to frames what gathered voices and their ranks say.

    Args:
        dim: width of frames.
        embedded: width of the voices.
        speakers: outputs of the network.
    """

    def __init__(self, dim: int, embedded: int, speakers: int) -> None:
        super().__init__()
        self.dim = dim
        self.speaks = nn.Linear(dim, 1)
        self.close = nn.Linear(embedded, dim)
        self.ranks = nn.Linear(RANKS, dim)
        self.prior = _Prior(RANKS, speakers)
        self.alike = nn.Parameter(torch.tensor(ALIKE))
        # Factors, learnt as logarithms.
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS).log())
        self.soft = nn.Parameter(torch.tensor(SOFT).log())

    def speech(self, frames: Tensor) -> Tensor:
        """Map frames (batch, frames, dim + embedded) to logits that anybody speaks, (batch, frames)."""
        found: Tensor = self.speaks(frames[:, :, : self.dim])[:, :, 0]
        return found

    def forward(self, frames: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Map frames (batch, frames, dim + embedded), of which `mask` (batch, frames) count.

        Returns:
            Frames (batch, frames, dim), and what ranks alone say of the outputs, (batch, frames, speakers).
        """
        speech = self.speech(frames).float().sigmoid()
        if mask is not None:
            speech = speech * mask
        close = gathered(frames[:, :, self.dim :].float(), speech, self.sharpness.exp())
        order = ranks(close, speech, self.alike, self.soft.exp())  # (batch, frames, RANKS)
        prior: Tensor = self.prior(order * speech[:, :, None])
        return frames[:, :, : self.dim] + self.close(close) + self.ranks(order), prior
