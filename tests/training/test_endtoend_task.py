from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from tertulia.audio import Waveform, write_wav  # noqa: E402
from tertulia.errors import InputError, UsageError  # noqa: E402
from tertulia.features import fbank  # noqa: E402
from tertulia.inference import Network  # noqa: E402
from tertulia.networks.sortformer import SIZES, Sortformer  # noqa: E402
from tertulia.training import make_task  # noqa: E402
from tertulia.training.arrival import by_arrival, permutation_loss, sort_loss  # noqa: E402
from tertulia.training.batches import batches  # noqa: E402
from tertulia.training.recipe import Recipe, read_recipe  # noqa: E402
from tertulia.training.sortformer import export_sortformer  # noqa: E402

from .conftest import RATE, voice  # noqa: E402

RECIPES = Path(__file__).parents[2] / "recipes"
F = torch.nn.functional


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six people, each with a pitch of their own; three are for the test."""
    folder, rng = tmp_path_factory.mktemp("endtoend"), np.random.default_rng(0)
    for number in range(6):
        place = folder / "speech" / f"p{number}"
        place.mkdir(parents=True)
        write_wav(place / "1.wav", Waveform.from_array(voice(100 * 1.5**number, 2.0, rng), RATE))
    (folder / "test.txt").write_text("p1\np3\np5\n")
    return folder


@pytest.fixture
def recipe(folder):
    return Recipe(
        name="small",
        task="sortformer",
        seed=0,
        data={
            "speech": str(folder / "speech"),
            "test": str(folder / "test.txt"),
            "hours": 0.005,
            "tests": 3,
            "curriculum": [[0, 1, 2, 4.0], [2, 2, 3, 6.0]],
        },
        network={"name": "sortformer", "size": "tiny", "speakers": 3},
        loss={"sort": 0.5, "permutation": 0.5},
        augmentation={"rooms": 0.5, "responses": 2, "noise": 0.5, "snr": [15.0, 25.0]},
        optimizer={"name": "adam", "lr": 1e-3},
        schedule={"name": "constant"},
        loop={"epochs": 1, "batch": 2},
    )


@pytest.fixture
def task(recipe, tmp_path):
    return make_task(recipe, tmp_path, print)


def test_speakers_are_sorted_by_their_first_frame():
    targets = torch.tensor([[[0, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1.0]]])
    expected = torch.tensor([[[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0.0]]])
    assert torch.equal(by_arrival(targets), expected)


def test_losses_are_what_the_definitions_say():
    torch.manual_seed(0)
    logits, targets = torch.randn(2, 30, 3), (torch.rand(2, 30, 3) > 0.5).float()
    orders = list(itertools.permutations(range(3)))
    every = torch.stack(
        [
            torch.stack(
                [F.binary_cross_entropy_with_logits(logits[b], targets[b][:, order]) for order in orders]
            )
            for b in range(2)
        ]
    )
    torch.testing.assert_close(permutation_loss(logits, targets), every.min(dim=1).values.mean())
    ordered = by_arrival(targets)
    torch.testing.assert_close(
        sort_loss(logits, targets), F.binary_cross_entropy_with_logits(logits, ordered)
    )
    shuffled = targets[:, :, [2, 0, 1]]
    torch.testing.assert_close(permutation_loss(logits, targets), permutation_loss(logits, shuffled))
    right = 20 * (ordered - 0.5)
    assert sort_loss(right, shuffled) < 1e-3
    assert sort_loss(right[:, :, [1, 0, 2]], shuffled) > 1


def test_nobody_is_in_both_splits(task):
    assert set(task.voices["train"]) == {"p0", "p2", "p4"}
    assert set(task.voices["test"]) == {"p1", "p3", "p5"}


def test_the_reference_is_where_the_sound_is(task):
    conversations = replace(task._sides["train"], rooms=None)
    samples, reference = conversations((2, 2), 8.0, np.random.default_rng(1))
    assert len(samples) == 8 * RATE
    assert len(reference.speakers) == 2
    loud = np.abs(samples[: 8 * RATE]).reshape(-1, 160).max(axis=1) > 0.003  # every 10 ms
    spoken = np.zeros(800, bool)
    for turn in reference.speech:
        spoken[round(turn.start * 100) : round(turn.end * 100)] = True
    assert np.mean(loud == spoken) > 0.98


def test_a_voice_at_another_speed_has_another_pitch(task):
    """Everybody's pitch is 100 · 1.5ⁿ Hz; at 1.25 it is that much higher, with turns where they were."""
    plain = replace(task._sides["train"], rooms=None)
    faster = replace(plain, speeds=(1.25,))
    pitches = []
    for conversations in (plain, faster):
        samples, reference = conversations((1, 1), 8.0, np.random.default_rng(1))
        power = np.abs(np.fft.rfft(samples))[: 8 * 450] ** 2
        pitches.append(np.argmax(np.convolve(power, np.ones(80), "same")) / 8)  # Hz
        assert len(reference.speakers) == 1
    assert pitches[1] / pitches[0] == pytest.approx(1.25, rel=0.05)


def test_some_conversations_are_livelier_than_others(task):
    lengths = []
    for seed in range(12):
        _, reference = task._sides["train"]((2, 2), 60.0, np.random.default_rng(seed))
        lengths.append(np.mean([turn.duration for turn in reference]))
    assert max(lengths) > 2 * min(lengths)


def test_the_curriculum_changes_examples(recipe, task):
    short = next(batches(task, 0, epoch=1, size=2))
    long = next(batches(task, 0, epoch=2, size=2))
    assert short["waveforms"].shape == (2, 4 * RATE + 240)
    assert short["targets"].shape == (2, 50, 3)
    assert long["targets"].shape == (2, 75, 3)
    assert (short["targets"].any(dim=1).sum(dim=1) <= 2).all()


@pytest.mark.parametrize(("sort", "permutation"), [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)])
def test_either_loss_can_be_left_out(recipe, tmp_path, sort, permutation):
    loss = {"sort": sort, "permutation": permutation}
    task = make_task(replace(recipe, loss=loss), tmp_path, print)
    example = task.example(0, np.random.default_rng(0))
    batch = {key: torch.from_numpy(value[None]) for key, value in example.items()}
    found = task.model()(batch)
    assert set(found) == {"speech"} | {name for name, weight in loss.items() if weight}
    sum(found.values()).backward()


@pytest.mark.slow
def test_it_learns_two_conversations_by_heart(recipe, tmp_path):
    torch.manual_seed(0)
    data = {**recipe.data, "curriculum": [[0, 2, 3, 6.0]]}
    task = make_task(replace(recipe, data=data, augmentation={}), tmp_path, print)
    rng = np.random.default_rng(0)
    examples = [task.example(0, rng) for _ in range(2)]
    batch = {key: torch.from_numpy(np.stack([e[key] for e in examples])) for key in examples[0]}
    model = task.model().train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    losses = []
    for step in range(120):
        if step == 100:  # for the means of the batch normalisation to catch up
            optimizer.param_groups[0]["lr"] = 1e-4
        loss = sum(model(batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.5
    assert losses[-1] < 0.1
    with torch.no_grad():
        active = model.eval().logits(batch) > 0
    assert (active == (by_arrival(batch["targets"]) > 0)).float().mean() > 0.97


def test_a_run_measures_and_exports(task, tmp_path):
    model = task.model().eval()
    figures = task.evaluate(model)
    parts = figures["false_alarm"] + figures["missed"] + figures["confusion"]
    assert figures["der"] == pytest.approx(parts)
    about = task.finish(model, tmp_path, "small")
    assert float(about["largest difference from torch"]) < 1e-3
    assert {path.name for path in tmp_path.glob("*.onnx")} == {"small-frames.onnx", "small-activity.onnx"}
    assert about["data"].startswith("3 speakers")


def test_onnx_from_samples_is_torch_from_samples(tmp_path, task):
    """Features of the run time and of training agree, and so do the halves at any length."""
    torch.manual_seed(0)
    model = task.model().eval()
    export_sortformer(model.network, tmp_path, "n")
    samples = voice(120, 7.3, np.random.default_rng(0))
    features = fbank(samples)[None]
    voices = np.random.default_rng(1).normal(size=(1, 92, model.network.size.voices)).astype(np.float32)
    frames = Network(str(tmp_path / "n-frames.onnx"), 1)(features=features, voices=voices)
    found = Network(str(tmp_path / "n-activity.onnx"), 1)(frames=frames)
    assert found.shape == (1, 92, 3)
    with torch.no_grad():
        batch = {
            "waveforms": torch.from_numpy(np.pad(samples, 120))[None],
            "voices": torch.from_numpy(voices),
        }
        expected = model.logits(batch).sigmoid().numpy()
    # Windows at either end are mirrored by one and padded by the other.
    np.testing.assert_allclose(found[0, 20:-20], expected[0, 20:-20], atol=5e-3)


def test_other_sizes_can_be_exported(tmp_path):
    size = replace(SIZES["sortformer-4spk-v1"], layers=1, hidden_layers=1, dim=64, channels=8, speakers=8)
    _, worst = export_sortformer(Sortformer(size), tmp_path, "published")
    assert worst < 1e-3


def test_the_recipe_can_be_read():
    recipe = read_recipe(RECIPES / "sortformer-tiny.toml")
    assert recipe.loss == {"sort": 0.5, "permutation": 0.5}
    with pytest.raises(UsageError, match=r"data\.speech is not set"):
        make_task(recipe, Path(), print)


def test_what_is_wrong_is_named(recipe, tmp_path, folder):
    (folder / "one.txt").write_text("p1\n")
    for changes, error, message in [
        ({"data": {**recipe.data, "test": str(folder / "one.txt")}}, InputError, "1 speakers to test on"),
        ({"data": {**recipe.data, "curriculum": [[1, 1, 2, 4.0]]}}, UsageError, "begins with epoch 0"),
        ({"data": {**recipe.data, "curriculum": [[0, 3, 2, 4.0]]}}, UsageError, "rows"),
        ({"data": {**recipe.data, "curriculum": [[0, 1, 4, 4.0]]}}, UsageError, "speakers fewer"),
        ({"data": {**recipe.data, "speeds": [1.0, 3.0]}}, UsageError, "speeds are factors from 0.5 to 2"),
        ({"network": {"name": "sortformer", "size": "huge"}}, UsageError, "unknown size 'huge'"),
        ({"loss": {"sort": 0.0, "permutation": 0.0}}, UsageError, "one of them above"),
    ]:
        with pytest.raises(error, match=message):
            make_task(replace(recipe, **changes), tmp_path, print)
