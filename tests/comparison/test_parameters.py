from __future__ import annotations

import math

import numpy as np
import pytest

from tertulia.comparison.parameters import bundled, count_parameters
from tertulia.inference import WEIGHTS, weights


def test_a_network_built_by_hand(tmp_path):
    onnx = pytest.importorskip("onnx")
    make, kinds = onnx.helper.make_tensor, onnx.TensorProto
    branch = onnx.helper.make_graph([], "branch", [], [], [make("b", kinds.FLOAT16, [5], [0.0] * 5)])
    nodes = [
        onnx.helper.make_node("Constant", [], ["c"], value=make("c", kinds.DOUBLE, [2, 2], [0.0] * 4)),
        onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch),
    ]
    held = [make("w", kinds.FLOAT, [300, 2], [0.0] * 600), make("shape", kinds.INT64, [3], [1, 2, 3])]
    path = tmp_path / "net.onnx"
    path.write_bytes(
        onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [], [], held)).SerializeToString()
    )
    assert count_parameters(path) == 600 + 4 + 5 + 5


def test_a_bundled_network_agrees_with_onnx():
    onnx = pytest.importorskip("onnx")
    path = weights("segmentation-3.0")
    graph = onnx.load(path).graph
    tensors = [*graph.initializer, *(a.t for node in graph.node for a in node.attribute if a.HasField("t"))]
    assert count_parameters(path) == sum(math.prod(t.dims) for t in tensors if t.data_type == 1) > 1_000_000


def test_arrays_count_but_for_what_is_no_weight(tmp_path):
    path = tmp_path / "models.npz"
    np.savez(path, means=np.zeros((4, 3), np.float16), shape=np.arange(5), names=np.array(["a", "b"]))
    assert count_parameters(path) == 12


def test_a_bundled_model_is_found_whatever_its_kind():
    assert bundled("background") == WEIGHTS / "background.npz"
    assert bundled("segmentation-3.0") == WEIGHTS / "segmentation-3.0.onnx"
    assert bundled("nobody") is None
