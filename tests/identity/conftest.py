"""A store in a folder of its own, and voices that need no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tertulia.identity import Entry, SpeakerStore, Voiceprint, keys

DIM = 192


class Clock:
    """Tells a time that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_days(self, days: float) -> None:
        self.now += timedelta(days=days)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def voiceprint() -> Callable[..., Voiceprint]:
    """Make a voiceprint from a seed."""

    def make(seed: int, seconds: float = 12.0, model: str = "network") -> Voiceprint:
        vector = np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
        return Voiceprint(vector, seconds, model)

    return make


@pytest.fixture
def entry(voiceprint: Callable[..., Voiceprint]) -> Callable[..., Entry]:
    """Make an entry from a seed."""

    def make(seed: int, seconds: float = 12.0, model: str = "network", **about: str) -> Entry:
        known = {"source": f"recording-{seed}.wav", "consent": f"form {seed} signed", **about}
        return Entry(voiceprint(seed, seconds, model), **known)  # type: ignore[arg-type]

    return make


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without a keyring, whose directories are in a temporary one."""
    folder = tmp_path / "home"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    monkeypatch.setattr(keys, "_keyring", lambda: None)
    return folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "voices.sqlite"


@pytest.fixture(params=[True, False], ids=["encrypted", "plain"])
def store(path: Path, clock: Clock, request: pytest.FixtureRequest) -> Iterator[SpeakerStore]:
    with SpeakerStore(path, create=True, encrypt=request.param, clock=clock) as opened:
        yield opened
