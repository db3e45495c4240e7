"""How many parameters a file of weights holds: arrays of NumPy, or ONNX, which ONNX Runtime does not tell of.

ONNX is read from its wire format. Messages of `onnx.proto`, with the numbers of the fields that lead to
tensors: ModelProto.graph 7; GraphProto.node 1, .initializer 5; NodeProto.attribute 5; AttributeProto.t 5,
.g 6, .graphs 11; TensorProto.dims 1, .data_type 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tertulia.inference import WEIGHTS

__all__ = ["bundled", "count_parameters"]

# float, uint8, int8, float16, double, bfloat16: weights, quantised or not. The rest are shapes and indices.
_WEIGHTS = {1, 2, 3, 10, 11, 16}

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def bundled(name: str) -> Path | None:
    """Return the file of a bundled model, whatever its kind; None if there is none of that name."""
    files = (WEIGHTS / f"{name}{suffix}" for suffix in (".onnx", ".npz"))
    return next((path for path in files if path.is_file()), None)


def count_parameters(path: Path) -> int:
    """Count the numbers in all weight tensors of a network, those of its branches included.

    Of a file of arrays (`.npz`), those that are real numbers.
    """
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return sum(array.size for array in arrays.values() if array.dtype.kind == "f")
    model = memoryview(path.read_bytes())
    return sum(_graph(value) for field, value in _fields(model) if field == 7 and not isinstance(value, int))


def _graph(graph: memoryview) -> int:
    total = 0
    for field, value in _fields(graph):
        if isinstance(value, int):
            continue
        if field == 5:
            total += _tensor(value)
        elif field == 1:
            total += sum(_attribute(a) for f, a in _fields(value) if f == 5 and not isinstance(a, int))
    return total


def _attribute(attribute: memoryview) -> int:
    total = 0
    for field, value in _fields(attribute):
        if isinstance(value, int):
            continue
        if field == 5:
            total += _tensor(value)
        elif field in (6, 11):
            total += _graph(value)
    return total


def _tensor(tensor: memoryview) -> int:
    dims: list[int] = []
    kind = 0
    for field, value in _fields(tensor):
        if field == 1:
            dims += [value] if isinstance(value, int) else _packed(value)
        elif field == 2 and isinstance(value, int):
            kind = value
    return math.prod(dims) if kind in _WEIGHTS else 0


def _packed(data: memoryview) -> list[int]:
    values, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        values.append(value)
    return values


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field: varints as int, all else as the bytes they are."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire = tag & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        size = {_FIXED64: 8, _FIXED32: 4}.get(wire, 0)
        if wire == _BYTES:
            size, at = _varint(message, at)
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
