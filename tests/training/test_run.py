"""A run from recipe to network: what it writes, how it goes on, how it ends when something is wrong."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tertulia
from tertulia.cli import main
from tertulia.embedding.ecapa import ECAPA
from tertulia.errors import InputError, MissingExtraError, OutputError, UsageError
from tertulia.training import checkpoint, make_task, read_recipe, train
from tertulia.training.run import CHECKPOINT
from tertulia.training.speakers import SpeakerTask

Written = Callable[..., Path]


class Interrupting(SpeakerTask):
    """Presses Ctrl-C while the example of that number is made."""

    at: int = 0
    made: int = 0

    def example(self, number: int, rng: np.random.Generator) -> dict[str, Any]:
        self.made += 1
        if self.made == self.at:
            os.kill(os.getpid(), signal.SIGINT)
        return super().example(number, rng)


def run(recipe: Path, speech: Path, folder: Path, *, at: int = 0, **options: Any) -> list[str]:
    said: list[str] = []
    described = read_recipe(recipe, {"speech": str(speech)})
    task = Interrupting(described, recipe.parent / "cache", said.append)
    task.at = at
    train(described, task, folder, report=said.append, **options)
    return said


def content(folder: Path) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    from safetensors import safe_open

    path = folder / CHECKPOINT
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["tertulia"])
    return load_file(path), about["progress"]["history"]


def assert_same(first: Path, second: Path) -> None:
    (tensors, history), (others, other_history) = content(first), content(second)
    assert tensors.keys() == others.keys()
    for name, value in tensors.items():
        assert torch.equal(value, others[name]), name
    assert history == other_history


def test_a_run_leaves_what_it_promises(written: Written, speech: Path, tmp_path: Path) -> None:
    said = run(written(), speech, tmp_path / "run")
    folder = tmp_path / "run"
    assert {path.name for path in folder.iterdir()} >= {
        CHECKPOINT,
        "log.jsonl",
        "curves.svg",
        "small-frames.onnx",
        "small-pooling.onnx",
        "small.md",
    }
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert lines[2]["loss"] < lines[1]["loss"]
    assert lines[1]["lr"] == pytest.approx(0.01)
    assert lines[2]["lr"] == pytest.approx(0.005)  # half-way down a cosine of two epochs
    assert all(0 <= line["eer_dev"] <= 1 for line in lines)
    card = (folder / "small.md").read_text()
    assert "4 speakers, 16 utterances" in card
    assert "seed 3" in card
    assert "EER, dev" in card
    assert [line for line in said if line.startswith("epoch 2 of 2")]


def test_the_network_is_an_embedder(
    written: Written, speech: Path, tmp_path: Path, windows, activity
) -> None:
    run(written(network={"dim": 192}), speech, tmp_path / "run")
    embedder = ECAPA(weights=str(tmp_path / "run" / "small"))
    voices = embedder(windows, activity)
    assert voices.vectors.shape == (5, 3, 1, 192)
    assert voices.embedded.any()
    np.testing.assert_allclose(np.linalg.norm(voices.vectors[voices.embedded], axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("at", [3, 4 * 4 + 6])
def test_going_on_is_as_never_having_stopped(written: Written, speech: Path, tmp_path: Path, at: int) -> None:
    """Interrupted in the first step and in the second epoch; masks make torch's random state matter."""
    recipe = written(augmentation={"masks": 1, "band": 8, "time": 0.1, "noise": 0.5, "snr": [0.0, 9.0]})
    run(recipe, speech, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(recipe, speech, tmp_path / "parts", at=at)
    assert len(content(tmp_path / "parts")[1]) == 1 + (at > 16)
    said = run(recipe, speech, tmp_path / "parts", resume=True)
    assert said[0].startswith(f"goes on in epoch {1 + (at > 16)} after ")
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_workers_make_the_same_batches(written: Written, speech: Path, tmp_path: Path) -> None:
    run(written(loop={"epochs": 1}), speech, tmp_path / "none")
    run(written(loop={"epochs": 1, "workers": 1}), speech, tmp_path / "one")
    assert_same(tmp_path / "none", tmp_path / "one")


def test_training_leaves_torch_as_it_was(written: Written, speech: Path, tmp_path: Path) -> None:
    before, handler = torch.get_rng_state(), signal.getsignal(signal.SIGINT)
    run(written(loop={"epochs": 1}), speech, tmp_path / "run")
    assert torch.equal(before, torch.get_rng_state())
    assert signal.getsignal(signal.SIGINT) is handler


def test_bfloat16_trains_too(written: Written, speech: Path, tmp_path: Path) -> None:
    run(written(loop={"precision": "bfloat16"}), speech, tmp_path / "run")
    history = content(tmp_path / "run")[1]
    assert history[2]["loss"] < history[1]["loss"]


def test_a_finished_run_is_only_exported_again(written: Written, speech: Path, tmp_path: Path) -> None:
    run(written(), speech, tmp_path / "run")
    before = (tmp_path / "run" / CHECKPOINT).read_bytes()
    (tmp_path / "run" / "small-frames.onnx").unlink()
    run(written(), speech, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "small-frames.onnx").exists()
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == before


def test_a_run_begins_with_another_ones_parameters(written: Written, speech: Path, tmp_path: Path) -> None:
    """What fits is taken over; the margin's classes and a wider layer are not there, or not alike."""
    run(written(), speech, tmp_path / "first")
    recipe = written("second", loss={"softmax": None, "margin": 1.0}, network={"dim": 20}, loop={"epochs": 1})
    said = run(recipe, speech, tmp_path / "second", start=tmp_path / "first" / CHECKPOINT)
    assert said[0].startswith("begins with `small` after 2 epochs; new: ")
    assert "network.project.weight" in said[0]
    assert said[0].endswith("margin.centres")
    assert "network.attention" not in said[0]
    assert "| begun with | `small` after 2 epochs |" in (tmp_path / "second" / "second.md").read_text()
    first, same = content(tmp_path / "first"), written("third", loop={"epochs": 1})
    run(same, speech, tmp_path / "third", start=tmp_path / "first" / CHECKPOINT)
    assert content(tmp_path / "third")[1][0] == {"epoch": 0, "eer_dev": first[1][-1]["eer_dev"]}


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(
    written: Written, speech: Path, tmp_path: Path
) -> None:
    recipe = written(optimizer={"name": "sgd", "lr": 1e30}, schedule={"name": "constant", "t_max": None})
    with pytest.raises(InputError, match=r"(loss|gradient) is (nan|inf) in epoch 1, step \d; .*as it was"):
        run(recipe, speech, tmp_path / "run")
    tensors, history = content(tmp_path / "run")
    assert len(history) == 1
    assert all(torch.isfinite(value).all() for value in tensors.values())


def test_a_full_disk_costs_nothing_but_the_rest(written: Written, speech: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(written(), speech, folder, at=4)
    before = (folder / CHECKPOINT).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(OutputError, match="the last checkpoint is as it was"):
            run(written(), speech, folder, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (folder / CHECKPOINT).read_bytes() == before
    assert not list(folder.glob(".*"))
    run(written(), speech, folder, resume=True)


def test_a_run_is_not_overwritten(written: Written, speech: Path, tmp_path: Path) -> None:
    run(written(loop={"epochs": 1}), speech, tmp_path / "run")
    with pytest.raises(UsageError, match=r"holds a run already; --resume"):
        run(written(loop={"epochs": 1}), speech, tmp_path / "run")
    with pytest.raises(UsageError, match=r"holds no checkpoint\.safetensors to go on from"):
        run(written(), speech, tmp_path / "nothing", resume=True)


def test_a_run_goes_on_with_its_own_recipe_and_data_only(
    written: Written, speech: Path, tmp_path: Path
) -> None:
    run(written(loop={"epochs": 1}), speech, tmp_path / "run")
    with pytest.raises(UsageError, match=r"recipe.optimizer.lr was 0.01 and is 0.02"):
        run(written(loop={"epochs": 1}, optimizer={"lr": 0.02}), speech, tmp_path / "run", resume=True)
    with pytest.raises(UsageError, match=r"data\.sound was .* and is "):
        run(written(loop={"epochs": 1}), copied(speech, tmp_path, 200), tmp_path / "run", resume=True)
    run(written(loop={"epochs": 1}), copied(speech, tmp_path), tmp_path / "run", resume=True)


def copied(speech: Path, tmp_path: Path, change: int | None = None) -> Path:
    """The same files elsewhere, their last bytes cut off if so wished."""
    for path in speech.rglob("*.wav"):
        target = tmp_path / "others" / path.relative_to(speech)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes()[: None if change is None else -change])
    return tmp_path / "others"


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", b"\x10\0\0\0\0\0\0\0{}              "])
def test_a_damaged_checkpoint(written: Written, speech: Path, tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / CHECKPOINT).write_bytes(damage)
    with pytest.raises(InputError, match="no checkpoint of a run"):
        run(written(), speech, tmp_path / "run", resume=True)


def test_a_run_begins_with_nothing_that_does_not_fit(written: Written, speech: Path, tmp_path: Path) -> None:
    run(written(loop={"epochs": 1}), speech, tmp_path / "run")
    start = tmp_path / "run" / CHECKPOINT
    with pytest.raises(UsageError, match="--start or --resume, not both"):
        run(written(), speech, tmp_path / "run", start=start, resume=True)
    with pytest.raises(InputError, match="no checkpoint of a run"):
        run(written(), speech, tmp_path / "other", start=tmp_path / "nothing.safetensors")
    with pytest.raises(UsageError, match="nothing in it fits"):
        checkpoint.begin_with(start, torch.nn.Linear(2, 3))


def test_no_gpu(written: Written, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingExtraError, match="--device cpu"):
        run(written(), speech, tmp_path / "run", device="cuda")


def test_a_folder_that_cannot_be(written: Written, speech: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot make the folder"):
        run(written(), speech, tmp_path / "file" / "run")


def test_nothing_is_ever_unpickled() -> None:
    sources = Path(tertulia.__file__).parent / "training"
    for path in sources.glob("*.py"):
        text = path.read_text()
        assert "torch.load" not in text
        assert "import pickle" not in text
        assert "allow_pickle=True" not in text


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────


def command(recipe: Path, speech: Path, tmp_path: Path, *more: str) -> list[str]:
    places = ["-o", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    return ["train", str(recipe), "--data", f"speech={speech}", *places, *more]


def test_the_command(written: Written, speech: Path, tmp_path: Path, capsys) -> None:
    assert main(command(written(loop={"epochs": 1}), speech, tmp_path)) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "epoch 1 of 1" in captured.err
    assert main(command(written(loop={"epochs": 1}), speech, tmp_path)) == 2
    assert "--resume" in capsys.readouterr().err
    assert main(command(written(loop={"epochs": 1}), speech, tmp_path, "--resume", "--quiet")) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--data", "speech"], 2, "--data takes KEY=PATH"),
        (["--data", "music=x"], 2, "unknown key in small.data 'music'"),
        (["--data", "speech=/no/where"], 3, "cannot read /no/where"),
        (["--device", "tpu"], 2, "tpu"),
    ],
)
def test_wrong_options(
    written: Written, speech: Path, tmp_path: Path, capsys, options: list[str], code: int, said: str
) -> None:
    assert main(command(written(), speech, tmp_path, *options)) == code
    assert said in capsys.readouterr().err


def test_without_torch_there_is_a_hint(
    written: Written, speech: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(command(written(), speech, tmp_path)) == 4
    assert "pip install 'tertulia[train]'" in capsys.readouterr().err


def test_without_tensorboard_there_is_a_hint(
    written: Written, speech: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert main(command(written(), speech, tmp_path, "--tensorboard")) == 4
    assert "tertulia[tensorboard]" in capsys.readouterr().err


def test_event_files(written: Written, speech: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    assert main(command(written(loop={"epochs": 1}), speech, tmp_path, "--tensorboard")) == 0
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))


def test_ctrl_c_saves_and_exits_130(written: Written, speech: Path, tmp_path: Path) -> None:
    recipe = written(loop={"epochs": 10_000})
    process = subprocess.Popen(
        [sys.executable, "-m", "tertulia", *command(recipe, speech, tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(tertulia.__file__).parents[1]), "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 120
    log = tmp_path / "run" / "log.jsonl"
    while not (log.exists() and '"epoch": 1' in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "--resume goes on" in said
    assert content(tmp_path / "run")[1][-1]["epoch"] >= 1


def test_a_task_that_does_not_exist(written: Written, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown task 'cooking'; there is: .*speakers"):
        make_task(read_recipe(written(task="cooking")), tmp_path, print)
