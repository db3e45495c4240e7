"""Ours. Settings: `system`, the name of one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from worker import Diarize, Turn, serve


def load(threads: int, settings: Mapping[str, str]) -> Diarize:
    import tertulia

    system = tertulia.load(settings["system"], threads=threads)

    def diarize(path: Path) -> list[Turn]:
        return [(turn.start, turn.end, turn.speaker) for turn in system(path)]

    return diarize


if __name__ == "__main__":
    serve(load)
