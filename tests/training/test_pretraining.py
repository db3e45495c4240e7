"""Task `wav2vec`: masks, contrasts, and a run that leaves an encoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tertulia.errors import InputError, UsageError
from tertulia.networks.wav2vec import Quantizer, Wav2Vec
from tertulia.training import make_task, read_recipe, train
from tertulia.training.encoders import load_encoder
from tertulia.training.pretraining import contrast, spans

Written = Callable[..., Path]

ECAPA = ("name", "cepstra", "channels", "blocks", "scale", "bottleneck", "attention")
CHANGES = {
    "task": "wav2vec",
    "data": {"crop": 0.6, "dev_speakers": 2, "start": 0.1, "span": 3},
    "network": dict.fromkeys(ECAPA)
    | {"bands": 4, "wide": 8, "dim": 16, "layers": 1, "heads": 2, "hidden": 16},
    "loss": {"softmax": None, "entries": 8},
}


def test_masks_are_spans():
    masked = spans(40_000, 0.02, 10, np.random.default_rng(0))
    steps = np.diff(np.r_[0, masked, 0])
    lengths = np.flatnonzero(steps == -1) - np.flatnonzero(steps == 1)
    assert lengths[:-1].min() >= 10
    # a frame is free when none of the ten before it began a span
    assert masked.mean() == pytest.approx(1 - 0.98**10, abs=0.04)


def test_there_is_always_something_masked():
    for seed in range(20):
        assert spans(30, 1e-9, 1, np.random.default_rng(seed)).sum() >= 2


def test_only_masked_frames_of_another_kind_compete():
    contexts = torch.eye(4)[None]
    entries = torch.tensor([[[0], [1], [0], [2]]])
    masked = torch.tensor([[True, True, True, False]])
    logits = contrast(contexts, torch.eye(4)[None], entries, masked)
    inf = -torch.inf
    # the first and the third are quantised alike, the last is not masked
    expected = torch.tensor([[1, 0, inf, inf], [0, 1, 0, inf], [inf, 0, 1, inf]])
    torch.testing.assert_close(logits, expected)


def test_distractors_of_the_whole_batch(written: Written, speech: Path, tmp_path: Path) -> None:
    loss = {"softmax": None, "entries": 0, "distractors": "batch"}
    task = make_task(
        read_recipe(written(**CHANGES | {"loss": loss}), {"speech": str(speech)}), tmp_path, print
    )
    examples = [task.example(i, np.random.default_rng(i)) for i in range(3)]
    batch = {name: torch.from_numpy(np.stack([e[name] for e in examples])) for name in examples[0]}
    logits, right, _ = task.model().logits(batch)
    masked = int(batch["masked"].sum())
    assert logits.shape == (masked, masked)
    assert right.tolist() == list(range(masked))
    assert logits.abs().max() <= 1 / task.loss.temperature + 1e-3


def test_quantised_targets_have_distractors_of_their_crop(
    written: Written, speech: Path, tmp_path: Path
) -> None:
    loss = {"softmax": None, "entries": 8, "distractors": "batch"}
    with pytest.raises(UsageError, match="can be batch where entries = 0"):
        make_task(read_recipe(written(**CHANGES | {"loss": loss}), {"speech": str(speech)}), tmp_path, print)


def test_perplexity_is_one_when_all_entries_are_used_alike():
    quantizer = Quantizer(8, 2, 4, 6).eval()
    with torch.no_grad():
        quantizer.logits.weight.zero_()
        quantizer.logits.bias.zero_()
        vectors, entries, perplexity = quantizer(torch.randn(5, 8), 1.0)
    assert float(perplexity) == pytest.approx(1, abs=1e-3)
    assert vectors.shape == (5, 6)
    assert entries.tolist() == [[0, 0]] * 5


def test_a_masked_frame_is_not_seen():
    torch.manual_seed(0)
    encoder = Wav2Vec(4, 8, 16, 1, 2, 16).eval()
    masked = torch.zeros(1, 12, dtype=torch.bool)
    masked[:, 4:6] = True
    latents = torch.randn(1, 12, 8)
    other = latents.clone()
    other[:, 4:6] += 1
    with torch.no_grad():
        torch.testing.assert_close(encoder.layers(latents, masked)[-1], encoder.layers(other, masked)[-1])
        assert not torch.allclose(encoder.layers(latents)[-1], encoder.layers(other)[-1])


def test_the_level_of_a_recording_does_not_matter():
    torch.manual_seed(0)
    encoder, sound = Wav2Vec(4, 8, 16, 1, 2, 16).eval(), 0.1 * torch.randn(1, 6400)
    with torch.no_grad():
        assert F.cosine_similarity(encoder(sound), encoder(0.2 * sound), dim=2).min() > 0.999


def test_a_run_leaves_an_encoder(written: Written, speech: Path, tmp_path: Path):
    recipe = read_recipe(written(**CHANGES), {"speech": str(speech)})
    task, folder = make_task(recipe, tmp_path / "cache", lambda _: None), tmp_path / "run"
    train(recipe, task, folder, report=lambda _: None)
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert {"loss_contrastive", "loss_diversity", "accuracy_dev", "perplexity_dev"} <= set(lines[-1])
    assert all(0 <= line["accuracy_dev"] <= 1 for line in lines)
    encoder = load_encoder(folder / "small.safetensors")
    assert encoder(torch.randn(1, 9600)).shape == (1, 28, 16)
    assert "masked frames told, dev" in (folder / "small.md").read_text()


def test_what_cannot_be(written: Written, speech: Path, tmp_path: Path):
    def made(**data: object) -> None:
        changes = {**CHANGES, "data": {**CHANGES["data"], **data}}
        make_task(read_recipe(written(**changes), {"speech": str(speech)}), tmp_path, lambda _: None)

    with pytest.raises(UsageError, match="span from 1"):
        made(span=0)
    with pytest.raises(InputError, match=r"nothing can be measured|no utterances"):
        made(crop=5.0)
