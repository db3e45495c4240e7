"""Models by name: a local path first, then the Hugging Face cache, then the Hugging Face hub.

An id is `org/name` or `org/name@revision`, where the revision is a branch, a tag or a commit. What is in the
cache is used as it is, without asking the network and without `huggingface_hub` (extra `hub`), which is
needed only to download. `HF_HOME` and `HF_HUB_CACHE` move the cache, `HF_HUB_OFFLINE` forbids downloads, and
`HF_TOKEN` opens gated models. Nothing is downloaded but the files of the id that is asked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from tertulia.errors import ModelMissingError

__all__ = ["is_id", "locate"]

_NAME = r"[A-Za-z0-9][\w.-]*"
_ID = re.compile(rf"{_NAME}/{_NAME}(@{_NAME}(/{_NAME})*)?", re.ASCII)
_SITE = "https://huggingface.co"
_FILES = {".bin", ".ckpt", ".onnx", ".pt", ".pth", ".safetensors"}


def is_id(model: str) -> bool:
    """Tell whether a string has the shape of an id; `models/voice.bin` is the path of a file."""
    return _ID.fullmatch(model) is not None and Path(model).suffix not in _FILES


def locate(model: str, files: Sequence[str], instead: str) -> Path:
    """Find one file of a model, downloading it if it is named by an id and not here yet.

    Args:
        model: the path of a file, the path of a folder that holds one of `files`, or an id.
        files: names of the file within folder or repository, the best first.
        instead: what works without the model; part of every message.

    Raises:
        ModelMissingError: when there is no such file, or it cannot be downloaded.
    """
    path = Path(model).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        found = _first(path, files)
        absent = f"the folder {model!r} holds none of {', '.join(files)}"
    elif is_id(model):
        found = _first(_snapshot(model), files) or _download(model, files, instead)
        absent = f"{model} on the hub holds none of {', '.join(files)}"
    else:
        found, absent = None, f"no weights {model!r}: not a file or folder, and no id like org/name"
    if found is None:
        raise ModelMissingError(f"{absent}; {instead}")
    return found


def _first(folder: Path, files: Sequence[str]) -> Path | None:
    return next((folder / name for name in files if (folder / name).is_file()), None)


def _split(model: str) -> tuple[str, str]:
    repository, _, revision = model.partition("@")
    return repository, revision or "main"


def _snapshot(model: str) -> Path:
    """Return the folder in which the cache keeps the files of an id, which may not exist."""
    repository, revision = _split(model)
    folder = _cache() / f"models--{repository.replace('/', '--')}"
    reference = folder / "refs" / revision
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision
    return folder / "snapshots" / commit


def _cache() -> Path:
    general = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{general}/huggingface"
    return Path(os.path.expandvars(os.environ.get("HF_HUB_CACHE") or f"{home}/hub")).expanduser()


def _download(model: str, files: Sequence[str], instead: str) -> Path | None:
    """Download the first of `files` that the repository has."""
    repository, revision = _split(model)
    absent = f"{model} is not in {_cache()}"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise ModelMissingError(f"{absent}, and HF_HUB_OFFLINE forbids to download it; {instead}")
    try:
        from huggingface_hub import errors, get_hf_file_metadata, hf_hub_download, hf_hub_url
    except ImportError as error:
        install = "pip install 'tertulia[hub]'"
        raise ModelMissingError(f"{absent}; to download it, {install}; {instead}") from error
    for name in files:
        try:
            # Without a network this fails at once; a download would try again for half a minute.
            get_hf_file_metadata(hf_hub_url(repository, name, revision=revision), timeout=5)
            return Path(hf_hub_download(repository, name, revision=revision))
        except Exception as error:  # the classes of network errors differ between releases
            unreachable = isinstance(error, errors.LocalEntryNotFoundError)
            if isinstance(error, errors.EntryNotFoundError) and not unreachable:
                continue  # the repository is there, only without this file
            gate = f"a gated model wants its conditions accepted at {_SITE}/{repository} and HF_TOKEN set"
            raise ModelMissingError(
                f"{absent}, and cannot be downloaded: {_line(error)}; {gate}; {instead}"
            ) from error
    return None


def _line(error: Exception) -> str:
    """Put the message of an error on one line of sensible length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:199]}…"
