from __future__ import annotations

import numpy as np
import pytest

from tertulia.audio import Waveform, read
from tertulia.config import part
from tertulia.errors import ModelMissingError, UsageError
from tertulia.separation import SEPARATORS, SepFormerSeparator, separate, separated
from tertulia.separation.sepformer import aligned

RATE = 16_000


@pytest.fixture(scope="module")
def small():
    """A small network with random weights."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from tertulia.networks.sepformer import SepFormer

    torch.manual_seed(0)
    return SepFormer(
        voices=2, filters=16, kernel=16, chunk=20, blocks=1, layers=1, heads=2, feedforward=32
    ).eval()


@pytest.fixture(scope="module")
def weights(small, tmp_path_factory):
    """The same network as an ONNX file."""
    import torch

    from tertulia.training.export import export

    path = tmp_path_factory.mktemp("sepformer") / "small.onnx"
    examples = [{"mixtures": torch.randn(2, n)} for n in (8_000, 1_600, 16_001, 7, 12_345)]
    axes = {"mixtures": {0: "batch", 1: "samples"}, "output": {0: "batch", 2: "samples"}}
    assert export(small, path, examples, axes) < 1e-4
    return path


def test_onnx_computes_what_torch_computes(small, weights):
    import torch

    from tertulia.inference import Network

    network = Network(str(weights))
    for n in (1, 16, 999, 4_000, 20_000):
        mixtures = torch.randn(3, n)
        with torch.no_grad():
            expected = small(mixtures).numpy()
        found = network(mixtures=mixtures.numpy())
        assert found.shape == expected.shape == (3, 2, n)
        assert np.abs(found - expected).max() < 1e-4


def test_what_comes_late_cannot_be_heard_early(small):
    """The padding at the end changes nothing before it: a batch and its members agree."""
    import torch

    both = torch.randn(2, 3_000)
    with torch.no_grad():
        together = small(both)
        alone = torch.cat([small(both[:1]), small(both[1:])])
    assert torch.allclose(together, alone, atol=1e-5)


def test_masks_of_one_give_the_mixture_back():
    """Encoder and decoder are each other's inverse where the filters are a basis and the masks are one."""
    torch = pytest.importorskip("torch")
    from tertulia.networks.sepformer import SepFormer

    network = SepFormer(voices=2, filters=32, kernel=16, chunk=20, blocks=1, layers=1, heads=2, feedforward=8)
    basis = torch.eye(16)
    with torch.no_grad():
        network.encoder.weight[:] = torch.cat([basis, -basis])[:, None]  # both signs pass the rectifier
        network.decoder.weight[:] = torch.cat([basis, -basis])[:, None] / 2  # every sample is in two frames
        for layer in (network.leave, network.gate, network.value):
            layer.weight.zero_()
        network.leave.bias.fill_(1.0)
        mixture = torch.randn(1, 2_000)
        found = network(mixture)
    assert torch.allclose(found[0, 0, 8:], mixture[0, 8:], atol=1e-5)
    assert torch.allclose(found[0, 1], found[0, 0])


def test_windows_are_joined(weights):
    mixture = np.random.default_rng(0).standard_normal(5 * RATE).astype(np.float32)
    separator = SepFormerSeparator(str(weights), window=1.0, overlap=0.25)
    assert separator.voices == 2
    found = separator(mixture)
    assert found.shape == (2, 5 * RATE)
    assert np.isfinite(found).all()
    one = SepFormerSeparator(str(weights), window=1.0, overlap=0.25)(mixture[:RATE])
    direct = separator.network(mixtures=(mixture[None, :RATE] / np.sqrt(np.mean(mixture[:RATE] ** 2))))[0]
    assert one == pytest.approx(direct * np.sqrt(np.mean(mixture[:RATE] ** 2)), abs=1e-4)


@pytest.mark.parametrize("n", [0, 1, 300, 16_000, 30_000])
def test_any_length_and_silence(weights, n):
    separator = SepFormerSeparator(str(weights), window=1.0, overlap=0.25)
    assert separator(np.zeros(n, np.float32)).shape == (2, n)


def test_voices_keep_their_order():
    voices = np.array([[1.0, 2, 3, 4], [5, -6, 7, -8]], np.float32)
    before = voices[::-1, :3]
    assert aligned(voices, before).tolist() == voices[::-1].tolist()
    assert aligned(voices, voices[:, :2]).tolist() == voices.tolist()
    assert aligned(voices, voices[:, :0]).tolist() == voices.tolist()


class Split:
    """Half of the sound to each; changes sides with every call."""

    sample_rate, voices = RATE, 2
    calls = 0

    def __call__(self, mixture):
        self.calls += 1
        parts = np.stack([np.maximum(mixture, 0), np.minimum(mixture, 0)])
        return parts if self.calls % 2 else parts[::-1].copy()


@pytest.mark.parametrize("seconds", [0.5, 60.0, 60.5, 150.0])
def test_long_recordings_are_separated_stretch_by_stretch(seconds):
    samples = np.random.default_rng(0).standard_normal(round(seconds * RATE)).astype(np.float32)
    blocks = list(separated(samples, Split()))
    assert max(block.shape[1] for block in blocks) <= 60 * RATE
    whole = np.concatenate(blocks, axis=1)
    assert whole[0] == pytest.approx(np.maximum(samples, 0), abs=1e-5)
    assert whole[1] == pytest.approx(np.minimum(samples, 0), abs=1e-5)


def test_one_file_a_voice(tmp_path):
    samples = 0.1 * np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32)
    files = separate(Waveform(samples, RATE), Split(), tmp_path / "out", prefix="v")
    assert [path.name for path in files] == ["v_1.wav", "v_2.wav"]
    total = sum(read(path).samples[0] for path in files)
    assert total == pytest.approx(samples[0], abs=1e-4)


def test_mistakes_are_named(weights):
    assert set(SEPARATORS) == {"sepformer", "speechbrain"}
    with pytest.raises(ModelMissingError, match="no weights 'nowhere'"):
        SepFormerSeparator("nowhere")
    with pytest.raises(ValueError, match="overlap lies in"):
        SepFormerSeparator(str(weights), window=1.0, overlap=0.9)
    with pytest.raises(UsageError, match="unknown key"):
        part(SEPARATORS, {"name": "sepformer", "voices": 3}, "separate", "separator")
