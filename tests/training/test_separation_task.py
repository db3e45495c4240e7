from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from tertulia.audio import Waveform, write_wav  # noqa: E402
from tertulia.errors import InputError, UsageError  # noqa: E402
from tertulia.separation import SepFormerSeparator  # noqa: E402
from tertulia.training import make_task  # noqa: E402
from tertulia.training.recipe import Recipe  # noqa: E402
from tertulia.training.separation import best_order, si_sdr  # noqa: E402

RATE = 16_000
SMALL = {
    "name": "sepformer",
    "voices": 2,
    "filters": 32,
    "kernel": 32,
    "chunk": 20,
    "blocks": 1,
    "layers": 1,
    "heads": 2,
    "feedforward": 32,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six people, each with a pitch of their own; two are for the test."""
    folder = tmp_path_factory.mktemp("separation")
    time = np.arange(RATE) / RATE
    for number in range(6):
        place = folder / "speech" / f"p{number}"
        place.mkdir(parents=True)
        samples = 0.2 * np.sin(2 * np.pi * 150 * 1.7**number * time).astype(np.float32)
        write_wav(place / "1.wav", Waveform(samples[None], RATE))
    (folder / "noise").mkdir()
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32)
    write_wav(folder / "noise" / "n.wav", Waveform(noise, RATE))
    (folder / "test.txt").write_text("p1\np4\n")
    return folder


@pytest.fixture
def recipe(folder):
    data = {
        "speech": str(folder / "speech"),
        "noise": str(folder / "noise"),
        "test": str(folder / "test.txt"),
        "window": 0.5,
        "examples": 4,
        "tests": 4,
        "noisy": 0.5,
        "ratio": [-3.0, 3.0],
        "snr": [5.0, 15.0],
    }
    return Recipe(
        name="small",
        task="separation",
        seed=0,
        data=data,
        network=SMALL,
        optimizer={"name": "adam", "lr": 1e-3},
        schedule={"name": "constant"},
        loop={"epochs": 1, "batch": 2},
    )


@pytest.fixture
def task(recipe, tmp_path):
    return make_task(recipe, tmp_path, print)


def test_si_sdr_by_hand():
    voice = torch.tensor([1.0, -1.0, 1.0, -1.0])
    error = torch.tensor([0.1, 0.1, -0.1, -0.1])
    assert float(si_sdr(voice + error, voice)) == pytest.approx(20.0, abs=1e-3)
    assert float(si_sdr(5 * (voice + error) + 3, voice)) == pytest.approx(
        20.0, abs=1e-3
    )  # neither scale nor offset


def test_the_best_order_is_found():
    voices = torch.randn(3, 2, 800)
    assert (best_order(voices.flip(1), voices) > 60).all()
    one = torch.stack([voices[:, 0], voices[:, 0]], dim=1)
    assert (best_order(one, voices)[:, 0] > 60).all()


def test_mixtures_are_sums_of_different_people(task):
    rng = np.random.default_rng(0)
    noisy = 0
    for number in range(12):
        example = task.example(number, rng)
        assert example["mixture"].shape == (RATE // 2,)
        assert example["voices"].shape == (2, RATE // 2)
        assert np.sqrt(np.mean(example["mixture"] ** 2)) == pytest.approx(1, abs=1e-3)
        rest = example["mixture"] - example["voices"].sum(axis=0)
        noisy += bool(np.abs(rest).max() > 1e-3)
        spectra = np.abs(np.fft.rfft(example["voices"], axis=1)).argmax(axis=1)
        assert spectra[0] != spectra[1]
    assert 0 < noisy < 12


def test_it_learns_and_can_be_run(task, tmp_path):
    model, rng = task.model(), np.random.default_rng(0)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    examples = [task.example(0, rng) for _ in range(2)]
    batch = {key: torch.from_numpy(np.stack([e[key] for e in examples])) for key in examples[0]}
    losses = []
    for _ in range(25):
        (loss,) = model(batch).values()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 5
    with torch.no_grad():
        assert task.evaluate(model.eval()).keys() == {"improvement_clean", "improvement_noisy"}
    about = task.finish(model, tmp_path, "small")
    assert float(about["largest difference from torch"]) < 1e-3
    separator = SepFormerSeparator(str(tmp_path / "small.onnx"), window=1.0, overlap=0.25)
    assert separator(batch["mixture"][0].numpy()).shape == (2, RATE // 2)


def test_what_is_wrong_is_named(recipe, tmp_path, folder):
    (folder / "one.txt").write_text("p1\n")
    for changes, error, message in [
        (
            {"data": {**recipe.data, "test": str(folder / "one.txt")}},
            InputError,
            "1 speakers to test on are too few",
        ),
        ({"data": {**recipe.data, "noisy": 2.0}}, UsageError, r"noisy in \[0, 1\]"),
        ({"network": {**SMALL, "heads": 3}}, UsageError, "heads divide"),
        ({"network": {**SMALL, "name": "x"}}, UsageError, "unknown network 'x'"),
    ]:
        with pytest.raises(error, match=message):
            make_task(replace(recipe, **changes), tmp_path, print)
    without = {key: value for key, value in recipe.data.items() if key != "speech"}
    with pytest.raises(UsageError, match=r"data\.speech is not set"):
        make_task(replace(recipe, data=without), tmp_path, print)
