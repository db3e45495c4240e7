"""ONNX exports made elsewhere: layouts, running them, and numbers in other files."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tertulia.endtoend.exports import Step, Whole, detect, external_data, open_export
from tertulia.endtoend.published import opened
from tertulia.errors import InputError

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")


@dataclass
class Port:
    name: str
    shape: list[int | str]


FEATURES, LENGTHS = Port("processed_signal", ["b", 80, "t"]), Port("processed_signal_length", ["b"])
ACTIVITY = Port("preds", ["b", "t", 4])


def step_inputs():
    cubes = [Port("chunk", ["b", "t", 128]), Port("spkcache", ["b", "n", 512]), Port("fifo", ["b", "m", 512])]
    return [*cubes, *(Port(f"{cube.name}_lengths", ["b"]) for cube in cubes)]


def test_layouts_are_detected():
    assert detect([FEATURES, LENGTHS], [ACTIVITY], "m") == Whole(
        "processed_signal", "processed_signal_length", "preds", 80, True, 4
    )
    assert detect([Port("x", [1, "t", 128])], [Port("y", [1, "t", 8])], "m") == Whole(
        "x", None, "y", 128, False, 8
    )
    outputs = [
        Port("spkcache_fifo_chunk_preds", ["b", "t", 4]),
        Port("chunk_pre_encode_embs", ["b", "t", 512]),
        Port("chunk_pre_encode_lengths", ["b"]),
    ]
    found = detect(step_inputs(), outputs, "m")
    assert isinstance(found, Step)
    assert (found.chunk, found.cache, found.queue, found.frames) == (
        "chunk",
        "spkcache",
        "fifo",
        outputs[1].name,
    )
    assert found.lengths == {name: f"{name}_lengths" for name in ("chunk", "spkcache", "fifo")}
    assert (found.bands, found.dim, found.speakers) == (128, 512, 4)


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([Port("input_ids", ["b", "t"])], [Port("logits", ["b", "t", 30_000])]),
        ([Port("x", ["b", "t", 80])], [Port("embedding", ["b", 192])]),
        ([Port("x", ["b", "t", 50])], [ACTIVITY]),
        (step_inputs()[:4], [ACTIVITY]),
        ([], []),
    ],
)
def test_other_layouts_are_refused_with_what_was_found(inputs, outputs):
    with pytest.raises(InputError, match="no layout of Sortformer that is known") as caught:
        detect(inputs, outputs, "m")
    assert all(port.name in str(caught.value) for port in (*inputs, *outputs))


# ── running ──────────────────────────────────────────────────────────────────────────────────────────────


class WholeGraph(torch.nn.Module):
    """Says 1 for the loudest of four bands; (batch, bands, time) → (batch, frames, 4)."""

    def forward(self, processed_signal, length):
        x = processed_signal[:, ::20].transpose(1, 2)[:, ::8]
        return (x == x.max(dim=2, keepdim=True).values).float() + 0 * length.float()[:, None, None]


class StepGraph(torch.nn.Module):
    """Frames are features 0, 1, 2 of every eighth; activity is their sigmoid, of what counts."""

    def forward(self, chunk, chunk_lengths, spkcache, spkcache_lengths, fifo, fifo_lengths):
        frames = chunk[:, ::8, :3]
        counts = [spkcache_lengths, fifo_lengths, -(-chunk_lengths // 8)]
        seen = [
            part * (torch.arange(part.shape[1])[None, :, None] < count[:, None, None])
            for part, count in zip((spkcache, fifo, frames), counts, strict=True)
        ]
        return torch.cat(seen, dim=1).sigmoid(), frames


def exported(path: Path, graph, inputs: dict, outputs: list[str], free: dict) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its own successor
        torch.onnx.export(
            graph,
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=outputs,
            dynamic_axes=free,
            opset_version=17,
            dynamo=False,
        )
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    inputs = {"processed_signal": torch.zeros(1, 80, 40), "length": torch.tensor([40])}
    free = {"processed_signal": {2: "time"}, "activity": {1: "frames"}}
    return exported(tmp_path_factory.mktemp("whole") / "w.onnx", WholeGraph(), inputs, ["activity"], free)


@pytest.fixture(scope="module")
def step(tmp_path_factory):
    one = torch.tensor([1])
    inputs = {
        "chunk": torch.zeros(1, 16, 128),
        "chunk_lengths": one,
        "spkcache": torch.zeros(1, 5, 3),
        "spkcache_lengths": one,
        "fifo": torch.zeros(1, 2, 3),
        "fifo_lengths": one,
    }
    free = {name: {1: name} for name in ("chunk", "spkcache", "fifo")} | {"preds": {1: "t"}, "embs": {1: "u"}}
    return exported(tmp_path_factory.mktemp("step") / "s.onnx", StepGraph(), inputs, ["preds", "embs"], free)


def test_a_whole_network_runs_in_blocks_and_streams(whole, sound):
    network = open_export(whole, 1, "cpu")
    frames = network.frames(sound[:32_500])
    assert frames.shape == (26, 640)
    features = network._features(sound[:32_500])
    found = network.activity(frames)
    assert found.shape == (26, 4)
    np.testing.assert_array_equal(found[:25].argmax(axis=1), features[:200:8, ::20].argmax(axis=1))
    assert network.activity(frames[:0]).shape == (0, 4)


def test_a_step_network_runs_in_blocks(step, sound):
    network = open_export(step, 1, "cpu")
    frames = network.frames(sound[:32_500])
    assert frames.shape == (26, 3)
    np.testing.assert_allclose(frames, network._features(sound[:32_500])[::8, :3], rtol=1e-5)
    np.testing.assert_allclose(network.activity(frames), 1 / (1 + np.exp(-frames)), atol=1e-5)


def test_the_command_line_takes_an_export(whole, recording, capsys):
    from tertulia.cli import main

    assert (
        main(["diarize", str(recording), "--system", "sortformer-tiny", "--segmentation", str(whole), "-q"])
        == 0
    )
    assert "SPEAKER_00" in capsys.readouterr().out


# ── numbers in other files ───────────────────────────────────────────────────────────────────────────────


def tensor(**changes):
    made = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [2], [1.0, 2.0])
    if changes:
        made.ClearField("float_data")
        made.data_location = onnx.TensorProto.EXTERNAL
        for key, value in changes.items():
            made.external_data.add(key=key, value=value)
    return made


def model(weights, where: str) -> bytes:
    x, y = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [2]) for n in "xy")
    add = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    if where == "initializer":
        graph = onnx.helper.make_graph([add], "g", [x], [y], [weights])
    elif where == "constant":
        constant = onnx.helper.make_node("Constant", [], ["w"], value=weights)
        graph = onnx.helper.make_graph([constant, add], "g", [x], [y])
    else:
        out = onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, [2])
        inner = onnx.helper.make_graph(
            [onnx.helper.make_node("Identity", ["w"], ["z"])], "i", [], [out], [weights]
        )
        node = onnx.helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
        c = onnx.helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, [])
        graph = onnx.helper.make_graph([node], "g", [c], [y])
    return onnx.helper.make_model(graph).SerializeToString()


@pytest.mark.parametrize("where", ["initializer", "constant", "branch"])
def test_numbers_in_other_files_are_refused(tmp_path, where):
    assert not external_data(model(tensor(), where))
    assert external_data(model(tensor(location="../../etc/passwd"), where))
    path = tmp_path / "m.onnx"
    path.write_bytes(model(tensor(location="/etc/passwd"), where))
    with pytest.raises(InputError, match="refused: some of its numbers lie in other files"):
        opened(str(path))


def test_bundled_networks_are_whole(whole):
    assert not external_data(whole.read_bytes())


@pytest.mark.parametrize("content", [b"\xff" * 20, b"\x3a\x7f", b"\x0b"])
def test_what_is_no_onnx_file(tmp_path, content):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no ONNX file"):
        opened(str(path))
