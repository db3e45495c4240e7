"""Public wav2vec 2.0 weights, on a tiny model with its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tertulia.embedding.siamese import Siamese
from tertulia.errors import ModelMissingError
from tertulia.networks.public_wav2vec import PublicWav2Vec
from tertulia.networks.twin import Frozen, Twin
from tertulia.training.twins import export_twin

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore")  # those of transformers are its own


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published")
    config = transformers.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
    )
    torch.manual_seed(0)
    transformers.Wav2Vec2Model(config).save_pretrained(path)
    return path


def test_its_states_are_those_of_transformers(folder: Path):
    encoder = PublicWav2Vec(str(folder))
    assert (encoder.step, encoder.channels, len(encoder.blocks)) == (0.02, 16, 2)
    sound = 0.1 * torch.randn(2, 16_000)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    inputs = extractor(list(sound.numpy()), sampling_rate=16_000, return_tensors="pt").input_values
    model = transformers.Wav2Vec2Model.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = model(inputs, output_hidden_states=True).hidden_states
        got = encoder.states(sound)
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_a_twin_branch_on_it_becomes_onnx(folder: Path, tmp_path: Path):
    twin = Twin(Frozen(PublicWav2Vec(str(folder))), channels=16, wide=24, dim=128).eval()
    assert not any(p.requires_grad for p in twin.front.encoder.parameters())
    export_twin(twin, tmp_path, "public")
    sound = 0.1 * np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    branch = Siamese(weights=str(tmp_path / "public"), threads=1)
    got = branch.pooled(branch.cells(sound).sum(axis=0)[None])[0]
    with torch.no_grad():
        assert float(twin(torch.from_numpy(sound)[None])[0].numpy() @ got) > 0.999


def test_what_is_not_there(tmp_path: Path):
    with pytest.raises(ModelMissingError, match=r"no wav2vec 2\.0 at"):
        PublicWav2Vec(str(tmp_path / "nothing"))
