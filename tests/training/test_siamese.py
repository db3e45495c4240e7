"""Task `siamese`: pairs, a run for each front, and the files that come out of it at run time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tertulia.embedding.siamese import Siamese
from tertulia.errors import InputError, UsageError
from tertulia.training import make_task, read_recipe, train
from tertulia.training.encoders import EncoderWidths, load_encoder, save_encoder
from tertulia.training.siamese import SiameseTask

Written = Callable[..., Path]

NETWORKS: dict[str, dict[str, Any]] = {
    "log-mel": {},
    "mfcc": {"cepstra": 20},
    "sincnet": {"filters": 12, "width": 51, "stride": 40},
    "wav2vec": {},
}
WIDTHS = EncoderWidths(bands=4, wide=8, dim=16, layers=1, heads=2, hidden=16)


def changes(front: str, **data: Any) -> dict[str, Any]:
    """Changes of the small recipe that make one of pairs."""
    ecapa = ("cepstra", "channels", "blocks", "scale", "bottleneck", "wide", "attention", "dim")
    network = dict.fromkeys(ecapa)
    network |= {"name": front, "channels": 16, "wide": 24, "dim": 128, **NETWORKS[front]}
    return {
        "task": "siamese",
        "data": {"crop": 0.5, "dev_speakers": 2, "pairs": 8, "averaged": 1, "utterances": 2, **data},
        "network": network,
        "loss": {"softmax": None, "cross_entropy": 1.0, "contrastive": 0.5, "triplet": 0.5},
    }


def made(recipe: Path, speech: Path, **data: str) -> SiameseTask:
    described = read_recipe(recipe, {"speech": str(speech), **data})
    task = make_task(described, recipe.parent / "cache", lambda _: None)
    assert isinstance(task, SiameseTask)
    return task


# ── examples ─────────────────────────────────────────────────────────────────────────────────────────────


def test_pairs_are_of_one_voice_half_the_time(written: Written, speech: Path):
    stage = made(written(**changes("mfcc")), speech).stage(1)
    rng = np.random.default_rng(0)
    pairs = [stage.example(int(number), rng) for number in stage.order(rng)]
    assert len(pairs) == 8
    assert sum(bool(pair["same"]) for pair in pairs) == 4
    for pair in pairs:
        assert pair["waveforms"].shape == (2, 8000)
        assert bool(pair["same"]) == (pair["labels"][0] == pair["labels"][1])
        assert not np.array_equal(*pair["waveforms"])


def test_at_first_an_example_is_one_speaker(written: Written, speech: Path):
    stage = made(written(**changes("mfcc", utterances=3)), speech).stage(0)
    rng = np.random.default_rng(0)
    order = stage.order(rng)
    assert sorted(order[:4].tolist()) == [0, 1, 2, 3]  # everybody before anybody comes again
    example = stage.example(2, rng)
    assert example["waveforms"].shape == (3, 8000)
    assert example["labels"].tolist() == [2, 2, 2]
    assert "same" not in example


def test_two_voices_share_what_the_recipe_says(written: Written, speech: Path, tmp_path: Path):
    rows = [f"{p.resolve()}\t{p.parent.name}\t{p.parent.name in 'abc'}" for p in speech.rglob("*.wav")]
    table = tmp_path / "speech.tsv"
    table.write_text("path\tspeaker\tgroup\n" + "\n".join(sorted(rows)) + "\n")
    task = made(written(**changes("mfcc", within="group", dev_speakers=0)), table)
    names = {number: name for name, number in task.speech.speakers.items()}
    stage, rng = task.stage(1), np.random.default_rng(0)
    for number in range(1, 40, 2):
        one, other = stage.example(number, rng)["labels"].tolist()
        assert one != other
        assert (names[one] in "abc") == (names[other] in "abc")
    with pytest.raises(UsageError, match="no column 'corpus'"):
        made(written(**changes("mfcc", within="corpus")), table)


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def encoder(tmp_path: Path) -> str:
    path = tmp_path / "encoder.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_encoder(WIDTHS(), WIDTHS, path)
    return str(path)


@pytest.mark.parametrize("front", NETWORKS)
def test_from_recipe_to_vectors(written: Written, speech: Path, tmp_path: Path, encoder: str, front: str):
    data = {"encoder": encoder} if front == "wav2vec" else {}
    recipe = written(**changes(front))
    task, folder = made(recipe, speech, **data), tmp_path / "run"
    before = load_encoder(Path(encoder)).state_dict()
    train(read_recipe(recipe, {"speech": str(speech), **data}), task, folder, report=lambda _: None)
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert {"loss_entropy", "loss_contrastive", "loss_triplet", "eer_dev", "auc_dev"} <= set(lines[2])
    assert (folder / "small-filters.svg").exists() == (front == "sincnet")
    branch = Siamese(weights=str(folder / "small"), threads=1)
    sound = 0.1 * np.random.default_rng(0).standard_normal(48_000).astype(np.float32)
    vectors = branch.pooled(branch.cells(sound).sum(axis=0, keepdims=True))
    assert vectors.shape == (1, 128)
    np.testing.assert_allclose(np.linalg.norm(vectors), 1, atol=1e-5)
    if front == "wav2vec":  # what is frozen stays
        again = task.model().network.front.encoder.state_dict()
        assert all(torch.equal(before[name], again[name]) for name in before)


def test_run_time_is_what_torch_says(written: Written, speech: Path, tmp_path: Path):
    task = made(written(**changes("mfcc")), speech)
    model = task.model()
    for _ in range(3):  # statistics of the batch normalisation
        model.network(0.1 * torch.randn(4, 8000))
    task.finish(model.eval(), tmp_path, "mine")
    sound = task.speech.pack.read(task.speech.splits["train"][0])[:8000]
    with torch.no_grad():
        expected = model.network(torch.from_numpy(sound)[None])[0].numpy()
    branch = Siamese(weights=str(tmp_path / "mine"), threads=1)
    got = branch.pooled(branch.cells(sound).sum(axis=0, keepdims=True))[0]
    assert float(expected @ got) > 0.999


def test_what_cannot_be(written: Written, speech: Path, tmp_path: Path):
    nothing = written(**(changes("mfcc") | {"loss": {"softmax": None}}))
    with pytest.raises(UsageError, match="one of contrastive, cross_entropy and triplet"):
        made(nothing, speech)
    with pytest.raises(UsageError, match="pairs from 1"):
        made(written(**changes("mfcc", pairs=0)), speech)
    with pytest.raises(UsageError, match=r"data\.encoder is not set"):
        made(written(**changes("wav2vec")), speech).model()
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="cannot be read as an encoder"):
        made(written(**changes("wav2vec")), speech, encoder=str(other)).model()
    with pytest.raises(InputError, match="cannot be read as an encoder"):
        load_encoder(tmp_path / "none.safetensors")
