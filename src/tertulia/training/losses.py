"""What is minimised.

Sources: J. Deng et al., "ArcFace: Additive angular margin loss for deep face recognition" (CVPR 2019);
P. Khosla et al., "Supervised contrastive learning" (NeurIPS 2020); A. Plaquet and H. Bredin, "Powerset
multi-class cross entropy loss for neural speaker diarization" (Interspeech 2023).
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tertulia.segmentation.powerset import powerset

__all__ = ["NOT_SCORED", "AngularMargin", "PermutedPowerset", "Softmax", "contrastive", "distillation"]

NOT_SCORED = -1
"""Label of frames that do not count."""


class Softmax(nn.Module):
    """Negative log-likelihood of the speaker under a linear classifier."""

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__()
        self.classify = nn.Linear(dim, classes)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Compare embeddings (batch, dim) with labels (batch,)."""
        return F.nll_loss(F.log_softmax(self.classify(embeddings), dim=1), labels)


class AngularMargin(nn.Module):
    """Additive angular margin loss (ArcFace eq. 3): the right class has to win by an angle.

    Args:
        dim: of the embeddings.
        classes: speakers.
        margin: angle in radians.
        scale: of the cosines.
    """

    def __init__(self, dim: int, classes: int, margin: float, scale: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.empty(classes, dim))
        nn.init.xavier_normal_(self.centres)
        self.margin, self.scale = margin, scale

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Compare embeddings (batch, dim) with labels (batch,)."""
        cosine = F.linear(F.normalize(embeddings), F.normalize(self.centres))  # (batch, classes)
        sine = (1 - cosine.square()).clamp_min(1e-9).sqrt()
        turned = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        # Past π − margin the cosine of the turned angle would rise again.
        turned = torch.where(
            cosine > -math.cos(self.margin), turned, cosine - self.margin * math.sin(self.margin)
        )
        right = F.one_hot(labels, cosine.shape[1]).bool()
        return F.cross_entropy(self.scale * torch.where(right, turned, cosine), labels)


def contrastive(embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss (Khosla et al. eq. 2): near those of one speaker, far from all others.

    Embeddings (batch, dim) of nobody else in the batch do not count; zero when that is everybody.
    """
    vectors = F.normalize(embeddings)
    scores = vectors @ vectors.T / temperature  # (batch, batch)
    own = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    same = (labels[:, None] == labels[None, :]) & ~own
    logs = torch.log_softmax(scores.masked_fill(own, -torch.inf), dim=1)
    counts = same.sum(dim=1)
    means = -logs.masked_fill(~same, 0).sum(dim=1) / counts.clamp_min(1)
    return means.sum() / (counts > 0).sum().clamp_min(1)


def distillation(embeddings: Tensor, targets: Tensor) -> Tensor:
    """One minus the cosine between embeddings and those of a teacher, (batch, dim) each."""
    return 1 - F.cosine_similarity(embeddings, targets).mean()


class PermutedPowerset(nn.Module):
    """Cross-entropy of powerset classes under the permutation of the speakers that fits best.

    Args:
        speakers: local speakers.
        together: how many of them speak at once at most.
    """

    classes: Tensor
    members: Tensor

    def __init__(self, speakers: int = 3, together: int = 2) -> None:
        super().__init__()
        members = powerset(speakers, together)  # (classes, speakers)
        orders = list(itertools.permutations(range(speakers)))
        rows = [tuple(row) for row in members.tolist()]
        table = [[rows.index(tuple(row[i] for i in order)) for row in rows] for order in orders]
        self.register_buffer("classes", torch.tensor(table), persistent=False)  # (orders, classes)
        self.register_buffer("members", torch.tensor(members, dtype=torch.float32), persistent=False)

    def forward(self, log_probabilities: Tensor, labels: Tensor) -> Tensor:
        """Compare log-probabilities (batch, frames, classes) with classes (batch, frames), numbered as those.

        Frames labelled `NOT_SCORED` do not count.
        """
        wanted = self.classes[:, labels.clamp_min(0)]  # (orders, batch, frames)
        logs = log_probabilities.expand(len(wanted), -1, -1, -1)
        picked = logs.gather(3, wanted[..., None])[..., 0]  # (orders, batch, frames)
        counts = labels != NOT_SCORED
        means = (picked * counts).sum(dim=2) / counts.sum(dim=1).clamp_min(1)  # (orders, batch)
        return -means.max(dim=0).values.mean()
