"""Sortformer from `.nemo` archives: configuration to size, parameters by name, two ONNX files.

Parameters are a pickle; they are read with torch's `weights_only=True`, which refuses everything but tensors
and plain containers. Of the configuration only what `_Config` names is looked at, and what our network
cannot be is refused rather than approximated.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tertulia.endtoend.archive import read_archive
from tertulia.endtoend.spectrogram import Spectrogram
from tertulia.errors import InputError
from tertulia.networks.convert import write_onnx
from tertulia.networks.sortformer import ActivityHalf, FramesHalf, Sortformer, SortformerSize

__all__ = ["convert", "read", "size_of"]

_WINDOW, _FILTERS = "preprocessor.featurizer.window", "preprocessor.featurizer.fb"
# Of no use at run time: counts of training, a table that is computed, and a layer that the published network
# holds but does not run.
_UNUSED = ("num_batches_tracked", "pos_enc.pe", "sortformer_modules.hidden_to_spks.")
_LARGEST = 8192


@dataclass(frozen=True)
class _Field:
    """Where a number stands in the configuration, and what it is when it does not."""

    section: str
    key: str
    default: Any = None


_NUMBERS = {
    "bands": _Field("preprocessor", "features"),
    "dim": _Field("encoder", "d_model"),
    "layers": _Field("encoder", "n_layers"),
    "heads": _Field("encoder", "n_heads"),
    "channels": _Field("encoder", "subsampling_conv_channels"),
    "expansion": _Field("encoder", "ff_expansion_factor", 4),
    "kernel": _Field("encoder", "conv_kernel_size", 31),
    "hidden": _Field("transformer_encoder", "hidden_size"),
    "hidden_layers": _Field("transformer_encoder", "num_layers"),
    "hidden_heads": _Field("transformer_encoder", "num_attention_heads"),
    "speakers": _Field("sortformer_modules", "num_spks"),
}
# What our network is; a configuration that says something else describes another one.
_FIXED = {
    _Field("preprocessor", "sample_rate", 16_000): (16_000,),
    _Field("preprocessor", "window_size", 0.025): (0.025,),
    _Field("preprocessor", "window_stride", 0.01): (0.01,),
    _Field("preprocessor", "n_fft", 512): (512,),
    _Field("preprocessor", "normalize", "per_feature"): ("per_feature", "NA", None, False),
    _Field("encoder", "subsampling", "dw_striding"): ("dw_striding",),
    _Field("encoder", "subsampling_factor", 8): (8,),
    _Field("encoder", "causal_downsampling", False): (False,),
    _Field("encoder", "self_attention_model", "rel_pos"): ("rel_pos",),
    _Field("encoder", "untie_biases", True): (True,),
    _Field("encoder", "conv_norm_type", "batch_norm"): ("batch_norm",),
    _Field("encoder", "att_context_style", "regular"): ("regular",),
    _Field("transformer_encoder", "pre_ln", False): (False,),
    _Field("transformer_encoder", "hidden_act", "relu"): ("relu",),
}


def size_of(config: Mapping[str, Mapping[str, Any]], source: object) -> SortformerSize:
    """Read the size of a network from its configuration.

    Raises:
        InputError: when something is missing, impossible, or of another network.
    """
    for place, allowed in _FIXED.items():
        value = config.get(place.section, {}).get(place.key, place.default)
        if value not in allowed:
            raise InputError(
                f"{source}: {place.section}.{place.key} is {value!r}; what can be run: "
                f"{', '.join(map(repr, allowed))}"
            )
    numbers: dict[str, Any] = {}
    for name, place in _NUMBERS.items():
        value = config.get(place.section, {}).get(place.key, place.default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST:
            raise InputError(
                f"{source}: {place.section}.{place.key} is a whole number from 1 to {_LARGEST}; got {value!r}"
            )
        numbers[name] = value
    inner = config.get("transformer_encoder", {}).get("inner_size", 4 * numbers["hidden"])
    if inner != 4 * numbers["hidden"]:
        raise InputError(
            f"{source}: transformer_encoder.inner_size is {inner!r}; {4 * numbers['hidden']} can be run"
        )
    scaled = config.get("encoder", {}).get("xscaling", True)
    try:
        return SortformerSize(**numbers, scaled=scaled is True)
    except ValueError as error:
        raise InputError(f"{source}: {error}") from error


def read(path: Path) -> tuple[Sortformer, Spectrogram]:
    """Read a network and its features from an archive.

    Raises:
        InputError: when it is damaged, refused, or of another network; lists every parameter that is
            missing, not known or of another shape.
        MissingExtraError: when PyYAML is not installed.
    """
    config, content = read_archive(path)
    size = size_of(config, path)
    parameters = _parameters(content, path)
    features = _features(parameters, size, config, path)
    with torch.device("meta"):
        network = Sortformer(size)
    network = network.to_empty(device="cpu")
    _fill(network, parameters, path)
    return network.eval(), features


def _parameters(content: io.BytesIO, source: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(content, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{source}: refused: its parameters are more than tensors, opening them could run code"
        ) from error
    except Exception as error:  # a damaged file can raise almost anything
        raise InputError(f"{source}: no parameters: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{source}: no parameters: they have to be tensors by name")
    return {str(name): value for name, value in state.items()}


def _features(
    parameters: dict[str, Tensor], size: SortformerSize, config: Mapping[str, Mapping[str, Any]], source: Path
) -> Spectrogram:
    """Take window and filters out of the parameters."""
    window, filters = parameters.pop(_WINDOW, None), parameters.pop(_FILTERS, None)
    if window is None or filters is None or window.ndim != 1 or filters.numel() != size.bands * 257:
        raise InputError(
            f"{source}: {_WINDOW} (400,) or {_FILTERS} (1, {size.bands}, 257) is missing or of another shape"
        )
    normalised = config.get("preprocessor", {}).get("normalize", "per_feature") == "per_feature"
    return Spectrogram(
        window.float().numpy(),
        filters.float().reshape(size.bands, 257).numpy().astype(np.float32),
        normalised,
    )


def _fill(network: nn.Module, parameters: Mapping[str, Tensor], source: object) -> None:
    given = {name: value for name, value in parameters.items() if not any(part in name for part in _UNUSED)}
    wanted = network.state_dict()
    needed = {name for name in wanted if not name.endswith("num_batches_tracked")}
    problems = {
        "missing": needed - given.keys(),
        "unexpected": given.keys() - wanted.keys(),
        "of another shape": {k for k in given.keys() & wanted.keys() if given[k].shape != wanted[k].shape},
    }
    if any(problems.values()):
        report = "; ".join(f"{what}: {', '.join(sorted(names))}" for what, names in problems.items() if names)
        raise InputError(f"{source}: not the parameters of this network: {report}")
    network.load_state_dict({name: value.float() for name, value in given.items()}, strict=False)


def convert(path: Path, folder: Path) -> None:
    """Write `network-frames.onnx`, `network-activity.onnx` and `network-features.npz` into a folder."""
    network, features = read(path)
    features.write(folder / "network-features.npz")
    free = {0: "batch", 1: "frames"}
    example = torch.zeros(1, 80, network.size.bands)
    write_onnx(
        FramesHalf(network),
        folder / "network-frames.onnx",
        example,
        {"features": {0: "batch", 1: "time"}, "output": free},
    )
    frames = torch.zeros(1, 10, network.size.dim)
    write_onnx(
        ActivityHalf(network), folder / "network-activity.onnx", frames, {"frames": free, "output": free}
    )
