"""Systems without networks, importable from the processes that comparisons start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tertulia.errors import AudioError, ModelMissingError
from tertulia.progress import Progress
from tertulia.timeline import Diarization


@dataclass(frozen=True)
class Fake:
    """Notes each call in a file; misbehaves on the recording that `stumbles` names, as `how` says."""

    log: Path
    turns: tuple[tuple[float, float, str], ...] = ((0, 6, "1"), (6, 10, "2"))
    stumbles: str = ""
    how: str = "audio"
    networks: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, audio: Path, *, progress: Any = None) -> Diarization:
        with self.log.open("a") as log:
            log.write(f"{audio.stem}\n")
        if audio.stem == self.stumbles:
            if self.how == "dies":
                os._exit(7)
            raise (
                AudioError(f"{audio}: is no sound")
                if self.how == "audio"
                else ZeroDivisionError("by nothing")
            )
        progress(Progress(5.0, 10.0))
        return Diarization(self.turns, uri=audio.stem, duration=12.0)


def without_weights() -> Fake:
    raise ModelMissingError("no weights; take other ones")
