"""Networks that hear all speakers at once, by what they are called: bundled, here, or on the hub.

`.nemo` archives are converted once and kept in the cache folder of the user; only that needs torch. ONNX
exports run as they are. See `archive`, `exports` and `tertulia.networks.nemo` for what is refused.
"""

from __future__ import annotations

from pathlib import Path

from tertulia.conversions import cache, keep, needing_torch, sha256_of
from tertulia.endtoend.exports import StepNetwork, WholeNetwork, open_export
from tertulia.endtoend.sortformer import HALVES, Sortformer
from tertulia.errors import ModelMissingError
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
    folder = cache() / f"sortformer-{_CONVERSION}-{sha256_of(archive)}"
    prefix = str(folder / "network")
    if not _complete(prefix):
        with needing_torch(archive, _INSTEAD):
            from tertulia.networks.nemo import convert

        def make(fresh: Path) -> None:
            fresh.mkdir()
            convert(archive, fresh)

        keep(folder, make, lambda: _complete(prefix))
    return prefix
