"""A PyanNet with the parameters of an ONNX file, so that training can begin where bundled weights end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tertulia.errors import InputError, MissingExtraError
from tertulia.networks.pyannet import PyanNet

__all__ = ["pyannet"]

_GATES = (0, 2, 3, 1)  # ONNX has input, output, forget, cell; torch has input, forget, cell, output


def pyannet(path: Path) -> PyanNet:
    """Read the parameters of a segmentation that this project exported, such as the bundled one.

    Raises:
        InputError: when it is no ONNX file, or one of another network.
        MissingExtraError: when `onnx` is not installed.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise MissingExtraError(f"{path}: reading it needs onnx: pip install 'tertulia[train]'") from error
    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # protobuf's own classes
        raise InputError(f"{path}: no ONNX file: {' '.join(str(error).split())[:200]}") from error
    values = {item.name: np.array(numpy_helper.to_array(item)) for item in graph.initializer}
    # Parameters with the same values share one: the exporter leaves an alias for the others.
    aliases = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    values |= {name: values[source] for name, source in aliases.items() if source in values}
    parameters = {name: torch.from_numpy(value) for name, value in values.items() if "::" not in name}
    recurrent = [node for node in graph.node if node.op_type == "LSTM"]
    products = [
        node for node in graph.node if node.op_type == "MatMul" and node.input[1].startswith("onnx::")
    ]
    network = PyanNet()
    try:
        for layer, node in enumerate(recurrent):
            parameters |= _lstm(layer, *(values[name] for name in node.input[1:4]))
        for name, node in zip(("linear.0", "linear.1", "classifier"), products, strict=True):
            parameters[f"{name}.weight"] = torch.from_numpy(values[node.input[1]].T.copy())
        network.load_state_dict(parameters)
    except (KeyError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not the parameters of this segmentation network: {said}") from error
    return network


def _lstm(
    layer: int, inputs: NDArray[np.float32], states: NDArray[np.float32], biases: NDArray[np.float32]
) -> dict[str, Tensor]:
    """Parameters of a bidirectional layer from ONNX's (2, 4 · hidden, …) and biases (2, 8 · hidden)."""
    found = {}
    for direction, suffix in enumerate(("", "_reverse")):
        of_inputs, of_states = np.split(biases[direction], 2)
        for name, value in (
            ("weight_ih", inputs[direction]),
            ("weight_hh", states[direction]),
            ("bias_ih", of_inputs),
            ("bias_hh", of_states),
        ):
            gates = np.split(value, 4)
            found[f"lstm.{name}_l{layer}{suffix}"] = torch.from_numpy(
                np.concatenate([gates[i] for i in _GATES])
            )
    return found
