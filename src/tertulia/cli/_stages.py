"""What leads to a result, kept in files: the vectors of its windows, their labels, its turns and its errors.

```
embeddings/{recording}.npy             (windows, dim): NaN where there was nothing to embed
clustering/{recording}.npy             (windows,): number of a speaker, −1 where nobody speaks
rttm_predictions/{recording}.rttm
metrics/{recording}_metrics.json       where there is a reference
```

With systems that hear several local speakers in a window, or cut it into pieces, these have axes of their own
after that of the windows: (windows, local speakers, pieces, dim).
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tertulia import formats
from tertulia.cli._annotations import read_folder, read_recordings
from tertulia.cli._arrays import write_array
from tertulia.errors import InputError, OutputError, UsageError
from tertulia.formats import rttm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tertulia.clustering import Labels
    from tertulia.embedding import Voices
    from tertulia.pipeline import Pipeline
    from tertulia.timeline import Diarization

__all__ = ["Stages", "references"]


def references(path: Path) -> dict[str, Diarization]:
    """Read a file or a folder of references, by name of the recording."""
    return read_folder(path) if os.path.isdir(path) else read_recordings(path)


class Stages:
    """Files of the stages of every recording.

    Args:
        folder: where they go; created when missing.
        references: who really spoke when, by name of the recording.
    """

    def __init__(self, folder: Path, references: Mapping[str, Diarization] | None) -> None:
        self.folder, self.references = folder, references
        self._seen: dict[str, NDArray[Any]] = {}

    def watching(self, system: Pipeline) -> Pipeline:
        """Return the system with an eye on it.

        Raises:
            UsageError: when it does not embed windows.
        """
        from tertulia.pipeline import Diarizer

        if not isinstance(system, Diarizer):
            raise UsageError(f"{system.name} embeds no windows, so it has no stages to keep")
        return dataclasses.replace(system, watch=self._watch)

    def _watch(self, voices: Voices, labels: Labels) -> None:
        single = tuple(axis for axis in (1, 2) if labels.shape[axis] == 1)
        self._seen = {"embeddings": voices.vectors.squeeze(single), "clustering": labels.squeeze(single)}

    def begin(self, stem: str) -> None:
        """Get ready for a recording; raises `InputError` when there are references, and none of it."""
        self._seen = {}
        if self.references is not None and stem not in self.references:
            known = ", ".join(sorted(self.references))
            raise InputError(f"there is no reference for {stem!r}; there are: {known}")

    def write(self, result: Diarization, stem: str) -> list[Path]:
        """Write what was seen on the way to a result; returns the files.

        Raises:
            OutputError: when one cannot be written.
        """
        files = [write_array(self.folder / name, stem, array) for name, array in self._seen.items()]
        files.append(self._text("rttm_predictions", f"{stem}.rttm", rttm.dumps(result)))
        if self.references is not None:
            measured = json.dumps(_errors(self.references[stem], result), indent=2) + "\n"
            files.append(self._text("metrics", f"{stem}_metrics.json", measured))
        return files

    def _text(self, kind: str, name: str, text: str) -> Path:
        path = self.folder / kind / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {path.parent}: {error.strerror}") from error
        formats.write_text(path, text)
        return path


def _errors(reference: Diarization, result: Diarization) -> dict[str, Any]:
    """Every figure of a recording, and how it was measured: no collar, overlap included."""
    from tertulia.evaluation import Protocol, score_file

    protocol = Protocol()
    scored = score_file(reference, result, protocol=protocol).to_dict()
    return {**scored, "protocol": protocol.describe(uem=False)}
