"""What examples of task `sounds` are made of: settings, and the files of either side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from tertulia.errors import InputError, UsageError
from tertulia.simulation.sounds import audio_files
from tertulia.training.utterances import read_names, used_utterances

__all__ = ["Data", "files_of", "speech_of_sides"]


@dataclass(frozen=True)
class Data:
    """What examples are made of.

    Args:
        speech: a manifest or folder, see `read_utterances`.
        test: names of speakers who are heard in the test alone: RTTM, a folder of it, or a list.
        music: folder of tracks.
        noise: folder of clips.
        music_test, noise_test: patterns of the names of files that are heard in the test alone.
        music_left_out: patterns of the names of tracks that are not used at all.
        leave_out: column of the manifest → values whose rows are not used.
        tunes: pieces of made-up music of `window` seconds beside the tracks.
        window: seconds of an example.
        examples: in an epoch.
        tests: examples in the test, the same for every run.
        recordings: folder of audio with RTTM, or another corpus that `tertulia corpus` knows.
        recorded: share of the examples that are windows of these recordings; the rest are mixed.
        recorded_gain: lowest and highest change of the level of such a window, in dB.
    """

    window: float
    examples: int
    tests: int
    speech: str | None = None
    test: str | None = None
    music: str | None = None
    noise: str | None = None
    music_test: tuple[str, ...] = ()
    noise_test: tuple[str, ...] = ()
    music_left_out: tuple[str, ...] = ()
    leave_out: dict[str, Any] = field(default_factory=dict)
    tunes: int = 0
    recordings: str | None = None
    recorded: float = 0.0
    recorded_gain: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not 0 <= self.recorded <= 1:
            raise UsageError(f"data.recorded is a share in [0, 1]; got {self.recorded}")
        if self.recorded_gain[0] > self.recorded_gain[1]:
            raise UsageError(f"data.recorded_gain is a range, lowest and highest; got {self.recorded_gain}")
        if self.recordings is not None and not self.recorded:
            raise UsageError("data.recordings is set, and data.recorded is 0: no example would come from it")
        if not (self.window >= 1 and self.examples >= 1 and self.tests >= 1 and self.tunes >= 0):
            raise UsageError("data needs window from 1 s, examples and tests from 1 and tunes from 0")


def speech_of_sides(data: Data) -> dict[str, list[Path]]:
    """Utterances of the speakers of either side."""
    used = used_utterances(str(data.speech), data.leave_out)
    kept = set(read_names(str(data.test)))
    sides = {
        "train": [u.path for u in used if u.speaker not in kept],
        "test": [u.path for u in used if u.speaker in kept],
    }
    return _both(sides, "speech")


def files_of(data: Data, kind: Literal["music", "noise"]) -> dict[str, list[Path]]:
    """Files of either side."""
    files: Sequence[Path] = audio_files(Path(getattr(data, kind)))
    if kind == "music":
        files = [path for path in files if not _fits(path, data.music_left_out)]
    patterns = data.music_test if kind == "music" else data.noise_test
    sides = {
        "train": [path for path in files if not _fits(path, patterns)],
        "test": [path for path in files if _fits(path, patterns)],
    }
    return _both(sides, kind)


def _fits(path: Path, patterns: Sequence[str]) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in patterns)


def _both(sides: dict[str, list[Path]], kind: str) -> dict[str, list[Path]]:
    for side, files in sides.items():
        if not files:
            raise InputError(f"there is no {kind} to {side} on")
    return sides
