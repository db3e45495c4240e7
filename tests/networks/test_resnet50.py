"""ResNet50: its layers as the paper counts them, and what its input and output promise."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tertulia.networks.resnet50 import ResNet50


@pytest.fixture
def small() -> ResNet50:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ResNet50(dim=16, channels=4)
        for _ in range(2):
            network(torch.randn(4, 60, 80))
    return network.eval()


def test_layers_and_parameters_are_those_of_the_paper() -> None:
    network = ResNet50()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    beside = [m for m in convolutions if m.stride != (1, 1) and m.kernel_size == (1, 1)]
    # One first, 16 bottlenecks of three, a shortcut at the head of each stage, three of them with a stride.
    assert len(convolutions) == 1 + 3 * 16 + 4
    assert len(beside) == 3
    # The usual network has 25 557 032; less its classifier and two of three input channels, plus 2048 → 512
    # and the batch normalisation after it.
    original, classifier, channels = 25_557_032, 2048 * 1000 + 1000, 2 * 64 * 7 * 7
    count = sum(p.numel() for p in network.parameters())
    assert count == original - classifier - channels + 2048 * 512 + 512 + 2 * 512


def test_embeddings_have_length_one_and_depend_on_no_gain_of_the_spectrogram(small: ResNet50) -> None:
    features = torch.randn(3, 75, 80, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        embeddings, louder = small(features), small(3 * features)
    assert embeddings.shape == (3, 16)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(embeddings, louder)


@pytest.mark.parametrize(("time", "frames"), [(1, 1), (32, 1), (33, 2), (148, 5)])
def test_a_frame_is_a_third_of_a_second(small: ResNet50, time: int, frames: int) -> None:
    with torch.no_grad():
        assert small.frames(torch.randn(2, time, 80)).shape == (2, frames, 128)


def test_silence_is_finite(small: ResNet50) -> None:
    with torch.no_grad():
        assert small(torch.zeros(1, 50, 80)).isfinite().all()


def test_dropout_belongs_to_training_only(small: ResNet50) -> None:
    pooled = torch.rand(4, small.width)
    with torch.no_grad(), torch.random.fork_rng():
        torch.testing.assert_close(small.embed(pooled), small.embed(pooled))
        small.dropout.train()
        assert (small.embed(pooled) == 0).any()
