"""Who speaks when, replayed: references read, cut to length and brought to whole milliseconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.random import Generator

from tertulia import formats
from tertulia.errors import InputError
from tertulia.timeline import Diarization, Segment, Timeline

__all__ = ["in_milliseconds", "read_references", "replay"]


def read_references(path: str | Path) -> dict[str, Diarization]:
    """Read an RTTM file, or all in a folder and those in it: name of the recording → turns.

    Raises:
        InputError: when nothing can be read, nobody speaks in it, or a recording is there twice.
        FormatError: naming file and line.
    """
    path = Path(path)
    files = sorted(path.rglob("*.rttm")) if path.is_dir() else [path]
    found: dict[str, Diarization] = {}
    for file in files:
        for name, reference in formats.read_many(file, "rttm").items():
            if name in found:
                raise InputError(f"{path}: recording {name!r} is there twice, the second time in {file}")
            found[name] = reference
    if not any(len(reference) for reference in found.values()):
        raise InputError(f"{path} holds no turns in RTTM files")
    return found


def replay(template: Diarization, seconds: float | None, rng: Generator) -> Diarization:
    """Return a stretch of a template from anywhere in it, times from the start of the stretch.

    Args:
        template: a reference with at least one turn.
        seconds: how long; all of it when None, or when the template is not that long.
        rng: where chance comes from.
    """
    end = max(timeline.bounds[-1, 1] for _, timeline in template.items())
    length = float(end) if seconds is None else min(seconds, float(end))
    start = float(rng.uniform(0, end - length))
    cut = template.crop(Segment(start, start + length))
    moved = {
        speaker: Timeline.from_bounds(np.maximum(timeline.bounds - start, 0))
        for speaker, timeline in cut.items()
    }
    return in_milliseconds(Diarization(moved, duration=length))


def in_milliseconds(diarization: Diarization) -> Diarization:
    """Round all times to what an RTTM file holds; turns that round to nothing are dropped."""
    rounded = {}
    for speaker, timeline in diarization.items():
        bounds = timeline.bounds.round(3)
        rounded[speaker] = Timeline.from_bounds(bounds[bounds[:, 0] < bounds[:, 1]])
    return Diarization(rounded, uri=diarization.uri, duration=round(diarization.duration or 0.0, 3))
