"""The command line called in this process, and a diarizer that needs no networks."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tertulia
from tertulia.cli import main
from tertulia.segmentation import scenes
from tertulia.segmentation.scenes import CLASSES
from tertulia.timeline import Diarization, Provenance


@dataclass(frozen=True)
class Outcome:
    code: int
    stdout: str
    stderr: str


@dataclass
class FakeDiarizer:
    """Finds two overlapping speakers in whatever it is given; misbehaves on the files named in `errors`."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    loaded: list[tuple[Any, Any]] = field(default_factory=list)
    exchanged: list[tuple[str | None, str | None]] = field(default_factory=list)
    chosen: list[tuple[str | None, str]] = field(default_factory=list)
    latencies: list[str | None] = field(default_factory=list)
    errors: dict[str, BaseException] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    turns: tuple[tuple[float, float, str], ...] = ((1.44, 13.31, "SPEAKER_00"), (12.0, 15.5, "SPEAKER_01"))

    def load(
        self,
        system: Any = None,
        *,
        quality: str | None = None,
        embedding: str | None = None,
        segmentation: str | None = None,
        latency: str | None = None,
        threads: int | None = None,
        device: str = "cpu",
    ) -> FakeDiarizer:
        self.loaded.append((system, threads))
        self.chosen.append((quality, device))
        self.exchanged.append((embedding, segmentation))
        self.latencies.append(latency)
        return self

    def __call__(self, source: Any, speakers: Any, **options: Any) -> Diarization:
        self.calls.append({"source": source, "speakers": speakers, **options})
        stem = Path(options["name"]).stem
        if stem in self.errors:
            raise self.errors[stem]
        provenance = Provenance("0", "fake", messages=self.messages)
        return Diarization(self.turns, uri=stem, duration=16.0, provenance=provenance)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def run(*arguments: object) -> Outcome:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeDiarizer:
    diarizer = FakeDiarizer()
    monkeypatch.setattr(tertulia, "load", diarizer.load)
    return diarizer


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Terminal]:
    """Make "stdout" or "stderr" a terminal and return it."""

    def replace(stream: str) -> Terminal:
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, stream, screen := Terminal())
        return screen

    return replace


@pytest.fixture
def tells(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make the network of scenes say the same class always."""

    def tell(name: str) -> None:
        def probabilities(self: Any, windows: Any) -> np.ndarray:
            frames = round(windows.size / 160)
            return np.tile(np.eye(5, dtype=np.float32)[CLASSES.index(name)], (len(windows), frames, 1))

        monkeypatch.setattr(scenes.SceneSegmenter, "probabilities", probabilities)
        monkeypatch.setattr(scenes.SceneSegmenter, "networks", {})
        monkeypatch.setattr(scenes, "weights", lambda name: None)

    return tell
