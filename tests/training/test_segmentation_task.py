"""Fine-tuning of the segmentation: labels, errors, where it begins, what comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tertulia
from tertulia.cli import main
from tertulia.errors import InputError, UsageError
from tertulia.evaluation import diarization_error
from tertulia.frames import Grid
from tertulia.inference import Network, weights
from tertulia.networks.pyannet import PyanNet
from tertulia.networks.reload import pyannet
from tertulia.segmentation.powerset import powerset
from tertulia.timeline import Diarization
from tertulia.training import make_task, read_recipe
from tertulia.training.export import export
from tertulia.training.losses import NOT_SCORED
from tertulia.training.windows import activity, class_labels, window_errors

Written = Callable[..., Path]

CHANGES = {
    "task": "segmentation",
    "data": {"window": 2.0, "crop": None, "dev_speakers": None},
    "network": {
        "name": "pyannet",
        "start": "segmentation-3.0",
        "frozen": ["sincnet"],
        **dict.fromkeys(("cepstra", "channels", "blocks", "scale", "bottleneck", "wide", "attention", "dim")),
    },
    "loss": {"softmax": None},
    "optimizer": {"lr": 1e-3},
    "loop": {"epochs": 1, "batch": 8},
    "evaluation": {"seconds": None, "utterances": None},
}


@pytest.fixture
def recordings(tmp_path: Path, recording: Path, reference: Diarization) -> tuple[Path, Path]:
    """The bundled conversation as training data, and the first seconds of it held out under another name."""
    import soundfile

    samples, rate = soundfile.read(recording)
    for name, end in (("train", 30.0), ("dev", 6.0)):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / f"{name}.flac", samples[: int(end * rate)], rate)
        kept = reference.crop(tertulia.Segment(0, end)).replace(uri=name, duration=end)
        kept.write(tmp_path / name / f"{name}.rttm")
    return tmp_path / "train", tmp_path / "dev"


def task_of(recipe: Path, recordings: tuple[Path, Path]):
    places = {"recordings": str(recordings[0]), "dev": str(recordings[1])}
    return make_task(read_recipe(recipe, places), recipe.parent / "cache", print)


# ── frames ───────────────────────────────────────────────────────────────────────────────────────────────


def test_classes_of_frames() -> None:
    """Four people; the third is the quietest and drops out; of three at once two stay."""
    active = np.array(
        [
            [0, 0, 0, 0],
            [1, 0, 0, 0],
            [1, 1, 0, 0],
            [1, 1, 0, 1],
            [0, 1, 1, 1],
            [0, 1, 0, 1],
            [0, 1, 0, 0],
        ],
        dtype=bool,
    )
    # In order of their speech: second (5), first (3), fourth (3).
    assert [set(np.flatnonzero(row)) for row in powerset(3, 2)[class_labels(active, 3, 2)]] == [
        set(), {1}, {0, 1}, {0, 1}, {0, 2}, {0, 2}, {0},
    ]  # fmt: skip


def test_classes_without_anybody() -> None:
    assert class_labels(np.zeros((4, 0), bool), 3, 2).tolist() == [0] * 4


def test_activity_is_on_the_segmenter_s_frames(default, recording: Path) -> None:
    """The labels of training are on the grid of the frames that come out when diarizing."""
    grid = default.segmenter(
        next(
            tertulia.audio.windows.slide(
                [np.zeros(160_000, np.float32)], 16_000, size=160_000, hop=160_000, batch=1
            )
        )
    ).grid
    reference = Diarization([(1.0, 2.0, "a")])
    active = activity(reference, grid, 589)[:, 0]
    assert active.sum() == pytest.approx(1.0 / grid.step, abs=1)
    assert grid.middles(589)[active][0] == pytest.approx(1.0, abs=grid.step)


masks = arrays(bool, st.tuples(st.just(40), st.integers(1, 3)))


@given(masks, masks)
@settings(deadline=None)
def test_window_errors_are_those_of_turns(reference: np.ndarray, hypothesis: np.ndarray) -> None:
    grid = Grid(0.5)
    turns = [
        Diarization(
            [(s.start, s.end, str(k)) for k, column in enumerate(mask.T) for s in grid.timeline(column)]
        )
        for mask in (reference, hypothesis)
    ]
    expected = diarization_error(*turns)
    got = window_errors(reference, hypothesis, 0.5)
    for name in ("total", "false_alarm", "missed", "confusion"):
        assert getattr(got, name) == pytest.approx(getattr(expected, name)), name


# ── where it begins ──────────────────────────────────────────────────────────────────────────────────────


def test_bundled_weights_come_back_as_they_are() -> None:
    network = pyannet(weights("segmentation-3.0")).eval()
    waveforms = 0.1 * torch.randn(2, 1, 24_000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(waveforms).numpy()
    got = Network("segmentation-3.0", 1)(waveforms=waveforms.numpy())
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_what_was_exported_comes_back(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = PyanNet().eval()
    axes = {"waveforms": {0: "batch", 2: "samples"}, "output": {0: "batch", 1: "frames"}}
    export(network, tmp_path / "mine.onnx", [{"waveforms": torch.zeros(1, 1, 16_000)}], axes)
    again = pyannet(tmp_path / "mine.onnx")
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_other_networks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the parameters of this segmentation network"):
        pyannet(weights("silero-vad-6"))
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match=r"bad\.onnx"):
        pyannet(tmp_path / "bad.onnx")


# ── the task ─────────────────────────────────────────────────────────────────────────────────────────────


def test_examples_have_the_reference_s_labels(
    written: Written, recordings: tuple[Path, Path], reference: Diarization
) -> None:
    task = task_of(written(**CHANGES), recordings)
    example = task.example(0, np.random.default_rng(0))
    assert example["waveforms"].shape == (1, 32_000)
    assert example["labels"].shape == ((32_000 - 991) // 270 + 1,)
    logs = task.model().network(torch.from_numpy(example["waveforms"][None]))
    assert logs.shape[1] == len(example["labels"])
    # All windows of the recording together hold as much speech as its reference.
    counts = powerset(3, 2).sum(axis=1)
    total = sum(counts[task._window(task.train, 0, s)[1]].sum() for s in range(0, 480_000, 32_000))
    windows, per_window = 15, len(example["labels"])
    spoken = sum(timeline.duration for _, timeline in reference.items()) / 30
    assert total / (windows * per_window) == pytest.approx(spoken, rel=0.03)


def test_outside_of_a_uem_nothing_counts(written: Written, recordings: tuple[Path, Path]) -> None:
    (recordings[0] / "train.uem").write_text("train 1 0.0 10.0\n")
    task = task_of(written(**CHANGES), recordings)
    assert (task._window(task.train, 0, 12 * 16_000)[1] == NOT_SCORED).all()
    inside = task._window(task.train, 0, 9 * 16_000)[1]
    assert ((inside == NOT_SCORED).nonzero()[0] > len(inside) // 2 - 3).all()


def test_fine_tuning_end_to_end(
    written: Written, recordings: tuple[Path, Path], tmp_path: Path, recording: Path
) -> None:
    """A few steps on the very recording it is measured on have to help there, or nothing is learnt."""
    recipe = written(**CHANGES | {"loop": {"epochs": 2, "batch": 4}})
    places = [f"--data={key}={path}" for key, path in zip(("recordings", "dev"), recordings, strict=True)]
    folder = tmp_path / "run"
    command = [
        "train",
        str(recipe),
        *places,
        "-o",
        str(folder),
        "--cache",
        str(tmp_path / "cache"),
        "--quiet",
    ]
    assert main(command) == 0
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert {
        "loss",
        "loss_dev",
        "window_der",
        "window_false_alarm",
        "window_missed",
        "window_confusion",
    } <= set(lines[-1])
    before = task_of(recipe, recordings)
    with torch.no_grad():
        at_first = before.evaluate(before.model().eval())
    assert lines[-1]["loss_dev"] < at_first["loss_dev"]
    card = (folder / "small.md").read_text()
    assert "held-out recordings, before | DER" in card
    assert "held-out recordings, after | DER" in card
    used = tertulia.load(segmentation=str(folder / "small.onnx"))(recording)
    assert used.speakers


def test_frozen_parts_stay_and_weights_can_be_averaged(
    written: Written, recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe = written(**CHANGES, export={"keep": 0.75})
    task = task_of(recipe, recordings)
    model = task.model()
    start = {k: v.clone() for k, v in model.network.state_dict().items()}
    frozen = {k for k, p in model.network.named_parameters() if not p.requires_grad}
    assert frozen
    assert all(name.startswith("sincnet.") for name in frozen)
    with torch.no_grad():
        model.network.classifier.bias += 1.0
    task.finish(model, tmp_path, "small")
    kept = pyannet(tmp_path / "small.onnx").state_dict()
    torch.testing.assert_close(kept["classifier.bias"], start["classifier.bias"] + 0.25)
    torch.testing.assert_close(kept["lstm.weight_hh_l2"], start["lstm.weight_hh_l2"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": {**CHANGES["network"], "start": "nothing"}}, "no weights 'nothing'"),
        ({"network": {**CHANGES["network"], "frozen": ["ears"]}}, "frozen cannot hold"),
        ({"data": {**CHANGES["data"], "window": 0.5}}, "1 s or more"),
        ({"export": {"keep": 2.0}}, "keep is a share"),
        ({"loss": {"softmax": 1.0}}, "loss has nothing to choose"),
    ],
)
def test_wrong_settings(written: Written, recordings: tuple[Path, Path], changes: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        task_of(written(**CHANGES | changes), recordings)


def test_held_out_recordings_are_others(written: Written, recordings: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match=r"1 recordings are in both data\.recordings and data\.dev"):
        task_of(written(**CHANGES), (recordings[0], recordings[0]))
    with pytest.raises(UsageError, match=r"data\.dev is not set"):
        make_task(
            read_recipe(written(**CHANGES), {"recordings": str(recordings[0])}), recordings[0].parent, print
        )


def test_no_references(written: Written, recordings: tuple[Path, Path]) -> None:
    (recordings[1] / "dev.rttm").unlink()
    with pytest.raises(InputError, match="holds no recording with a reference"):
        task_of(written(**CHANGES), recordings)
