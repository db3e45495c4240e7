"""The ResNet50 embedder on the files that training writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tertulia.audio.windows import slide
from tertulia.embedding.resnet50 import ResNet50
from tertulia.errors import ModelMissingError
from tertulia.features import fbank
from tertulia.frames import Grid
from tertulia.networks import resnet50 as networks
from tertulia.segmentation import Activity
from tertulia.training.embedders import ResNet50Settings, export_embedder

RATE = 16_000
SECONDS = 1.5


SETTINGS = ResNet50Settings(channels=4, dim=512, dropout=0.0)


@pytest.fixture(scope="module")
def network() -> networks.ResNet50:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = SETTINGS()
        for _ in range(2):
            made(torch.randn(4, 60, 80))
    return made.eval()


@pytest.fixture(scope="module")
def embedder(network: networks.ResNet50, tmp_path_factory: pytest.TempPathFactory) -> ResNet50:
    folder = tmp_path_factory.mktemp("resnet50")
    export_embedder(SETTINGS, network, folder, "small")
    return ResNet50(weights=str(folder / "small"), threads=1)


def vectors(embedder: ResNet50, samples: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Embed one window in which frames of 10 ms are active or not, (frames, speakers)."""
    (windows,) = slide([samples], RATE, size=len(samples), hop=len(samples), batch=1)
    scores = active[None].astype(np.float32)
    count = scores.sum(axis=2)
    activity = Activity(scores, scores > 0, scores * (count == 1)[..., None], count, Grid(0.01), SECONDS)
    return embedder(windows, activity).vectors[0, :, 0]


def test_a_window_of_one_speaker_is_what_torch_says(
    embedder: ResNet50, network: networks.ResNet50, sound: np.ndarray
) -> None:
    samples = sound[: round(SECONDS * RATE)]
    features = torch.from_numpy(fbank(samples, centred=False))
    with torch.no_grad():
        expected = network((features - features.mean(dim=0))[None])[0].numpy()
    (got,) = vectors(embedder, samples, np.ones((150, 1)))
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_two_speakers_of_a_window_get_the_frames_each_has(embedder: ResNet50, sound: np.ndarray) -> None:
    samples = sound[: round(SECONDS * RATE)]
    active = np.zeros((150, 2))
    active[:75, 0], active[75:, 1] = 1, 1
    first, second = vectors(embedder, samples, active)
    np.testing.assert_allclose(np.linalg.norm([first, second], axis=1), 1, rtol=1e-5)
    frames = embedder._frames_of(samples)  # (5, channels)
    np.testing.assert_allclose(first, embedder.projection(pooled=frames[:3].mean(0)[None])[0], atol=1e-5)
    np.testing.assert_allclose(second, embedder.projection(pooled=frames[3:].mean(0)[None])[0], atol=1e-5)


def test_networks_are_in_the_provenance(embedder: ResNet50) -> None:
    assert {Path(name).name for name in embedder.networks} == {"small-frames", "small-projection"}


def test_missing_weights_are_told_at_once() -> None:
    with pytest.raises(ModelMissingError, match="no weights 'nobody-frames'"):
        ResNet50(weights="nobody")
