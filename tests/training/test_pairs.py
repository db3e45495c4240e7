"""Losses of pairs, by hand and by loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tertulia.training.pairs import (
    AveragedModels,
    DistanceEntropy,
    contrastive_pairs,
    distances,
    triplets,
)


def test_distances_by_hand():
    one = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    other = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    torch.testing.assert_close(distances(one, other), torch.tensor([5.0, 0.0]), atol=1e-4, rtol=0)


def test_contrastive_by_hand():
    distance, same = torch.tensor([0.5, 0.4, 1.2]), torch.tensor([True, False, False])
    # 0.5², (1 − 0.4)² and nothing for who is far enough
    assert float(contrastive_pairs(distance, same, 1.0)) == pytest.approx((0.25 + 0.36 + 0) / 3 / 2)


def test_entropy_is_least_when_near_is_same():
    entropy, distance = DistanceEntropy(), torch.tensor([0.2, 1.8])
    right = float(entropy(distance, torch.tensor([True, False])).detach())
    wrong = float(entropy(distance, torch.tensor([False, True])).detach())
    assert right < 0.1 < 3 < wrong


def test_the_semi_hard_negative_by_hand():
    # anchor 0, positive 1 at squared distance 1; others at 0.25 (too hard), 4 (the one) and 9
    vectors = torch.tensor([[0.0], [1.0], [0.5], [2.0], [3.0]])
    labels = torch.tensor([0, 0, 1, 2, 3])
    from_0 = max(0.0, 1 - 4 + 3.5)
    # anchor 1, positive 0: others at 0.25, 1 (not further than the positive) and 4
    from_1 = max(0.0, 1 - 4 + 3.5)
    assert float(triplets(vectors, labels, 3.5)) == pytest.approx((from_0 + from_1) / 2)


def test_without_a_semi_hard_negative_the_furthest_counts():
    vectors, labels = torch.tensor([[0.0], [2.0], [0.5], [1.0]]), torch.tensor([0, 0, 1, 1])
    # from 0: positive 4, others 0.25 and 1; from 1: positive 4, others 2.25 and 1; and so on
    expected = np.mean([4 - 1 + 0.1, 4 - 2.25 + 0.1, max(0, 0.25 - 0.25 + 0.1), max(0, 0.25 - 1 + 0.1)])
    # the pair of label 1: from 0.5, positive 0.25, others 0.25 (not further) and 2.25 → semi-hard is 2.25
    expected = np.mean([3.1, 1.85, max(0.0, 0.25 - 2.25 + 0.1), max(0.0, 0.25 - 1 + 0.1)])
    assert float(triplets(vectors, labels, 0.1)) == pytest.approx(expected)


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 0, 0]])
def test_no_pairs_no_triplets(labels):
    vectors = torch.randn(3, 2, requires_grad=True)
    loss = triplets(vectors, torch.tensor(labels), 0.3)
    loss.backward()
    assert float(loss.detach()) == 0


def test_averaged_models_are_what_a_loop_says():
    torch.manual_seed(0)
    vectors, labels = F.normalize(torch.randn(3, 4, 5), dim=2), torch.tensor([7, 8, 7])
    averaged = AveragedModels()
    scale, shift = float(F.softplus(averaged.scale.detach())), float(averaged.shift.detach())
    losses = []
    for speaker in range(3):
        for mine in range(4):
            scores = []
            for model in range(3):
                if model == speaker:
                    others = [vectors[model, u] for u in range(4) if u != mine]
                    centre = torch.stack(others).mean(dim=0)
                elif labels[model] == labels[speaker]:
                    continue  # the same person in another row is no rival
                else:
                    centre = vectors[model].mean(dim=0)
                cosine = float(F.cosine_similarity(vectors[speaker, mine], centre, dim=0))
                scores.append((model == speaker, scale * cosine + shift))
            total = np.logaddexp.reduce([score for _, score in scores])
            losses.append(total - next(score for own, score in scores if own))
    assert float(averaged(vectors, labels).detach()) == pytest.approx(np.mean(losses), rel=1e-4)
