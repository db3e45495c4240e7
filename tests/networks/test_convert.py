"""Checkpoints: what is read, what is refused, and that the ONNX files compute what torch does."""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tertulia.embedding.pooling import statistics  # noqa: E402
from tertulia.errors import InputError, MissingExtraError  # noqa: E402
from tertulia.inference import Network  # noqa: E402
from tertulia.networks.convert import convert, export, fill, read  # noqa: E402
from tertulia.networks.resnet34 import ResNet34  # noqa: E402
from tertulia.networks.xvector import XVector  # noqa: E402


def lively(network: Any) -> Any:
    """Random weights, with normalisations that a fresh network does not have yet."""
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.fixture(scope="module")
def resnet() -> ResNet34:
    torch.manual_seed(0)
    return lively(ResNet34(dim=16, channels=4))


@pytest.fixture(scope="module")
def xvector() -> XVector:
    torch.manual_seed(0)
    return lively(XVector(dim=16, channels=(24, 24, 24, 24, 40)))


def test_published_sizes() -> None:
    count = lambda network: sum(p.numel() for p in network.parameters())  # noqa: E731
    # WeSpeaker's own table says 6.63 M.
    assert count(ResNet34()) == 6_634_336
    assert 4.2e6 < count(XVector()) < 4.4e6
    assert set(ResNet34().seg_1.weight.shape) == {256, 5120}
    assert set(XVector().embedding.weight.shape) == {512, 3000}


def test_names_are_those_of_the_published_checkpoints() -> None:
    resnet, xvector = set(ResNet34().state_dict()), set(XVector().state_dict())
    assert {"conv1.weight", "layer1.2.bn2.running_var", "layer2.0.shortcut.1.bias", "seg_1.bias"} <= resnet
    assert {"layer2.3.conv2.weight", "layer3.5.conv1.weight", "layer4.2.bn1.weight"} <= resnet
    assert not any("layer1.0.shortcut" in name for name in resnet)
    assert {"sincnet.conv1d.0.filterbank.low_hz_", "sincnet.norm1d.2.bias", "embedding.weight"} <= xvector
    assert {f"tdnns.{i}.weight" for i in (0, 2, 3, 5, 6, 8, 9, 11, 12, 14)} <= xvector


@pytest.mark.parametrize("time", [8, 9, 63, 64, 200])
def test_resnet_frames_are_an_eighth(time: int, resnet: ResNet34) -> None:
    with torch.no_grad():
        assert resnet.frames(torch.randn(2, time, 80)).shape == (2, -(-time // 8), 4 * 80)


def test_a_frame_of_the_xvector_looks_at_4771_samples(xvector: XVector) -> None:
    with torch.no_grad():
        assert xvector.frames(torch.randn(1, 1, 4771)).shape == (1, 1, 40)
        assert xvector.frames(torch.randn(1, 1, 4771 + 269)).shape == (1, 1, 40)
        assert xvector.frames(torch.randn(1, 1, 4771 + 270)).shape == (1, 2, 40)


@pytest.mark.parametrize("name", ["resnet", "xvector"])
def test_onnx_computes_what_torch_does(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    network = request.getfixturevalue(name)
    architecture, source = {"resnet": ("resnet34", "features"), "xvector": ("xvector", "waveforms")}[name]
    export(network, architecture, tmp_path)
    frames, projection = Network(f"{tmp_path}/frames.onnx"), Network(f"{tmp_path}/projection.onnx")
    for batch, time in [(1, 41), (2, 98), (3, 170)]:
        shape = (batch, time, 80) if name == "resnet" else (batch, 1, 160 * time)
        x = torch.randn(*shape, generator=torch.Generator().manual_seed(time))
        with torch.no_grad():
            whole, expected = network(x).numpy(), network.frames(x).numpy()
        got = frames(**{source: x.numpy()})
        np.testing.assert_allclose(got, expected, atol=1e-4)
        pooled = np.concatenate([statistics(one, np.ones((1, len(one)), np.float32)) for one in got])
        np.testing.assert_allclose(projection(statistics=pooled), whole, atol=2e-3)


def test_a_checkpoint_becomes_two_files(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = lively(XVector())
    torch.save({"state_dict": network.state_dict()}, tmp_path / "pytorch_model.bin")
    convert(tmp_path / "pytorch_model.bin", "xvector", tmp_path)
    x = torch.randn(1, 1, 16_000)
    got = Network(f"{tmp_path}/frames.onnx")(waveforms=x.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(got, network.frames(x).numpy(), atol=1e-3)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────


def test_parameters_may_stand_alone_or_under_state_dict(tmp_path: Path) -> None:
    parameters = {"a": torch.arange(3.0)}
    for number, content in enumerate([parameters, {"state_dict": parameters, "epoch": 3}]):
        torch.save(content, tmp_path / f"{number}.bin")
        assert read(tmp_path / f"{number}.bin")["a"].tolist() == [0, 1, 2]


def test_safetensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file = pytest.importorskip("safetensors.torch").save_file
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.arange(3.0)}, path)
    assert read(path)["a"].tolist() == [0, 1, 2]
    path.write_bytes(b"\x10\0\0\0\0\0\0\0nothing")
    with pytest.raises(InputError, match="no safetensors file"):
        read(path)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tertulia\[train\]'"):
        read(path)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("modern", [True, False])
def test_a_pickle_that_runs_code_is_refused(modern: bool, tmp_path: Path) -> None:
    trap, path = tmp_path / "sprung", tmp_path / "pytorch_model.bin"
    content = {"state_dict": {"a": torch.zeros(1)}, "extra": Trap(trap)}
    torch.save(content, path, _use_new_zipfile_serialization=modern)
    torch.load(path, weights_only=False)
    assert trap.exists()  # the trap works …
    trap.unlink()
    with pytest.raises(InputError, match=r"could run code: it refers to \S+; .*safetensors") as caught:
        read(path)
    assert not trap.exists()
    assert caught.value.exit_code == 3
    assert "weights_only" not in str(caught.value)  # no invitation to open it after all


def test_descriptions_of_pyannote_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects as they are in published checkpoints, of classes that nobody imports when they are read."""
    module = types.ModuleType("pyannote.audio.core.task")
    sprung: list[object] = []

    class Specifications:
        def __init__(self, classes: list[str]) -> None:
            self.classes = classes

        def __setstate__(self, state: object) -> None:
            sprung.append(state)

    class Problem:
        def __reduce__(self) -> tuple[Any, ...]:
            return Problem, ()

    for kind in (Specifications, Problem):
        kind.__module__, kind.__qualname__ = module.__name__, kind.__name__
        setattr(module, kind.__name__, kind)
    path = tmp_path / "pytorch_model.bin"
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        about = {"specifications": Specifications(["a", "b"]), "problem": Problem()}
        torch.save({"state_dict": {"a": torch.ones(2)}, "pyannote.audio": about}, path)
    assert read(path)["a"].tolist() == [1, 1]
    assert sprung == []


@pytest.mark.parametrize(
    "content",
    [b"", b"not a checkpoint", b"PK\x03\x04 cut off", pickle.dumps("a string"), b"\x80\x02."],
)
def test_what_is_no_checkpoint(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no checkpoint"):
        read(path)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": [1]}, {"a": 1.0}])
def test_what_holds_no_tensors(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.bin")
    with pytest.raises(InputError, match="it has to hold tensors by name"):
        read(tmp_path / "x.bin")


# ── names ────────────────────────────────────────────────────────────────────────────────────────────


def test_prefix_counts_and_training_layers_do_not_matter(resnet: ResNet34) -> None:
    given = {
        f"resnet.{name}": value
        for name, value in resnet.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    given |= {"loss_func.W": torch.zeros(3), "projection.weight": torch.zeros(3)}
    filled = fill(ResNet34(dim=16, channels=4), given, "x")
    x = torch.randn(1, 50, 80)
    with torch.no_grad():
        assert torch.equal(filled(x), resnet(x))
    assert not filled.training


def test_the_report_names_what_does_not_fit() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 4))
    given = {"0.weight": torch.zeros(3, 2), "0.bias": torch.zeros(5), "2.weight": torch.zeros(1)}
    with pytest.raises(InputError) as caught:
        fill(network, given, "some.bin")
    assert str(caught.value) == (
        "some.bin: not the parameters of Sequential: "
        "missing: 1.bias, 1.weight; unexpected: 2.weight; of another shape: 0.bias"
    )


def test_a_long_report_is_cut(resnet: ResNet34) -> None:
    with pytest.raises(InputError, match=r"missing: bn1.bias, .* and 178 more; unexpected: .* more$"):
        fill(ResNet34(dim=16, channels=4), XVector().state_dict(), "x")
