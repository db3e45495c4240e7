"""ResNet34 and x-vector from checkpoints with random weights: conversion, cache, and what they compute."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tertulia.audio.windows import Windows
from tertulia.config import part
from tertulia.embedding import EMBEDDERS, published
from tertulia.embedding.adapters import ResNet34, XVector
from tertulia.errors import InputError, MissingExtraError, ModelMissingError, OutputError
from tertulia.features import fbank
from tertulia.segmentation import Activity


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each network, laid out as its repository on the hub."""
    torch = pytest.importorskip("torch")
    from tertulia.networks.resnet34 import ResNet34 as TorchResNet34
    from tertulia.networks.xvector import XVector as TorchXVector

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("checkpoints")
    for name, network, prefix in [("resnet34", TorchResNet34(), "resnet."), ("xvector", TorchXVector(), "")]:
        (folder / name).mkdir()
        state = {f"{prefix}{key}": value for key, value in network.state_dict().items()}
        torch.save({"state_dict": state}, folder / name / "pytorch_model.bin")
    return folder


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache(shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of the module, and no hub."""
    monkeypatch.setattr("tertulia.embedding.adapters.cache", lambda: shared_cache)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return shared_cache


def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tertulia.networks.convert", None)


# ── what they compute ────────────────────────────────────────────────────────────────────────────────


def torch_network(kind: type, path: Path) -> Any:
    from tertulia.networks.convert import _NETWORKS, fill, read

    return fill(_NETWORKS[kind._architecture](), read(path), path)


@pytest.mark.parametrize(("name", "kind"), [("resnet34", ResNet34), ("xvector", XVector)])
def test_against_torch(name: str, kind: Any, checkpoints: Path, windows: Windows, activity: Activity) -> None:
    """One window and one speaker, its mask stretched to the frames of the network as pyannote does it."""
    torch = pytest.importorskip("torch")
    number, speaker = np.argwhere((activity.solo > 0).sum(axis=1) > 100)[0]
    window = dataclasses.replace(windows, lead=windows.lead + number * windows.hop, count=1)
    active = Activity(
        *(getattr(activity, name)[number : number + 1] for name in ("scores", "active", "solo", "count")),
        activity.grid,
        activity.hop,
    )
    embedder = kind(weights=str(checkpoints / name))
    voices = embedder(window, active)
    assert voices.vectors.shape == (1, 3, 1, embedder.dim)
    assert np.array_equal(voices.embedded[..., 0], active.active.any(axis=1))

    samples = window.stack()[0].copy()
    if name == "resnet34":
        # Scaling samples adds a constant to log energies, which is gone once the mean is subtracted.
        features = kaldi_features(samples)
        x = torch.from_numpy(features - features.mean(axis=0))[None]
    else:
        x = torch.from_numpy(samples)[None, None]
    network = torch_network(kind, checkpoints / name / "pytorch_model.bin")
    with torch.no_grad():
        frames = network.frames(x)
        mask = torch.from_numpy((active.solo[0, :, speaker] > 0).astype(np.float32))
        mask = torch.nn.functional.interpolate(mask[None, None], frames.shape[1], mode="nearest")[0, 0]
        chosen = frames[0, mask > 0]
        pooled = torch.cat([chosen.mean(dim=0), chosen.std(dim=0)])[None]
        expected = network.embed(pooled)[0].numpy()
    got = voices.vectors[0, speaker, 0]
    np.testing.assert_allclose(got, expected, atol=1e-3 * np.abs(expected).max())


def kaldi_features(samples: np.ndarray) -> np.ndarray:
    """Kaldi's fbank from its definition, with Hamming windows; samples (n,) → (frames, 80)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(float) * 32768, 400)[::160]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = (frames - 0.97 * before) * np.hamming(400)
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    mel = lambda hz: 1127 * np.log1p(hz / 700)  # noqa: E731
    edges = np.linspace(mel(20), mel(8000), 82)
    bins = mel(np.arange(256) * 16_000 / 512)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.maximum(np.minimum(rising, falling), 0)
    return np.log(np.maximum(power[:, :256] @ filters, np.finfo(np.float32).eps)).astype(np.float32)


def test_features_are_those_of_wespeaker(sound: np.ndarray) -> None:
    samples = sound[:32_000]
    features = fbank(samples * np.float32(1 << 15), centred=False, window="hamming")
    assert features.shape == (198, 80)
    np.testing.assert_allclose(features, kaldi_features(samples), atol=2e-2)
    assert np.abs(features - fbank(samples, centred=False)).max() > 1  # scale and window both matter


def test_provenance_names_both_halves(checkpoints: Path) -> None:
    networks = ResNet34(weights=str(checkpoints / "resnet34")).networks
    assert list(networks) == ["resnet34-frames", "resnet34-projection"]
    assert all(len(network.sha256) == 64 for network in networks.values())


# ── conversion ───────────────────────────────────────────────────────────────────────────────────────


def test_conversion_happens_once_and_then_needs_no_torch(
    checkpoints: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ResNet34(weights=str(checkpoints / "resnet34"))
    no_torch(monkeypatch)
    again = ResNet34(weights=str(checkpoints / "resnet34" / "pytorch_model.bin"))
    assert dataclasses.replace(again, threads=1).frames.threads == 1
    (folder,) = cache.glob("resnet34-*")
    assert sorted(path.name for path in folder.iterdir()) == ["frames.onnx", "projection.onnx"]


def test_without_torch_the_first_time_says_what_to_do(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.embedding.adapters.cache", lambda: tmp_path / "new")
    no_torch(monkeypatch)
    expected = r"pip install 'tertulia\[train\]'; `--embedding campplus` runs without it"
    with pytest.raises(MissingExtraError, match=expected) as caught:
        XVector(weights=str(checkpoints / "xvector"))
    assert caught.value.exit_code == 4


def test_a_folder_of_converted_files_needs_no_torch(
    checkpoints: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    XVector(weights=str(checkpoints / "xvector"))
    (made,) = cache.glob("xvector-*")
    shutil.copytree(made, tmp_path / "carried")
    no_torch(monkeypatch)
    assert XVector(weights=str(tmp_path / "carried")).frames.path.parent == tmp_path / "carried"


def test_another_checkpoint_is_another_folder(checkpoints: Path, cache: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "other.bin"
    content = torch.load(checkpoints / "xvector" / "pytorch_model.bin", weights_only=True)
    content["state_dict"]["embedding.bias"] += 1
    torch.save(content, path)
    before = XVector(weights=str(checkpoints / "xvector"))
    after = XVector(weights=str(path))
    pooled = np.zeros((1, 3000), np.float32)
    np.testing.assert_allclose(after._project(pooled), before._project(pooled) + 1, atol=1e-5)


def test_a_failed_conversion_leaves_nothing(checkpoints: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tertulia.embedding.adapters.cache", lambda: tmp_path / "new")
    with pytest.raises(InputError, match=r"not the parameters of ResNet34: missing: .*; unexpected: "):
        ResNet34(weights=str(checkpoints / "xvector"))
    assert list((tmp_path / "new").iterdir()) == []


def test_another_process_may_be_faster(checkpoints: Path, tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("torch")
    from tertulia.networks import convert

    monkeypatch.setattr("tertulia.embedding.adapters.cache", lambda: tmp_path / "new")
    slow = convert.convert

    def meanwhile(checkpoint: Path, architecture: str, folder: Path) -> None:
        slow(checkpoint, architecture, folder)
        (other,) = [tmp_path / "new" / name for name in expected]
        shutil.copytree(folder, other)

    first = XVector(weights=str(checkpoints / "xvector"))
    expected = [first._folder.name]
    shutil.rmtree(first._folder)
    monkeypatch.setattr(convert, "convert", meanwhile)
    assert XVector(weights=str(checkpoints / "xvector"))._folder == first._folder
    assert [path.name for path in (tmp_path / "new").iterdir()] == expected


def test_a_cache_that_cannot_be_written(checkpoints: Path, tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("torch")
    (tmp_path / "file").touch()
    monkeypatch.setattr("tertulia.embedding.adapters.cache", lambda: tmp_path / "file" / "cache")
    with pytest.raises(OutputError, match="cannot be written"):
        XVector(weights=str(checkpoints / "xvector"))


# ── missing weights ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "model"),
    [("resnet34", "pyannote/wespeaker-voxceleb-resnet34-LM"), ("xvector", "pyannote/embedding")],
)
def test_missing_weights_are_told_when_the_part_is_built(name: str, model: str) -> None:
    with pytest.raises(ModelMissingError) as caught:
        part(EMBEDDERS, {"name": name}, "embedding", "embedding model")
    message = str(caught.value)
    assert message.startswith(model)
    assert "`--embedding campplus` runs without it" in message
    assert f"`--embedding {name}=PATH` takes a checkpoint that is here" in message
    assert caught.value.exit_code == 4


def test_weights_from_the_hub_cache(checkpoints: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hf" / "hub" / "models--pyannote--embedding"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("f00d")
    shutil.copytree(checkpoints / "xvector", folder / "snapshots" / "f00d")
    assert XVector() == XVector(weights="pyannote/embedding")
    assert XVector()._folder == XVector(weights=str(checkpoints / "xvector"))._folder


def test_ids_of_published_models() -> None:
    assert published("pyannote/embedding") == {"name": "xvector", "weights": "pyannote/embedding"}
    pinned = "pyannote/wespeaker-voxceleb-resnet34-LM@v1"
    assert published(pinned) == {"name": "resnet34", "weights": pinned}
    assert published("pyannote/embedding-2") is None
