"""ResNet50 from recordings with RTTM, as its source trained it: balanced batches, masks, the export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tertulia.audio import Waveform, write_wav
from tertulia.embedding.resnet50 import ResNet50
from tertulia.training import make_task, read_recipe, train

Written = Callable[..., Path]
RATE = 16_000


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    """Two recordings of two people each, who take turns second by second; the last two overlap."""
    folder, rng = tmp_path / "talks", np.random.default_rng(0)
    folder.mkdir()
    for number in range(2):
        turns = [
            np.sin(2 * np.pi * 100 * 1.4 ** (2 * number + i % 2) * np.arange(RATE) / RATE) for i in range(5)
        ]
        samples = 0.1 * np.concatenate(turns) + 0.01 * rng.standard_normal(5 * RATE)
        write_wav(folder / f"{number}.wav", Waveform.from_array(samples.astype(np.float32), RATE))
        spoken = [(0, "a"), (1, "b"), (2, "a"), (3, "b"), (4, "a"), (4, "b")]
        lines = [f"SPEAKER {number} 1 {at} 1 <NA> <NA> {who} <NA> <NA>\n" for at, who in spoken]
        (folder / f"{number}.rttm").write_text("".join(lines))
    return folder


def test_recordings_with_rttm_become_a_network(talks: Path, written: Written, tmp_path: Path) -> None:
    network = dict.fromkeys(("cepstra", "blocks", "scale", "bottleneck", "wide", "attention"))
    recipe = read_recipe(
        written(
            network={**network, "name": "resnet50", "channels": 4, "dim": 512, "dropout": 0.3},
            data={"dev_speakers": 0, "per_speaker": 2},
            augmentation={"masks": 1, "band": 10, "time": 0.1},
            loss={"softmax": None, "margin": 1.0, "angle": 0.0},
        ),
        {"speech": str(talks)},
    )
    task, rng = make_task(recipe, tmp_path / "cache", print), np.random.default_rng(0)
    labels = [int(task.example(int(place), rng)["labels"]) for place in task.order(rng)]
    assert sorted(labels) == [0, 0, 1, 1, 2, 2, 3, 3], "people of two recordings are four, equally often"
    train(recipe, task, tmp_path / "run", report=print)
    embedder = ResNet50(weights=str(tmp_path / "run" / "small"), threads=1)
    frames = embedder._frames_of(rng.standard_normal(RATE).astype(np.float32))
    assert frames.shape == (4, 128)
    assert "resnet50" in (tmp_path / "run" / "small.md").read_text()
