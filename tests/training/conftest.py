"""Speech that is not speech, but voices that differ: harmonic tones; and recipes small enough for seconds."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tertulia.audio import Waveform, write_wav

RATE = 16_000

RECIPE: dict[str, Any] = {
    "summary": "a small one",
    "task": "speakers",
    "seed": 3,
    "data": {"crop": 0.5, "dev_speakers": 2},
    "network": {
        "name": "ecapa",
        "cepstra": 20,
        "channels": 16,
        "blocks": 2,
        "scale": 4,
        "bottleneck": 8,
        "wide": 24,
        "attention": 8,
        "dim": 16,
    },
    "loss": {"softmax": 1.0},
    "optimizer": {"name": "adam", "lr": 0.01},
    "schedule": {"name": "cosine", "t_max": 2},
    "loop": {"epochs": 2, "batch": 4},
    "evaluation": {"seconds": 0.5, "utterances": 10},
}


def voice(pitch: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A tone with harmonics whose pitch wavers, and a little noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * pitch * (time + 0.002 * np.sin(2 * np.pi * 3 * time + rng.uniform(0, 6)))
    tone = sum(np.sin(k * phase) / k for k in range(1, 12))
    return (0.1 * tone + 0.005 * rng.standard_normal(len(time))).astype(np.float32)


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six speakers with four utterances of 0.6 to 0.9 s each, in folders called like them."""
    folder, rng = tmp_path_factory.mktemp("speech"), np.random.default_rng(0)
    for number, name in enumerate("abcdef"):
        (folder / name).mkdir()
        for i in range(4):
            samples = voice(90 * 1.25**number, 0.6 + 0.1 * i, rng)
            write_wav(folder / name / f"{i}.wav", Waveform.from_array(samples, RATE))
    return folder


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write a recipe: that above with some tables changed, None taking a key away."""

    def write(name: str = "small", **changes: Any) -> Path:
        recipe = copy.deepcopy(RECIPE)
        for key, value in changes.items():
            if isinstance(value, dict):
                recipe[key] = {k: v for k, v in {**recipe.get(key, {}), **value}.items() if v is not None}
            else:
                recipe[key] = value
        path = tmp_path / f"{name}.toml"
        path.write_text(toml(recipe), encoding="utf-8")
        return path

    return write


def toml(table: dict[str, Any]) -> str:
    plain = [f"{key} = {literal(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for name, content in table.items():
        if isinstance(content, dict):
            plain += [f"[{name}]", *(f"{key} = {literal(value)}" for key, value in content.items())]
    return "\n".join(plain) + "\n"


def literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {literal(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    """Small networks are slower on two threads, and their sums come out the same on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
