"""Losses against values computed by hand or the long way round."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tertulia.segmentation.powerset import powerset
from tertulia.training.losses import (
    NOT_SCORED,
    AngularMargin,
    PermutedPowerset,
    Softmax,
    contrastive,
    distillation,
)


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def test_softmax_of_a_classifier_that_knows_nothing() -> None:
    loss = Softmax(4, 5)
    torch.nn.init.zeros_(loss.classify.weight)
    torch.nn.init.zeros_(loss.classify.bias)
    assert loss(torch.randn(3, 4), torch.tensor([0, 1, 4])).item() == pytest.approx(math.log(5))


def test_margin_by_hand() -> None:
    """Two classes along the axes, an embedding at 30° to the first: cos(30° + margin) against cos 60°."""
    loss = AngularMargin(2, 2, margin=0.2, scale=10.0)
    with torch.no_grad():
        loss.centres.copy_(torch.eye(2) * 3)
    angle = math.radians(30)
    embedding = torch.tensor([[5 * math.cos(angle), 5 * math.sin(angle)]])
    right, wrong = 10 * math.cos(angle + 0.2), 10 * math.cos(math.radians(60))
    expected = -right + math.log(math.exp(right) + math.exp(wrong))
    assert loss(embedding, torch.tensor([0])).item() == pytest.approx(expected, rel=1e-5)


def test_no_margin_is_softmax_of_cosines() -> None:
    loss = AngularMargin(8, 5, margin=0.0, scale=7.0)
    embeddings, labels = torch.randn(6, 8), torch.randint(5, (6,))
    cosine = F.normalize(embeddings) @ F.normalize(loss.centres).T
    assert loss(embeddings, labels).item() == pytest.approx(
        F.cross_entropy(7 * cosine, labels).item(), rel=1e-5
    )


def test_margin_is_monotone_up_to_the_opposite_direction() -> None:
    """Turning away from the right centre must cost more and more, also past π − margin."""
    loss = AngularMargin(2, 2, margin=0.5, scale=1.0)
    with torch.no_grad():
        loss.centres.copy_(torch.eye(2))
    angles = torch.linspace(0.01, math.pi - 0.01, 60)
    costs = []
    for angle in angles:
        embedding = torch.stack([angle.cos(), torch.zeros(())])[None] + torch.tensor([[0.0, -angle.sin()]])
        with torch.no_grad():
            cosine = F.linear(F.normalize(embedding), F.normalize(loss.centres))[0]
            cost = loss(embedding, torch.tensor([0])) - torch.log1p((cosine[1] - cosine[0]).exp())
        costs.append(cost.item())
    assert all(cost > 0 for cost in costs), "a margin never makes it easier"


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_contrastive_the_long_way(temperature: float) -> None:
    embeddings, labels = torch.randn(7, 5), torch.tensor([0, 0, 1, 1, 1, 2, 3])
    vectors = F.normalize(embeddings)
    total, anchors = 0.0, 0
    for i in range(7):
        mates = [p for p in range(7) if p != i and labels[p] == labels[i]]
        if not mates:
            continue
        others = [a for a in range(7) if a != i]
        scores = {a: float(vectors[i] @ vectors[a]) / temperature for a in others}
        norm = math.log(sum(math.exp(scores[a]) for a in others))
        total += -sum(scores[p] - norm for p in mates) / len(mates)
        anchors += 1
    assert contrastive(embeddings, labels, temperature).item() == pytest.approx(total / anchors, rel=1e-5)


def test_contrastive_of_strangers_is_nothing() -> None:
    embeddings = torch.randn(3, 4, requires_grad=True)
    loss = contrastive(embeddings, torch.arange(3), 0.1)
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(embeddings.grad).all()


def test_distillation() -> None:
    targets = torch.randn(4, 6)
    assert distillation(3 * targets, targets).item() == pytest.approx(0, abs=1e-6)
    assert distillation(-targets, targets).item() == pytest.approx(2, abs=1e-6)


def test_powerset_under_the_best_permutation() -> None:
    """Against trying all permutations of the speakers one by one."""
    members = powerset(3, 2)
    logs = torch.randn(2, 9, 7).log_softmax(dim=2)
    labels = torch.randint(7, (2, 9))
    expected = 0.0
    for window in range(2):
        costs = []
        for order in itertools.permutations(range(3)):
            moved = [members.tolist().index(members[c][list(order)].tolist()) for c in labels[window]]
            costs.append(float(F.nll_loss(logs[window], torch.tensor(moved))))
        expected += min(costs) / 2
    assert PermutedPowerset()(logs, labels).item() == pytest.approx(expected, rel=1e-5)


def test_powerset_does_not_care_how_speakers_are_called() -> None:
    loss, members = PermutedPowerset(), powerset(3, 2)
    logs, labels = torch.randn(1, 50, 7).log_softmax(dim=2), torch.randint(7, (1, 50))
    for order in itertools.permutations(range(3)):
        renamed = [members.tolist().index(members[c][list(order)].tolist()) for c in labels[0]]
        assert loss(logs, torch.tensor([renamed])).item() == pytest.approx(
            loss(logs, labels).item(), rel=1e-5
        )


def test_powerset_frames_that_do_not_count() -> None:
    logs, labels = torch.randn(1, 20, 7).log_softmax(dim=2), torch.randint(7, (1, 20))
    part = labels.clone()
    part[:, 12:] = NOT_SCORED
    loss = PermutedPowerset()
    assert loss(logs, part).item() == pytest.approx(loss(logs[:, :12], labels[:, :12]).item(), rel=1e-5)
    assert loss(logs, torch.full((1, 20), NOT_SCORED)).item() == 0


def test_powerset_classes_are_those_of_the_segmenter() -> None:
    np.testing.assert_array_equal(PermutedPowerset().members.numpy().astype(bool), powerset(3, 2))
