"""Two recordings of which the fake systems know nothing, with references of 10 s."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

TRUTH = ((0, 6, "Ana"), (6, 10, "Ben"))


def add(folder: Path, name: str, turns=TRUTH, seed: int = 0) -> Path:
    """Put a recording of noise and its reference into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = 0.1 * np.random.default_rng(seed).standard_normal(8000)
    soundfile.write(folder / f"{name}.wav", noise, 16_000)
    lines = [f"SPEAKER {name} 1 {a:.3f} {b - a:.3f} <NA> <NA> {who} <NA> <NA>\n" for a, b, who in turns]
    (folder / f"{name}.rttm").write_text("".join(lines))
    return folder / f"{name}.wav"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for seed, name in enumerate(("meetings/a", "calls/b")):
        add(tmp_path / "data" / Path(name).parent, Path(name).name, seed=seed)
    return tmp_path / "data"
