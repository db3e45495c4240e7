"""The ECAPA embedder on the files that training writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tertulia.audio.windows import slide
from tertulia.embedding.ecapa import ECAPA
from tertulia.errors import ModelMissingError
from tertulia.features import fbank
from tertulia.frames import Grid
from tertulia.networks import ecapa as networks
from tertulia.segmentation import Activity
from tertulia.training.embedders import ECAPASettings, export_embedder

SETTINGS = ECAPASettings(
    cepstra=20, channels=16, blocks=2, scale=4, bottleneck=8, wide=24, attention=8, dim=192, half=False
)


@pytest.fixture(scope="module")
def network() -> networks.ECAPA:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = SETTINGS()
        for _ in range(3):
            made(torch.randn(4, 50, 80))
    return made.eval()


@pytest.fixture(scope="module")
def embedder(network: networks.ECAPA, tmp_path_factory: pytest.TempPathFactory) -> ECAPA:
    folder = tmp_path_factory.mktemp("ecapa")
    export_embedder(SETTINGS, network, folder, "small")
    return ECAPA(weights=str(folder / "small"), threads=1)


def test_one_speaker_alone_is_what_torch_says(
    embedder: ECAPA, network: networks.ECAPA, sound: np.ndarray
) -> None:
    samples = sound[:48_000]
    (windows,) = slide([samples], 16_000, size=48_000, hop=48_000, batch=1)
    whole = np.ones((1, 300, 1), np.float32)
    activity = Activity(whole, whole > 0, whole, whole[..., 0], Grid(0.01), 3.0)
    features = torch.from_numpy(fbank(samples, centred=False))
    with torch.no_grad():
        expected = network((features - features.mean(dim=0))[None])[0].numpy()
    got = embedder(windows, activity).vectors[0, 0, 0]
    np.testing.assert_allclose(got, expected / np.linalg.norm(expected), atol=1e-4)


def test_speakers_of_a_window_are_told_by_their_frames(embedder: ECAPA, windows, activity) -> None:
    voices = embedder(windows, activity)
    assert voices.vectors.shape == (5, 3, 1, 192)
    present = activity.active.any(axis=1)
    assert (voices.embedded[..., 0] <= present).all()
    window = int(np.argmax(voices.embedded[..., 0].sum(axis=1)))
    one, other, *_ = voices.vectors[window, voices.embedded[window, :, 0], 0]
    assert not np.allclose(one, other, atol=1e-3)


def test_networks_are_in_the_provenance(embedder: ECAPA) -> None:
    assert {Path(name).name for name in embedder.networks} == {"small-frames", "small-pooling"}


def test_missing_weights_are_told_at_once() -> None:
    with pytest.raises(ModelMissingError, match="no weights 'nobody-frames'"):
        ECAPA(weights="nobody")
