"""`.nemo` archives: a tar file of a configuration and parameters, read member by member, nothing extracted.

An archive comes from somebody else. Names that lead out of a folder, members that are there twice, links,
devices and members of impossible sizes are refused before anything of them is used. What the parameters are
read with is said in `tertulia.networks.nemo`.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from tertulia.errors import InputError, MissingExtraError

__all__ = ["CONFIG", "PARAMETERS", "read_archive", "read_config"]

CONFIG, PARAMETERS = "model_config.yaml", "model_weights.ckpt"

_MOST_MEMBERS = 1000
_MOST_CONFIG = 1 << 20  # bytes
_MOST_PARAMETERS = 4 << 30
_REFERENCE = re.compile(r"\$\{([A-Za-z0-9_.]+)\}")
_DEEPEST = 8  # references to references


def read_archive(path: Path) -> tuple[dict[str, Any], io.BytesIO]:
    """Return the configuration of an archive and the bytes of its parameters.

    Raises:
        InputError: when it is no such archive, or is refused; the message says why.
        MissingExtraError: when PyYAML is not installed.
    """
    found: dict[str, bytes] = {}
    seen: set[str] = set()
    try:
        with tarfile.open(path, "r:*") as archive:
            for count, member in enumerate(archive, 1):
                name = _checked(member, seen, path)
                if count > _MOST_MEMBERS:
                    raise InputError(f"{path}: refused: more than {_MOST_MEMBERS} members")
                most = {CONFIG: _MOST_CONFIG, PARAMETERS: _MOST_PARAMETERS}.get(name)
                if most is None or not member.isfile():
                    continue
                if member.size > most:
                    raise InputError(f"{path}: refused: {name} has {member.size} bytes; {most} are allowed")
                content = archive.extractfile(member)
                found[name] = b"" if content is None else content.read(most + 1)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: no .nemo archive: {error}") from error
    if missing := [name for name in (CONFIG, PARAMETERS) if name not in found]:
        raise InputError(f"{path}: no .nemo archive: it lacks {' and '.join(missing)}")
    return read_config(found[CONFIG], path), io.BytesIO(found[PARAMETERS])


def _checked(member: tarfile.TarInfo, seen: set[str], path: Path) -> str:
    """Return the name of a member within the archive, unless it has to be refused."""
    pure = PurePosixPath(member.name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or re.match(r"[A-Za-z]:", member.name):
        raise InputError(
            f"{path}: refused: a member is called {member.name!r}, which leads out of the archive"
        )
    if not (member.isfile() or member.isdir()):
        raise InputError(f"{path}: refused: {member.name!r} is a link or a device")
    name = str(pure)
    if name in seen:
        raise InputError(f"{path}: refused: {name!r} is there twice")
    seen.add(name)
    return name


def read_config(content: bytes, source: object) -> dict[str, Any]:
    """Read a configuration; `${a.b}` stands for the value of another key, as OmegaConf has it.

    Raises:
        InputError: when it is no YAML of plain values, or refers to what is not there.
        MissingExtraError: when PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("reading a .nemo archive needs PyYAML: pip install pyyaml") from error
    try:
        table = yaml.safe_load(content.decode())
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"{source}: {CONFIG} is no plain YAML: {' '.join(str(error).split())[:200]}"
        ) from error
    if not isinstance(table, Mapping):
        raise InputError(f"{source}: {CONFIG} holds no table")
    return {
        str(section): {str(key): _value(value, table, source) for key, value in content.items()}
        for section, content in table.items()
        if isinstance(content, Mapping)
    }


def _value(value: Any, table: Mapping[Any, Any], source: object) -> Any:
    for _ in range(_DEEPEST):
        match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            return value
        value = table
        for key in match[1].removeprefix("model.").split("."):
            if not isinstance(value, Mapping) or key not in value:
                raise InputError(f"{source}: {CONFIG} refers to {match[1]!r}, which it does not hold")
            value = value[key]
    raise InputError(f"{source}: {CONFIG} refers in circles")
