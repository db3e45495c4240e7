"""Losses of twin branches, on distances of vectors of length 1.

Sources: R. Hadsell, S. Chopra and Y. LeCun, "Dimensionality reduction by learning an invariant mapping" (CVPR
2006); F. Schroff, D. Kalenichenko and J. Philbin, "FaceNet: A unified embedding for face recognition and
clustering" (CVPR 2015); G. Koch, R. Zemel and R. Salakhutdinov, "Siamese neural networks for one-shot image
recognition" (2015); L. Wan, Q. Wang, A. Papir and I. Lopez Moreno, "Generalized end-to-end loss for speaker
verification" (ICASSP 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["AveragedModels", "DistanceEntropy", "contrastive_pairs", "distances", "triplets"]

_TINY = 1e-9


def distances(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distances of vectors (…, dim) → (…)."""
    return ((first - second).square().sum(dim=-1) + _TINY).sqrt()


def contrastive_pairs(distance: Tensor, same: Tensor, margin: float) -> Tensor:
    """Contrastive loss (Hadsell et al. eq. 4): one voice near, two voices at least `margin` apart."""
    far = (margin - distance).clamp_min(0)
    return torch.where(same, distance.square(), far.square()).mean() / 2


class DistanceEntropy(nn.Module):
    """Cross-entropy of "same voice" under a logistic function of the distance (Koch et al. section 3.1)."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(5.0))
        self.middle = nn.Parameter(torch.tensor(1.0))

    def forward(self, distance: Tensor, same: Tensor) -> Tensor:
        """Compare distances (batch,) with the truth (batch,), bool."""
        logits = F.softplus(self.slope) * (self.middle - distance)
        return F.binary_cross_entropy_with_logits(logits, same.to(logits.dtype))


def triplets(vectors: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Triplet loss (FaceNet eq. 3) of all pairs of one voice in a batch, each with a semi-hard negative.

    That is the nearest vector of another voice which is further away than the positive, or if there is none
    the furthest of all (section 3.2). Zero when the batch holds no such pair.

    Args:
        vectors: (n, dim).
        labels: whose they are, (n,).
        margin: between squared distances.
    """
    squared = (vectors[:, None] - vectors[None]).square().sum(dim=2)  # (n, n)
    same = labels[:, None] == labels[None]
    own = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    anchor, positive = torch.nonzero(same & ~own, as_tuple=True)
    anchor, positive = anchor[~same[anchor].all(dim=1)], positive[~same[anchor].all(dim=1)]
    if not len(anchor):
        return vectors.sum() * 0
    near = squared[anchor, positive]  # (pairs,)
    others = squared[anchor].masked_fill(same[anchor], torch.inf)  # (pairs, n)
    semi = others.masked_fill(others <= near[:, None], torch.inf).min(dim=1).values
    furthest = squared[anchor].masked_fill(same[anchor], -torch.inf).max(dim=1).values
    negative = torch.where(semi.isinf(), furthest, semi)
    return (near - negative + margin).clamp_min(0).mean()


class AveragedModels(nn.Module):
    """Every utterance has to be nearest to the averaged model of its speaker (Wan et al. eq. 5 to 9)."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(10.0))
        self.shift = nn.Parameter(torch.tensor(-5.0))

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Compare vectors (speakers, utterances ≥ 2, dim) with the averages of their rows.

        Rows with one label do not compete; `labels` (speakers,).
        """
        speakers, utterances, _ = vectors.shape
        total = vectors.sum(dim=1)  # (speakers, dim)
        models = F.normalize(total, dim=1)
        without = F.normalize(total[:, None] - vectors, dim=2)  # the own model does not know the utterance
        cosine = torch.einsum("sud,md->sum", vectors, models)  # (speakers, utterances, models)
        own = torch.eye(speakers, dtype=torch.bool, device=labels.device)[:, None]
        cosine = torch.where(own, (vectors * without).sum(dim=2)[:, :, None], cosine)
        scores = F.softplus(self.scale) * cosine + self.shift
        rival = (labels[:, None] == labels[None])[:, None] & ~own
        scores = scores.masked_fill(rival, -torch.inf)
        targets = torch.arange(speakers, device=labels.device).repeat_interleave(utterances)
        return F.cross_entropy(scores.flatten(0, 1), targets)
