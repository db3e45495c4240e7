"""Runs that are never made twice: one small JSON file each, named by a hash of all it depends on.

They lie in a folder for each system, which can be removed to measure that system anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tertulia._version import __version__
from tertulia.comparison.process import About, Run
from tertulia.errors import AudioError, OutputError
from tertulia.formats import write_text

__all__ = ["Cache"]


@dataclasses.dataclass(frozen=True)
class Cache:
    """A folder of runs, made when the first is put there."""

    folder: Path

    @classmethod
    def default(cls) -> Cache:
        """Return the cache in the user's cache folder on this platform."""
        import platformdirs

        return cls(platformdirs.user_cache_path("tertulia") / "runs")

    def get(self, system: str, key: str) -> Run | None:
        """Return the run of this key; a file that cannot be understood counts as none."""
        try:
            kept = json.loads(self._path(system, key).read_text(encoding="utf-8"))
            return Run(**{**kept, "turns": tuple((a, b, who) for a, b, who in kept["turns"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def put(self, system: str, key: str, run: Run) -> None:
        """Keep a run.

        Raises:
            OutputError: when it cannot be written.
        """
        path = self._path(system, key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot keep results in {self.folder}: {error.strerror}") from error
        write_text(path, json.dumps(dataclasses.asdict(run)))

    def _path(self, system: str, key: str) -> Path:
        return self.folder / quote(system, safe=" ") / f"{key}.json"


def key_of(audio: Path, settings: Mapping[str, Any], about: About) -> str:
    """Hash what a result depends on: the sound, all settings, the models, and this version of the code.

    Args:
        audio: the recording.
        settings: as the system is described, which parts it has included.
        about: the loaded system, so that a default that has changed counts as well.

    Raises:
        AudioError: when the file cannot be read.
    """
    try:
        with audio.open("rb") as file:
            sound = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AudioError(f"{audio}: cannot be read: {error.strerror}") from error
    parts = {
        "audio": sound,
        "settings": settings,
        "parts": about.settings,
        "models": about.models,
        "version": __version__,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
