"""Losses of activity whose speakers have no names: sorted by arrival, or in the order that fits best.

Sources: T. Park et al., "Sortformer" (2024, arXiv 2409.06656), section 3: sort loss, permutation-invariant
loss and their weighted sum; Y. Fujita et al., "End-to-end neural speaker diarization with permutation-free
objectives" (Interspeech 2019) for the second. The best order is found by assignment, not among all S! orders:
the binary cross-entropy of a permutation is a sum over pairs of an output and a speaker.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["by_arrival", "permutation_loss", "sort_loss"]


def by_arrival(targets: Tensor) -> Tensor:
    """Sort the speakers of targets (batch, frames, speakers) by their first active frame, the silent last.

    Who begin in the same frame stay in the order they have.
    """
    frames = targets.shape[1]
    first = torch.where(targets.any(dim=1), (targets > 0).int().argmax(dim=1), frames)  # (batch, speakers)
    order = first.argsort(dim=1, stable=True)
    return targets.gather(2, order[:, None].expand_as(targets))


def sort_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy with the targets in order of arrival; (batch, frames, speakers) each."""
    return F.binary_cross_entropy_with_logits(logits, by_arrival(targets))


def permutation_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy under the order of the speakers that fits best; (batch, frames, speakers) each."""
    frames = logits.shape[1]
    # −log(1 − p) − y · log(p / (1 − p)), summed over frames for every pair (batch, outputs, speakers).
    pairs = F.softplus(logits).sum(dim=1)[:, :, None] - logits.transpose(1, 2) @ targets
    return _assigned(pairs).mean() / frames


def _assigned(costs: Tensor) -> Tensor:
    """Cheapest assignment of costs (batch, outputs, speakers), → (batch, outputs)."""
    from scipy.optimize import linear_sum_assignment

    table = costs.detach().double().cpu().numpy()
    columns = np.stack([linear_sum_assignment(one)[1] for one in table])
    return costs.gather(2, torch.from_numpy(columns)[:, :, None].to(costs.device))[..., 0]
