"""Give the bundled networks the form that sherpa-onnx reads.

    python sherpa_models.py src/tertulia/weights OUT

Runs in the environment of sherpa-onnx (needs `onnx`). Writes OUT/segmentation.onnx, the bundled one with the
metadata that sherpa-onnx looks for, and OUT/embedding.onnx: the two halves of CAM++ joined by the statistics
between them and by the context of the paper, which makes it the published network. No weight is changed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper

SEGMENTATION = {
    "model_type": "pyannote-segmentation-3.0",
    "sample_rate": 16_000,
    "window_size": 160_000,
    "receptive_field_size": 991,
    "receptive_field_shift": 270,
    "num_speakers": 3,
    "powerset_max_classes": 2,
    "num_classes": 7,
}
EMBEDDING = {
    "framework": "3d-speaker",
    "language": "Chinese, English",
    "sample_rate": 16_000,
    "output_dim": 192,
    "normalize_samples": 1,
    "feature_normalize_type": "global-mean",
}
BLOCK = 100
"""Frames that share one cell of context, 2 s."""


def segmentation(weights: Path) -> ModelProto:
    """The bundled segmentation; input and output are found by their order."""
    return described(onnx.load(weights / "segmentation-3.0.onnx"), SEGMENTATION)


def embedding(weights: Path) -> ModelProto:
    """CAM++ from features `x` (batch, time, 80) to `embedding` (batch, 192)."""
    frames = compose.add_prefix(onnx.load(weights / "campplus-frames.onnx"), "frames/")
    projection = compose.add_prefix(onnx.load(weights / "campplus-projection.onnx"), "projection/")
    opsets, version = frames.opset_import, frames.ir_version
    before = model("before", context(), {"x": ["batch", "time", 80]}, opsets, version)
    between = model("between", statistics(), {"f": ["batch", "frames", 512]}, opsets, version)
    pairs = [("features", "frames/features"), ("context", "frames/context"), ("spread", "frames/spread")]
    joined = compose.merge_models(before, frames, io_map=pairs)
    joined = compose.merge_models(joined, between, io_map=[("frames/frames", "f")])
    joined = compose.merge_models(joined, projection, io_map=[("statistics", "projection/statistics")])
    joined.graph.node.append(helper.make_node("Identity", ["projection/embeddings"], ["embedding"]))
    del joined.graph.output[:]
    joined.graph.output.append(
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", EMBEDDING["output_dim"]])
    )
    onnx.checker.check_model(joined, full_check=True)
    return described(joined, EMBEDDING)


def context() -> list[NodeProto]:
    """Compute `context` (frames, cells) and `spread` (cells, frames) from the length of `x`."""
    node = helper.make_node
    return [
        node("Identity", ["x"], ["features"]),
        *constants(zero=0, one=1, two=2, block=BLOCK, block_less_one=BLOCK - 1, rows=[0], columns=[1]),
        node("Shape", ["x"], ["time_vector"], start=1, end=2),
        node("Squeeze", ["time_vector", "rows"], ["time"]),
        node("Add", ["time", "one"], ["time_and_one"]),
        node("Div", ["time_and_one", "two"], ["count"]),
        node("Range", ["zero", "count", "one"], ["frame"]),
        node("Div", ["frame", "block"], ["cell_of_frame"]),
        node("Add", ["count", "block_less_one"], ["padded"]),
        node("Div", ["padded", "block"], ["cells"]),
        node("Range", ["zero", "cells", "one"], ["cell"]),
        node("Unsqueeze", ["cell_of_frame", "columns"], ["cell_of_frame_column"]),
        node("Equal", ["cell_of_frame_column", "cell"], ["is_member"]),
        node("Cast", ["is_member"], ["member"], to=TensorProto.FLOAT),
        node("ReduceSum", ["member", "rows"], ["size_of_cell"], keepdims=1),
        node("Div", ["member", "size_of_cell"], ["mean_of_cell"]),
        node("Cast", ["count"], ["count_float"], to=TensorProto.FLOAT),
        node("Reciprocal", ["count_float"], ["share"]),
        node("Add", ["mean_of_cell", "share"], ["context"]),
        node("Transpose", ["member"], ["spread"], perm=[1, 0]),
    ]


def statistics() -> list[NodeProto]:
    """Mean and standard deviation (unbiased, as torch has it) of `f` over its frames → `statistics`."""
    node = helper.make_node
    return [
        *constants(frames_axis=[1], single=[1]),
        node("ReduceMean", ["f"], ["mean"], axes=[1], keepdims=1),
        node("Sub", ["f", "mean"], ["deviation"]),
        node("Mul", ["deviation", "deviation"], ["square"]),
        node("ReduceSum", ["square", "frames_axis"], ["sum_of_squares"], keepdims=0),
        node("Shape", ["f"], ["number"], start=1, end=2),
        node("Sub", ["number", "single"], ["degrees"]),
        node("Cast", ["degrees"], ["degrees_float"], to=TensorProto.FLOAT),
        node("Div", ["sum_of_squares", "degrees_float"], ["variance"]),
        node("Sqrt", ["variance"], ["deviation_of_all"]),
        node("Squeeze", ["mean", "frames_axis"], ["mean_flat"]),
        node("Concat", ["mean_flat", "deviation_of_all"], ["statistics"], axis=1),
    ]


def constants(**values: int | list[int]) -> list[NodeProto]:
    """Whole numbers under the names given."""
    return [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value, np.int64)))
        for name, value in values.items()
    ]


OUTPUTS = {
    "before": {
        "features": ["batch", "time", 80],
        "context": ["frames", "cells"],
        "spread": ["cells", "frames"],
    },
    "between": {"statistics": ["batch", 1024]},
}


def model(
    name: str, nodes: list[NodeProto], inputs: dict[str, list[str | int]], opsets: list, version: int
) -> ModelProto:
    """Make a piece of the network with free batch and time."""
    values = [
        [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in side.items()]
        for side in (inputs, OUTPUTS[name])
    ]
    return helper.make_model(
        helper.make_graph(nodes, name, *values), opset_imports=opsets, ir_version=version
    )


def described(network: ModelProto, properties: dict[str, object]) -> ModelProto:
    """Add the metadata that sherpa-onnx asks for."""
    helper.set_model_props(network, {key: str(value) for key, value in properties.items()})
    return network


def main(weights: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    onnx.save(segmentation(weights), out / "segmentation.onnx")
    onnx.save(embedding(weights), out / "embedding.onnx")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
