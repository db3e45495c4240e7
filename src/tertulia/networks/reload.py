"""Networks with the parameters of ONNX files, so that training can begin where bundled weights end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tertulia.errors import InputError, MissingExtraError
from tertulia.networks.campplus import CAMPPlus
from tertulia.networks.pyannet import PyanNet

__all__ = ["campplus", "pyannet"]

_GATES = (0, 2, 3, 1)  # ONNX has input, output, forget, cell; torch has input, forget, cell, output
_FEATURES = 20  # frames that a network is run on to see in which order its layers come
_HALF = "network."  # what the exporter puts before names of parameters of one half

Values = dict[str, NDArray[np.float32]]


def pyannet(path: Path) -> PyanNet:
    """Read the parameters of a segmentation that this project exported, such as the bundled one.

    Raises:
        InputError: when it is no ONNX file, or one of another network.
        MissingExtraError: when `onnx` is not installed.
    """
    graph, values = _read(path)
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
        raise _other(path, "this segmentation network", error) from error
    return network


def campplus(frames: Path, projection: Path) -> CAMPPlus:
    """Read the parameters of CAM++ from the two files that this project made of it.

    The exporter has folded batch normalisations into the convolutions before them; here those normalisations
    do nothing but add what is left of them.

    Raises:
        InputError: when one is no ONNX file, or one of another network.
        MissingExtraError: when `onnx` is not installed.
    """
    network = CAMPPlus().eval()
    order = _order(network)
    parameters: dict[str, Tensor] = {}
    exported: list[tuple[Tensor, Tensor | None]] = []
    for path in (frames, projection):
        graph, values = _read(path)
        tensors = {name: torch.from_numpy(value) for name, value in values.items()}
        parameters |= {name.removeprefix(_HALF): v for name, v in tensors.items() if "::" not in name}
        for node in graph.node:
            if node.op_type == "Conv" and node.input[1] in tensors:
                weight, *biases = (tensors[name] for name in node.input[1:])
                exported.append((weight, biases[0] if biases else None))
    layers = dict(network.named_modules())
    places = [place for place, name in enumerate(order) if isinstance(layers[name], nn.Conv1d | nn.Conv2d)]
    try:
        for place, (weight, bias) in zip(places, exported, strict=True):
            convolution = order[place]
            parameters[f"{convolution}.weight"] = weight
            if bias is not None and layers[convolution].bias is None:
                parameters |= _folded(order[place + 1], layers[order[place + 1]], bias)
            elif bias is not None:
                parameters[f"{convolution}.bias"] = bias
        missing, unknown = network.load_state_dict(parameters, strict=False)
        if unknown or any(not name.endswith("num_batches_tracked") for name in missing):
            raise KeyError(*missing, *unknown)
    except (KeyError, RuntimeError, ValueError) as error:
        raise _other(frames, "CAM++", error) from error
    return network


def _order(network: nn.Module) -> list[str]:
    """Name the convolutions and normalisations of an embedding network in the order in which they run."""
    order: list[str] = []
    hooks = [
        module.register_forward_hook(lambda *_, name=name: order.append(name))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.BatchNorm1d | nn.BatchNorm2d)
    ]
    with torch.no_grad():
        network(torch.zeros(1, _FEATURES, 80))
    for hook in hooks:
        hook.remove()
    return order


def _folded(name: str, layer: nn.Module, bias: Tensor) -> dict[str, Tensor]:
    """Parameters with which a batch normalisation adds a bias, and that is all."""
    if not isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        raise KeyError(name)
    found = {"running_mean": -bias, "running_var": torch.full_like(bias, 1 - layer.eps)}
    if layer.affine:
        found |= {"weight": torch.ones_like(bias), "bias": torch.zeros_like(bias)}
    return {f"{name}.{key}": value for key, value in found.items()}


def _read(path: Path) -> tuple[Any, Values]:
    """Read the graph of an ONNX file and its constants by name."""
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
    return graph, values | {name: values[source] for name, source in aliases.items() if source in values}


def _other(path: Path, network: str, error: Exception) -> InputError:
    said = " ".join(str(error).split())[:200]
    return InputError(f"{path}: not the parameters of {network}: {said}")


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
