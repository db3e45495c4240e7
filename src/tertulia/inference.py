"""Networks as files: finding them, opening them with ONNX Runtime, telling which they are."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import MissingExtraError, ModelMissingError, unknown

__all__ = ["Network", "cores", "weights"]

WEIGHTS = Path(__file__).parent / "weights"

_COMPANION = "tertulia_weights_nc"
# Weights learnt from data that may not be used commercially are no part of this package: name → licence.
_NON_COMMERCIAL = {"emotions": "CC BY-NC-SA 4.0"}

DEVICES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""Where networks compute: name → what ONNX Runtime calls it."""


def weights(name: str) -> Path:
    """Return the path of bundled weights, or of the file that `name` is, with or without `.onnx`.

    Weights that are non-commercial come in a package of their own, which is looked into as well.

    Raises:
        ModelMissingError: when there is neither.
    """
    for path in (*(folder / f"{name}.onnx" for folder in _folders()), Path(name), Path(f"{name}.onnx")):
        if path.is_file():
            return path
    if name in _NON_COMMERCIAL:
        raise ModelMissingError(
            f"the weights {name!r} are not installed: their licence is {_NON_COMMERCIAL[name]}, so they come "
            "apart, from the folder weights-nc of the repository: pip install ./weights-nc"
        )
    there = ", ".join(sorted(path.stem for path in WEIGHTS.glob("*.onnx")))
    raise ModelMissingError(f"no weights {name!r}: not a file, and not bundled; bundled are: {there}")


def _folders() -> Iterator[Path]:
    """Yield the folders of installed weights."""
    yield WEIGHTS
    found = importlib.util.find_spec(_COMPANION)
    if found is not None:
        yield from map(Path, found.submodule_search_locations or ())


class Network:
    """An ONNX network that is opened at its first use.

    Args:
        name: bundled weights or the path of an ONNX file.
        threads: threads within one operation; 0 takes one a core. The result does not depend on it beyond
            the last bits.
        device: where it computes, one of `DEVICES`.

    Raises:
        ModelMissingError: when there is no such file, or it is no network.
        MissingExtraError: when this machine cannot compute on the device.
    """

    def __init__(self, name: str, threads: int = 0, device: str = "cpu") -> None:
        self.path = weights(name)
        self.threads = threads
        self.device = device
        self._session: Any = None

    def __call__(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Run on named inputs and return the first output."""
        (output,) = self.run([self.session.get_outputs()[0].name], inputs)
        return output

    def run(self, outputs: list[str], inputs: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Run on named inputs and return the named outputs."""
        return cast("list[NDArray[np.float32]]", self.session.run(outputs, inputs))

    @property
    def session(self) -> Any:
        """The open ONNX Runtime session."""
        if self._session is None:
            self._session = _open(self.path, self.threads, self.device)
        return self._session

    @property
    def sha256(self) -> str:
        """Checksum of the file."""
        return _sha256(self.path, self.path.stat().st_mtime_ns)


def check_device(device: str) -> None:
    """Refuse a device that is unknown, or that the installed ONNX Runtime knows nothing of.

    Raises:
        UsageError: for an unknown name.
        MissingExtraError: when ONNX Runtime is not the one for that device.
    """
    if device not in DEVICES:
        raise unknown("device", device, DEVICES)
    if device == "cpu":  # every ONNX Runtime has it: no need to import one to know
        return
    import onnxruntime

    there = onnxruntime.get_available_providers()
    if DEVICES[device] not in there:
        raise MissingExtraError(
            f"device {device} needs {DEVICES[device]}, and this ONNX Runtime has {', '.join(there)}; "
            "pip uninstall onnxruntime, then pip install onnxruntime-gpu"
        )


def _open(path: Path, threads: int, device: str) -> Any:
    import onnxruntime

    check_device(device)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Buffers of the longest batch would otherwise be kept for every shape that was ever seen.
    options.enable_mem_pattern = False
    # Two networks take turns on the same cores: threads of one that wait by spinning would slow the other.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[DEVICES[device]])
    except Exception as error:  # ONNX Runtime's own exception classes differ between releases
        raise ModelMissingError(f"{path} cannot be opened as a network: {error}") from error
    # Where the driver or a library is missing, ONNX Runtime would go on with the CPU and say so in a log.
    if DEVICES[device] not in session.get_providers():
        raise MissingExtraError(
            f"device {device} cannot be used: ONNX Runtime found no driver or no libraries for it"
        )
    return session


def cores() -> int:
    """Count the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _sha256(path: Path, changed: int) -> str:  # noqa: ARG001 — part of the cache key
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
