"""Networks as ONNX files, compared with what torch computes before anybody relies on them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tertulia.errors import InputError, MissingExtraError
from tertulia.inference import Network
from tertulia.training.files import replacing

__all__ = ["Axes", "export", "round_to_half"]

Axes = Mapping[str, Mapping[int, str]]

_OPSET = 17
_CLOSE = 1e-3  # largest difference that rounding in another order can make


def round_to_half(network: nn.Module) -> None:
    """Round the matrices of a network to 16 bits, so that keeping them so changes nothing more."""
    with torch.no_grad():
        for value in network.parameters():
            if value.dim() > 1:
                value.copy_(value.half())


def export(
    network: nn.Module,
    path: Path,
    examples: Sequence[Mapping[str, Tensor]],
    axes: Axes,
    *,
    half: bool = False,
) -> float:
    """Write a network as ONNX and return the largest difference of its output from torch's.

    Args:
        network: takes tensors in the order of the examples' names, and returns one.
        path: the file; it appears when it is whole.
        examples: inputs by name; the first is what the exporter runs, all are compared.
        axes: name of an input, or `output` → number of an axis that is free → its name.
        half: keep matrices in 16 bits; ONNX Runtime turns them into 32 when it opens the file.

    Raises:
        OutputError: when it cannot be written.
        InputError: when the file computes something else than the network.
    """
    network = network.cpu().eval()
    with replacing(path) as draft:
        _write(network, draft, examples[0], axes)
        if half:
            _halve(draft)
        worst = max(_difference(network, draft, example) for example in examples)
        if not worst <= _CLOSE:
            raise InputError(f"{path}: differs by {worst:.2g} from what torch computes")
    return worst


def _write(network: nn.Module, path: Path, example: Mapping[str, Tensor], axes: Axes) -> None:
    try:
        import onnx  # noqa: F401 — the exporter needs it
    except ImportError as error:
        raise MissingExtraError("an export needs onnx: pip install 'tertulia[train]'") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its own successor
        torch.onnx.export(
            network,
            tuple(example.values()),
            str(path),
            input_names=list(example),
            output_names=["output"],
            dynamic_axes={name: dict(free) for name, free in axes.items()},
            opset_version=_OPSET,
            dynamo=False,
        )


def _halve(path: Path) -> None:
    """Keep the matrices of a file in 16 bits, each with a cast behind it."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(str(path))
    casts = []
    for item in model.graph.initializer:
        if item.data_type == TensorProto.FLOAT and len(item.dims) > 1:
            name, values = item.name, numpy_helper.to_array(item)
            item.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, str(path))


def _difference(network: nn.Module, path: Path, example: Mapping[str, Tensor]) -> float:
    with torch.no_grad():
        expected = network(*example.values()).numpy()
    got = Network(str(path), 1)(**{name: value.numpy() for name, value in example.items()})
    return float(np.abs(expected - got).max())
