from __future__ import annotations

import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from tertulia.errors import InputError, ModelMissingError  # noqa: E402
from tertulia.networks.speechbrain import PARTS, PublishedSepFormer, network_of  # noqa: E402
from tertulia.separation import SEPARATORS, SpeechBrainSeparator, separated  # noqa: E402

YAML = "sample_rate: 8000\nnum_spks: 3\nintra: !new:x\n    nhead: 2   # heads\nMaskNet:\n    K: 10\n"
LAYER = [
    "norm1.norm.bias",
    "norm1.norm.weight",
    "norm2.norm.bias",
    "norm2.norm.weight",
    "pos_ffn.ffn.0.bias",
    "pos_ffn.ffn.0.weight",
    "pos_ffn.ffn.3.bias",
    "pos_ffn.ffn.3.weight",
    "self_att.att.in_proj_bias",
    "self_att.att.in_proj_weight",
    "self_att.att.out_proj.bias",
    "self_att.att.out_proj.weight",
]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return PublishedSepFormer(3, 8, 16, 10, 2, 1, 2, 12).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, network):
    """A checkpoint in the files and names of the published ones."""
    folder = tmp_path_factory.mktemp("published")
    for part in PARTS:
        state = {k.removeprefix(f"{part}."): v for k, v in network.state_dict().items() if k.startswith(part)}
        if part == "masknet":
            state["dual_mdl.0.intra_mdl.pos_enc.pe"] = torch.zeros(1, 2500, 8)
        torch.save(state, folder / f"{part}.ckpt")
    (folder / "hyperparams.yaml").write_text(YAML)
    return folder


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def test_names_are_those_of_the_published_checkpoints():
    names = set(PublishedSepFormer(2, 8, 16, 10, 1, 1, 2, 12).state_dict())
    mask = {"norm.bias", "norm.weight", "conv1d.weight", "prelu.weight", "conv2d.weight", "conv2d.bias"}
    mask |= {f"{gate}.0.{kind}" for gate in ("output", "output_gate") for kind in ("weight", "bias")}
    mask |= {"end_conv1x1.weight"}
    for way in ("intra", "inter"):
        model = f"dual_mdl.0.{way}_mdl.mdl"
        mask |= {f"{model}.layers.0.{name}" for name in LAYER}
        mask |= {f"{model}.norm.norm.{kind}" for kind in ("weight", "bias")}
        mask |= {f"dual_mdl.0.{way}_norm.{kind}" for kind in ("weight", "bias")}
    assert names == {"encoder.conv1d.weight", "decoder.weight"} | {f"masknet.{name}" for name in mask}


@pytest.mark.parametrize("samples", [64, 100, 1000, 8001, 12_345])
def test_a_checkpoint_separates_as_its_network_does(folder, network, samples):
    separator = SpeechBrainSeparator(weights=str(folder), threads=1)
    assert (separator.voices, separator.sample_rate) == (3, 8000)
    mixture = np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(mixture)[None])[0].numpy()
    assert separator(mixture) == pytest.approx(expected, abs=1e-3)


def test_a_mask_of_one_half_gives_half_the_mixture(network):
    frames = torch.rand(1, 8, 57)
    masks = network.masknet(frames)
    assert masks.shape == (1, 3, 8, 57)
    assert (masks >= 0).all()


def test_a_long_recording_streams(folder):
    separator = SpeechBrainSeparator(weights=str(folder), window=2.0, overlap=0.5, threads=1)
    samples = np.random.default_rng(0).standard_normal(61 * 8000).astype(np.float32)
    blocks = list(separated(samples, separator))
    assert len(blocks) == 2
    assert sum(block.shape[1] for block in blocks) == len(samples)
    assert all(np.isfinite(block).all() for block in blocks)


@pytest.mark.parametrize("samples", [0, 1, 10])
def test_a_moment(folder, samples):
    found = SpeechBrainSeparator(weights=str(folder), threads=1)(np.ones(samples, np.float32))
    assert found.shape == (3, samples)


def test_what_is_missing_is_said(folder, tmp_path, network):
    assert SEPARATORS["speechbrain"] is SpeechBrainSeparator
    with pytest.raises(ModelMissingError, match=r"holds none of encoder\.ckpt"):
        SpeechBrainSeparator(weights=str(tmp_path))
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "hyperparams.yaml").write_text("nhead: 2\n")
    with pytest.raises(InputError, match=r"hyperparams.yaml does not say K"):
        SpeechBrainSeparator(weights=str(copy))
    (copy / "masknet.ckpt").write_bytes(b"PK nonsense")
    with pytest.raises(InputError, match="no checkpoint"):
        SpeechBrainSeparator(weights=str(copy))
    with pytest.raises(InputError, match="not the parameters of a SepFormer"):
        network_of({}, YAML, "here")


def test_the_network_is_that_of_speechbrain():
    dual_path = pytest.importorskip("speechbrain.lobes.models.dual_path")
    torch.manual_seed(1)

    def transformer():
        return dual_path.SBTransformerBlock(
            num_layers=2,
            d_model=8,
            nhead=2,
            d_ffn=12,
            dropout=0,
            use_positional_encoding=True,
            norm_before=True,
        )

    encoder = dual_path.Encoder(kernel_size=16, out_channels=8).eval()
    masks = dual_path.Dual_Path_Model(
        num_spks=3,
        in_channels=8,
        out_channels=8,
        num_layers=2,
        K=10,
        intra_model=transformer(),
        inter_model=transformer(),
        norm="ln",
        linear_layer_after_inter_intra=False,
        skip_around_intra=True,
    ).eval()
    decoder = dual_path.Decoder(in_channels=8, out_channels=1, kernel_size=16, stride=8, bias=False).eval()
    parts = dict(zip(PARTS, (encoder, masks, decoder), strict=True))
    parameters = {f"{part}.{name}": v for part, m in parts.items() for name, v in m.state_dict().items()}
    ours = network_of(parameters, "nhead: 2\nK: 10\n", "speechbrain")
    mixtures = torch.randn(2, 1608)
    with torch.no_grad():
        frames = encoder(mixtures)
        theirs = torch.stack([decoder(mask * frames) for mask in masks(frames)], dim=1)
        assert torch.allclose(ours(mixtures)[..., : theirs.shape[2]], theirs, atol=1e-5)
