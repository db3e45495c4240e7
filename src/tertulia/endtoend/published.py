"""Networks that hear all speakers at once, by what they are called: bundled, here, or on the hub.

`.nemo` archives are converted once and kept in the cache folder of the user; only that needs torch. ONNX
exports run as they are. See `archive`, `exports` and `tertulia.networks.nemo` for what is refused.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from tertulia.endtoend.exports import StepNetwork, WholeNetwork, open_export
from tertulia.endtoend.sortformer import HALVES, Sortformer
from tertulia.errors import InputError, MissingExtraError, ModelMissingError, OutputError
from tertulia.hub import is_id, locate
from tertulia.inference import WEIGHTS

__all__ = ["EndToEndNetwork", "opened"]

EndToEndNetwork = Sortformer | WholeNetwork | StepNetwork

_INSTEAD = "`--system sortformer-tiny` runs without it"
# To be raised when the conversion changes, so that files of an earlier one are not taken for those of this.
_CONVERSION = 1


def opened(weights: str, threads: int = 0, device: str = "cpu") -> EndToEndNetwork:
    """Open a network.

    Args:
        weights: bundled weights; the path that two ONNX files of ours begin with; the path of a `.nemo`
            archive or of an ONNX export; or a folder or hub id (`org/name[@revision]`) that holds one.
        threads: 0 takes one a core.
        device: cpu or cuda.

    Raises:
        ModelMissingError: when it is neither here nor to be had.
        MissingExtraError: when it has still to be converted and torch is not installed.
        InputError: when it is damaged, refused, or another network.
        OutputError: when the result of the conversion cannot be kept.
    """
    if _complete(str(WEIGHTS / weights)) or _complete(weights):
        return Sortformer(weights, threads, device)
    path = Path(weights).expanduser()
    if not (path.exists() or is_id(weights)):
        raise ModelMissingError(
            f"no weights {weights!r}: not bundled, not a file or folder, and no id like org/name; {_INSTEAD}"
        )
    if not path.is_file():
        name = Path(weights.partition("@")[0]).name
        path = locate(weights, (f"{name}.nemo", f"{name}.onnx", "model.nemo", "model.onnx"), _INSTEAD)
    if path.suffix == ".onnx":
        return open_export(path, threads, device)
    return Sortformer(_converted(path), threads, device)


def _complete(prefix: str) -> bool:
    return all(Path(f"{prefix}-{half}.onnx").is_file() for half in HALVES)


def _converted(archive: Path) -> str:
    """Return what the paths of the files of an archive begin with, which are made if they are not there."""
    try:
        with archive.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{archive}: cannot be read: {error.strerror}") from error
    folder = _cache() / f"sortformer-{_CONVERSION}-{sha256}"
    prefix = str(folder / "network")
    if not _complete(prefix):
        _convert(archive, folder)
    return prefix


def _cache() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("tertulia") / "networks"


def _convert(archive: Path, folder: Path) -> None:
    """Convert next to `folder` and then rename, so that it is never seen half written."""
    try:
        from tertulia.networks.nemo import convert
    except ImportError as error:
        raise MissingExtraError(
            f"converting {archive}, once, needs torch: pip install 'tertulia[train]'; {_INSTEAD}"
        ) from error
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fresh = Path(scratch) / "networks"
            fresh.mkdir()
            convert(archive, fresh)
            fresh.rename(folder)
    except OSError as error:
        if _complete(str(folder / "network")):  # another process was faster
            return
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error
