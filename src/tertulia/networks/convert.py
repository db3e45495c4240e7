"""Published checkpoints of speaker embeddings become pairs of ONNX files.

Checkpoints are pickles, and a pickle may run code when it is opened. They are read with torch's
`weights_only=True`, which refuses everything but tensors and plain containers. Checkpoints of pyannote also
hold descriptions of the task they were trained for; objects of the classes in `_DESCRIPTIONS` are replaced
by empty ones of our own, so neither their classes nor the packages of these are imported. Anything else is
refused.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from tertulia.errors import InputError, MissingExtraError
from tertulia.networks.resnet34 import ResNet34
from tertulia.networks.xvector import XVector

__all__ = ["convert", "export", "fill", "read", "write_onnx"]

Network = TypeVar("Network", bound=nn.Module)

_OPSET = 17
_NETWORKS: dict[str, type[ResNet34 | XVector]] = {"resnet34": ResNet34, "xvector": XVector}
# Name, time axis and an example of the shape of what the networks take.
_INPUTS = {"resnet34": ("features", 1, (1, 200, 80)), "xvector": ("waveforms", 2, (1, 1, 32_000))}
_TASK = "pyannote.audio.core.task"
_DESCRIPTIONS = (
    f"{_TASK}.Specifications",
    f"{_TASK}.Problem",
    f"{_TASK}.Resolution",
    "pyannote.audio.core.model.Introspection",
    "torch.torch_version.TorchVersion",
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata",
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    "omegaconf.nodes.AnyNode",
    "typing.Any",
)
# Layers that only training needs: the classifiers of pyannote and of WeSpeaker.
_TRAINING = ("loss_func.", "projection.")
_ADVICE = (
    "have the program that made it save the parameters alone, for example with "
    "safetensors.torch.save_file(model.state_dict(), 'model.safetensors')"
)


class _Description:
    """Takes the place of an object that is of no use here, and ignores what it was made of."""

    def __init__(self, *content: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def _blank(name: str) -> type[_Description]:
    """Make a class that is found under the full name of another."""
    module, _, kind = name.rpartition(".")
    return type(kind, (_Description,), {"__module__": module})


def convert(checkpoint: Path, architecture: str, folder: Path) -> None:
    """Write `frames.onnx` and `projection.onnx`, the network before and after its statistics, into a folder.

    Args:
        checkpoint: a file that `torch.save` or `safetensors` wrote.
        architecture: "resnet34" or "xvector".
        folder: where to write.

    Raises:
        InputError: when the file is no checkpoint, carries code, or is of another network.
        MissingExtraError: when it is a safetensors file and `safetensors` is not installed.
    """
    network = fill(_NETWORKS[architecture](), read(checkpoint), checkpoint)
    export(network, architecture, folder)


def read(path: Path) -> dict[str, Tensor]:
    """Read the parameters of a checkpoint by name, without running code that it may carry.

    Raises:
        InputError: when it cannot be read like that.
        MissingExtraError: when it is a safetensors file and `safetensors` is not installed.
    """
    content = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path}: no checkpoint: it has to hold tensors by name, perhaps under 'state_dict'")
    return {str(name): value for name, value in state.items()}


def _safetensors(path: Path) -> Any:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: reading it needs safetensors: pip install 'tertulia[train]'"
        ) from error
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: no safetensors file: {error}") from error


def _pickled(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals([_blank(name) for name in _DESCRIPTIONS]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused is None:
            raise InputError(f"{path}: no checkpoint, or one that carries more than parameters") from error
        raise InputError(
            f"{path}: refused, opening it could run code: it refers to {refused[1]}; {_ADVICE}"
        ) from error
    except Exception as error:  # a damaged file can raise almost anything
        raise InputError(f"{path}: no checkpoint: {' '.join(str(error).split())[:200] or error!r}") from error


def fill(network: Network, parameters: Mapping[str, Tensor], source: object) -> Network:
    """Give a network its parameters, in place, and return it ready for inference.

    Args:
        network: whose names and shapes have to match.
        parameters: by name; pyannote's `resnet.` before a name, and layers only training needs, are dropped.
        source: what messages call the checkpoint.

    Raises:
        InputError: naming what is missing, what is too much, and what has another shape.
    """
    given = {name.removeprefix("resnet."): value for name, value in parameters.items()}
    given = {name: value for name, value in given.items() if not name.startswith(_TRAINING)}
    wanted = network.state_dict()
    needed = {name for name in wanted if not name.endswith("num_batches_tracked")}  # a count of training
    problems = {
        "missing": needed - given.keys(),
        "unexpected": given.keys() - wanted.keys(),
        "of another shape": {k for k in given.keys() & wanted.keys() if given[k].shape != wanted[k].shape},
    }
    if any(problems.values()):
        kind = type(network).__name__
        raise InputError(f"{source}: not the parameters of {kind}: {_listed(problems)}")
    network.load_state_dict(given, strict=False)
    return network.eval()


def _listed(problems: Mapping[str, set[str]], most: int = 4) -> str:
    parts = []
    for problem, names in problems.items():
        if names:
            more = f" and {len(names) - most} more" if len(names) > most else ""
            parts.append(f"{problem}: {', '.join(sorted(names)[:most])}{more}")
    return "; ".join(parts)


class _Method(nn.Module):
    """One method of a network as a module of its own, which is what the exporter takes."""

    def __init__(self, network: nn.Module, method: str) -> None:
        super().__init__()
        self.network = network
        self.method = method

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = getattr(self.network, self.method)(x)
        return y


def export(network: ResNet34 | XVector, architecture: str, folder: Path) -> None:
    """Write `frames.onnx` and `projection.onnx` of a network; batch and time stay free."""
    name, time, shape = _INPUTS[architecture]
    axes = {name: {0: "batch", time: "time"}, "frames": {0: "batch", 1: "frames"}}
    write_onnx(_Method(network, "frames"), folder / "frames.onnx", torch.zeros(shape), axes)
    axes = {"statistics": {0: "batch"}, "embeddings": {0: "batch"}}
    write_onnx(_Method(network, "embed"), folder / "projection.onnx", torch.zeros(1, network.pooled), axes)


def write_onnx(network: nn.Module, path: Path, example: Tensor, axes: dict[str, dict[int, str]]) -> None:
    """Write a network with one input and one output; axes by name of those, input first."""
    (source, result) = axes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its own successor
        torch.onnx.export(
            network.eval(),
            (example,),
            str(path),
            input_names=[source],
            output_names=[result],
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )
