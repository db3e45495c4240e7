"""ONNX exports of Sortformer made elsewhere: which layout they have, and whether they are safe to open.

Two layouts are known. *Whole*: features, perhaps with their lengths, to activity. *Step*: the published
streaming export, whose inputs are a chunk of features, a speaker cache and a queue of frames, each with its
length, and whose outputs are activity of all three and the frames of the chunk. Inputs and outputs are told
apart by their shapes, and by their names where shapes leave it open; anything else is refused with what was
found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tertulia.endtoend.spectrogram import Spectrogram, mel_filters
from tertulia.errors import InputError
from tertulia.inference import Network

__all__ = ["Layout", "Step", "Whole", "detect", "external_data", "open_export"]

Array = NDArray[np.float32]

_BANDS = (64, 80, 128)
_MOST_SPEAKERS = 16
_SUBSAMPLING = 8


# ── safety ───────────────────────────────────────────────────────────────────────────────────────────────

# Fields of onnx.proto that hold messages which may hold tensors: (message, field) → message. Tensors
# themselves name outside files in field 13, and say so in field 14.
_NESTED = {
    ("model", 7): "graph",
    ("model", 20): "training",
    ("model", 25): "function",
    ("training", 1): "graph",
    ("training", 2): "graph",
    ("function", 7): "node",
    ("function", 11): "attribute",
    ("graph", 1): "node",
    ("graph", 5): "tensor",
    ("graph", 15): "sparse",
    ("sparse", 1): "tensor",
    ("sparse", 2): "tensor",
    ("node", 5): "attribute",
    ("attribute", 5): "tensor",
    ("attribute", 6): "graph",
    ("attribute", 10): "tensor",
    ("attribute", 11): "graph",
    ("attribute", 22): "sparse",
    ("attribute", 23): "sparse",
}
_EXTERNAL, _LOCATION = 13, 14


def external_data(content: bytes) -> bool:
    """Tell whether any tensor of an ONNX file has its numbers in another file.

    Raises:
        ValueError: when it is no such file.
    """
    waiting: list[tuple[str, memoryview]] = [("model", memoryview(content))]
    while waiting:
        kind, message = waiting.pop()
        for field, value in _fields(message):
            if kind == "tensor" and (field == _EXTERNAL or (field == _LOCATION and value == 1)):
                return True
            inner = _NESTED.get((kind, field))
            if inner is not None and isinstance(value, memoryview):
                waiting.append((inner, value))
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of the fields of a protocol buffer message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if wire not in (1, 2, 5):
            raise ValueError(f"wire type {wire}")
        size = {1: 8, 5: 4}.get(wire)
        if size is None:
            size, at = _varint(message, at)
        if at + size > len(message):
            raise ValueError("it ends in the middle of a field")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        if at >= len(message):
            raise ValueError("it ends in the middle of a number")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")


# ── layouts ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Whole:
    """Names of what goes in and comes out; `bands_first` when features are (batch, bands, time)."""

    features: str
    lengths: str | None
    activity: str
    bands: int
    bands_first: bool
    speakers: int


@dataclass(frozen=True)
class Step:
    """Names of what goes in and comes out of one step of streaming; lengths by the name they belong to."""

    chunk: str
    cache: str
    queue: str
    lengths: dict[str, str]
    activity: str
    frames: str
    bands: int
    dim: int
    speakers: int


Layout = Whole | Step


@dataclass(frozen=True)
class _Port:
    name: str
    shape: tuple[int | None, ...]


def detect(inputs: Sequence[Any], outputs: Sequence[Any], source: object) -> Layout:
    """Tell the layout from the inputs and outputs of an ONNX Runtime session.

    Raises:
        InputError: for a layout that is not known, with what was found.
    """
    given, made = [_port(each) for each in inputs], [_port(each) for each in outputs]
    cubes, lengths = [p for p in given if len(p.shape) == 3], [p for p in given if len(p.shape) <= 1]
    activity = next((p for p in made if len(p.shape) == 3 and _speakers(p)), None)
    if activity is not None and len(cubes) == 1 and len(lengths) <= 1 and len(given) == 1 + len(lengths):
        (features,) = cubes
        for bands_first, axis in ((False, 2), (True, 1)):
            if features.shape[axis] in _BANDS:
                name = lengths[0].name if lengths else None
                bands = int(features.shape[axis] or 0)
                return Whole(features.name, name, activity.name, bands, bands_first, _speakers(activity))
    step = _step(cubes, lengths, made, activity) if activity is not None else None
    if step is None:
        shown = ", ".join(f"{p.name}{list(p.shape)}" for p in (*given, *made))
        raise InputError(f"{source}: no layout of Sortformer that is known: {shown}")
    return step


def _step(cubes: list[_Port], lengths: list[_Port], made: list[_Port], activity: _Port) -> Step | None:
    chunk = next((p for p in cubes if "chunk" in p.name and p.shape[2] in _BANDS), None)
    cache = next((p for p in cubes if "cache" in p.name), None)
    queue = next((p for p in cubes if "fifo" in p.name), None)
    if chunk is None or cache is None or queue is None or len(cubes) != 3:
        return None
    by_name = {p.name: next((n.name for n in lengths if n.name.startswith(p.name)), None) for p in cubes}
    frames = next((p for p in made if len(p.shape) == 3 and "emb" in p.name), None)
    dim = cache.shape[2] or (frames.shape[2] if frames else None)
    if frames is None or dim is None or None in by_name.values():
        return None
    named = {name: str(length) for name, length in by_name.items()}
    return Step(
        chunk.name,
        cache.name,
        queue.name,
        named,
        activity.name,
        frames.name,
        int(chunk.shape[2] or 0),
        dim,
        _speakers(activity),
    )


def _port(value: Any) -> _Port:
    return _Port(value.name, tuple(d if isinstance(d, int) else None for d in value.shape))


def _speakers(port: _Port) -> int:
    last = port.shape[2]
    return last if last is not None and 2 <= last <= _MOST_SPEAKERS else 0


# ── running ──────────────────────────────────────────────────────────────────────────────────────────────


class _Exported:
    """What both layouts share: a network on NVIDIA's features, `Hearing` to others."""

    sample_rate, hop, step, before = 16_000, 1280, 0.08, 2

    def __init__(self, network: Network, layout: Layout) -> None:
        self._network, self._layout = network, layout
        window = np.hanning(400).astype(np.float32)
        # Whole networks are published with normalised features, those for streaming without.
        self._features = Spectrogram(window, mel_filters(layout.bands), isinstance(layout, Whole))

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return {self._network.path.stem: self._network}

    @property
    def speakers(self) -> int:
        """Outputs."""
        return self._layout.speakers

    @cached_property
    def _types(self) -> dict[str, Any]:
        kinds = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
        return {p.name: kinds.get(p.type, np.float32) for p in self._network.session.get_inputs()}


class WholeNetwork(_Exported):
    """Features are its frames: eight of them, side by side, for each."""

    _layout: Whole

    def frames(self, samples: Array) -> Array:
        """Compute features of samples (n,) → (⌈n / 1280⌉, 8 · bands), NaN beyond the end."""
        features = self._features(samples)
        missing = -len(features) % _SUBSAMPLING
        padded = np.pad(features, ((0, missing), (0, 0)), constant_values=np.nan)
        return padded.reshape(-1, _SUBSAMPLING * self._layout.bands)

    def activity(self, frames: Array) -> Array:
        """Map frames to probabilities (frames, speakers)."""
        layout = self._layout
        if not len(frames):
            return np.empty((0, layout.speakers), np.float32)
        features = frames.reshape(-1, layout.bands)
        features = features[~np.isnan(features[:, 0])]
        inputs = {layout.features: (features.T if layout.bands_first else features)[None]}
        if layout.lengths is not None:
            inputs[layout.lengths] = np.array([len(features)], self._types[layout.lengths])
        (found,) = self._network.run([layout.activity], inputs)
        return _fitted(found[0], len(frames))


class StepNetwork(_Exported):
    """Its frames come out beside activity, and go in again as cache."""

    _layout: Step

    def frames(self, samples: Array) -> Array:
        """Sub-sample the features of samples (n,) to frames (⌈n / 1280⌉, dim)."""
        features = self._features(samples)
        if not len(features):
            return np.empty((0, self._layout.dim), np.float32)
        nothing = np.zeros((1, 1, self._layout.dim), np.float32)
        found = self._run(self._layout.frames, features[None], len(features), nothing, 0)
        return _fitted(found, -(-len(features) // _SUBSAMPLING))

    def activity(self, frames: Array) -> Array:
        """Map frames (frames, dim) to probabilities (frames, speakers)."""
        if not len(frames):
            return np.empty((0, self._layout.speakers), np.float32)
        # A chunk of no length: all there is to see is the cache.
        chunk = np.zeros((1, _SUBSAMPLING, self._layout.bands), np.float32)
        return self._run(self._layout.activity, chunk, 0, frames[None], len(frames))[: len(frames)]

    def _run(self, output: str, chunk: Array, length: int, cache: Array, cached: int) -> Array:
        layout = self._layout
        queue = np.zeros((1, 1, layout.dim), np.float32)
        inputs: dict[str, NDArray[Any]] = {layout.chunk: chunk, layout.cache: cache, layout.queue: queue}
        counts = {layout.chunk: length, layout.cache: cached, layout.queue: 0}
        for name, count in counts.items():
            inputs[layout.lengths[name]] = np.array([count], self._types[layout.lengths[name]])
        found: Array = self._network.run([output], inputs)[0][0]
        return found


def _fitted(found: Array, count: int) -> Array:
    """Cut or repeat the end, so that there are `count` frames."""
    return found[:count] if len(found) >= count else np.pad(found, ((0, count - len(found)), (0, 0)), "edge")


def open_export(path: Path, threads: int, device: str) -> WholeNetwork | StepNetwork:
    """Open an ONNX export.

    Raises:
        InputError: when it refers to other files, or its layout is not known.
        ModelMissingError: when it is no network.
    """
    try:
        outside = external_data(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no ONNX file: {error}") from error
    if outside:
        raise InputError(
            f"{path}: refused: some of its numbers lie in other files, and which ones the file decides; "
            "onnx.save_model(onnx.load(PATH), NEW_PATH, save_as_external_data=False) makes it whole"
        )
    network = Network(str(path), threads, device)
    layout = detect(network.session.get_inputs(), network.session.get_outputs(), path)
    return WholeNetwork(network, layout) if isinstance(layout, Whole) else StepNetwork(network, layout)
