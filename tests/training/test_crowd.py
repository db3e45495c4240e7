"""Task `one-or-two`: clips, the split, and a run that tells a tone from two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tertulia.detection.crowd import RATE, OneOrTwo
from tertulia.errors import UsageError
from tertulia.training import make_task, read_recipe, train
from tertulia.training.crowd import CrowdTask, Dense

Written = Callable[..., Path]

ECAPA = ("name", "cepstra", "channels", "blocks", "scale", "bottleneck", "wide", "attention", "dim")
CHANGES = {
    "task": "one-or-two",
    "data": {"crop": 1.0, "dev_speakers": 0, "clips": 16, "together": 0.2, "pooling": "mean"},
    "network": dict.fromkeys(ECAPA) | {"hidden": [8, 4]},
    "loss": {"softmax": None},
    "evaluation": {"seconds": None, "utterances": None},
}


def made(written: Written, speech: Path, tmp_path: Path, seed: int = 3, **data: object) -> CrowdTask:
    changes = {**CHANGES, "seed": seed, "data": {**CHANGES["data"], **data}}
    recipe = read_recipe(written(**changes), {"speech": str(speech)})
    task = make_task(recipe, tmp_path / "cache", lambda _: None)
    assert isinstance(task, CrowdTask)
    return task


def test_seeds_divide_the_same_clips(written: Written, speech: Path, tmp_path: Path):
    one, other = (made(written, speech, tmp_path, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(one.features["train"], other.features["train"])
    assert sorted(one.parts["held_out"]) != sorted(other.parts["held_out"])
    assert len(one.parts["held_out"]) == 4
    assert sorted(np.concatenate(list(one.parts.values()))) == list(range(16))


def test_poolings_are_of_the_same_clips_which_are_made_once(written: Written, speech: Path, tmp_path: Path):
    mean, statistics, frames = (
        made(written, speech, tmp_path, crop=2.0, pooling=pooling).features["train"]
        for pooling in ("mean", "statistics", "frames")
    )
    assert len(list((tmp_path / "cache").glob("clip-tables-*.npy"))) == 1
    assert mean.shape == (16, 43)
    assert frames.shape == (16, 43 * (1 + 2 * RATE // 512))
    np.testing.assert_allclose(frames.reshape(16, 43, -1).mean(axis=2), mean, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(statistics[:, :43], mean)


def test_another_draw_has_other_clips(written: Written, speech: Path, tmp_path: Path):
    one, other = (made(written, speech, tmp_path, draw=draw).features["train"] for draw in (0, 1))
    assert not np.isclose(one, other).all(axis=1).any()


def test_the_scores_are_standard():
    rng = np.random.default_rng(0)
    seen = torch.from_numpy(rng.normal(5, 3, (400, 2)).astype(np.float32))
    network = Dense(seen.mean(dim=0), seen.std(dim=0), (4,))
    network.layers = torch.nn.Identity()  # what reaches the first layer
    scores = network.logits(seen)
    torch.testing.assert_close(scores.mean(dim=0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(scores.std(dim=0), torch.ones(2), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("pooling", "crop", "numbers"), [("mean", 1.0, 43), ("statistics", 2.0, 172)])
def test_from_recipe_to_a_probability(
    written: Written, speech: Path, tmp_path: Path, pooling: str, crop: float, numbers: int
):
    changes = {**CHANGES, "data": {**CHANGES["data"], "pooling": pooling, "crop": crop}}
    recipe = read_recipe(written(**changes), {"speech": str(speech)})
    task, folder = make_task(recipe, tmp_path / "cache", lambda _: None), tmp_path / "run"
    train(recipe, task, folder, report=lambda _: None)
    counter = OneOrTwo(weights=str(folder / "small"), seconds=crop, pooling=pooling, threads=1)
    assert 0 < counter(np.zeros(1000, np.float32)) < 1
    card = (folder / "small.md").read_text().replace("_", " ")
    assert "accuracy, held out" in card
    assert f"{numbers} numbers: 43 features, pooling {pooling}" in card


def test_what_cannot_be(written: Written, speech: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="clips from 8"):
        made(written, speech, tmp_path, clips=2)
    with pytest.raises(UsageError, match="together under half"):
        made(written, speech, tmp_path, together=0.7)
    with pytest.raises(UsageError, match=r"pooling.*median.*frames, mean, statistics"):
        made(written, speech, tmp_path, pooling="median")
    with pytest.raises(UsageError, match="clips of 2 s or more; got 1 s"):
        made(written, speech, tmp_path, pooling="statistics")
