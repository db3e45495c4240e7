"""A training run. `train` is the one page that is the same for every network."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import torch
from torch import nn

from tertulia.errors import InputError, MissingExtraError, OutputError, UsageError
from tertulia.training import checkpoint
from tertulia.training.batches import Batch, batches
from tertulia.training.checkpoint import Progress
from tertulia.training.recipe import Loop, Recipe
from tertulia.training.records import Records, write_card
from tertulia.training.task import Model, Task

__all__ = ["CHECKPOINT", "train"]

CHECKPOINT = "checkpoint.safetensors"

Report = Callable[[str], None]


def train(
    recipe: Recipe,
    task: Task,
    folder: Path,
    *,
    device: str = "cpu",
    resume: bool = False,
    start: Path | None = None,
    tensorboard: bool = False,
    report: Report,
) -> None:
    """Train a network.

    The folder then holds `checkpoint.safetensors`, `log.jsonl`, `curves.svg` (and `.png`, extra `plot`), one
    or more ONNX files whose names begin with that of the recipe, and their card `NAME.md`.

    Args:
        recipe: every number.
        task: made of it by `tertulia.training.make_task`.
        folder: where everything goes; created when missing.
        device: `cpu` or `cuda`.
        resume: go on from the checkpoint in the folder.
        start: checkpoint of another run, whose parameters this one begins with as far as they fit.
        tensorboard: write event files as well (extra `tensorboard`).
        report: told what happens, a line at a time.

    Raises:
        UsageError: when the folder holds a run and `resume` is off, or one that cannot be gone on with.
        InputError: when a loss or gradient is no number; the last checkpoint is kept.
        OutputError: when something cannot be written; the last checkpoint is kept.
        KeyboardInterrupt: when the run was interrupted, after saving.
    """
    if resume and start is not None:
        raise UsageError("a run that goes on begins with nothing: --start or --resume, not both")
    _prepare(folder, device, resume)
    path, loop, rate_in = folder / CHECKPOINT, recipe.make_loop(), recipe.make_schedule()
    with Records(folder, tensorboard) as records, _random(recipe.seed), _interruptible() as interrupted:
        model = task.model().to(device)  # the network, and what only its training needs
        optimizer = recipe.make_optimizer([p for p in model.parameters() if p.requires_grad])
        identity = {"recipe": recipe.identity, "data": task.identity}
        if resume:
            progress = checkpoint.load(path, model, optimizer, identity)
            report(f"goes on in epoch {progress.epoch + 1} after {progress.step} steps of it")
        else:
            begun_with = "" if start is None else _begin_with(start, model, report)
            progress = Progress(history=({"epoch": 0, **_measure(task, model)},), start=begun_with)
            checkpoint.save(path, model, optimizer, progress, identity)
            records.epoch(progress, lr=0.0, seconds=0.0)
        while progress.epoch < loop.epochs:
            begun, epoch = time.monotonic(), progress.epoch
            _set_rate(optimizer, rate_in(epoch))
            model.train()
            for batch in batches(task, recipe.seed, epoch, loop.batch, progress.step, loop.workers):
                losses = _step(model, optimizer, _moved(batch, device), loop)  # name → value
                _check(losses, progress, path)
                progress = progress.stepped(losses)
                if interrupted():
                    checkpoint.save(path, model, optimizer, _spent(progress, begun), identity)
                    report(f"saved in epoch {epoch + 1} after {progress.step} steps of it; --resume goes on")
                    raise KeyboardInterrupt
            figures = {"epoch": epoch + 1, **progress.means, **_measure(task, model)}
            progress = _spent(progress, begun).next_epoch(figures)
            checkpoint.save(path, model, optimizer, progress, identity)
            records.epoch(progress, optimizer.param_groups[0]["lr"], time.monotonic() - begun)
            report(_line(figures, loop.epochs))
        # Exports are made and compared on the CPU, so what is measured last is measured there as well.
        about = task.finish(model.cpu().eval(), folder, recipe.name)
        write_card(folder, recipe, progress, about, device)


def _begin_with(start: Path, model: Model, report: Report) -> str:
    """Take over parameters; returns what they are."""
    named, new = checkpoint.begin_with(start, model)
    report(f"begins with {named}; new: {', '.join(new) or 'nothing'}")
    return named


def _step(model: Model, optimizer: torch.optim.Optimizer, batch: Batch, loop: Loop) -> dict[str, float]:
    """Take a step, unless something is no number; returns the losses, their sum and the gradient's norm."""
    half = loop.precision == "bfloat16"
    device = next(model.parameters()).device.type
    with torch.autocast(device, torch.bfloat16, enabled=half):
        losses = model(batch)
    total = torch.stack([value.float() for value in losses.values()]).sum()
    optimizer.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    longest = loop.clip or math.inf
    norm = nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], longest)
    values = {name: float(value.detach()) for name, value in losses.items()} if len(losses) > 1 else {}
    values |= {"loss": float(total.detach()), "gradient": float(norm)}
    if all(map(math.isfinite, values.values())):
        optimizer.step()
    return values


def _check(losses: dict[str, float], progress: Progress, path: Path) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            raise InputError(
                f"{name} is {value} in epoch {progress.epoch + 1}, step {progress.step + 1}; "
                f"{path} is as it was before; a lower learning rate or `clip` may help"
            )


def _measure(task: Task, model: Model) -> dict[str, float]:
    model.eval()
    with torch.no_grad():
        return task.evaluate(model)


def _moved(batch: Batch, device: str) -> Batch:
    return {name: value.to(device) for name, value in batch.items()}


def _set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = optimizer.defaults["lr"] * factor


def _spent(progress: Progress, begun: float) -> Progress:
    return replace(progress, seconds=progress.seconds + time.monotonic() - begun)


def _line(figures: dict[str, float], epochs: int) -> str:
    shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items() if name != "epoch")
    return f"epoch {figures['epoch']} of {epochs}: {shown}"


def _prepare(folder: Path, device: str, resume: bool) -> None:
    """Refuse what could only fail later."""
    if device == "cuda" and not torch.cuda.is_available():
        raise MissingExtraError("there is no GPU that torch can use; --device cpu runs without")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from error
    begun = (folder / CHECKPOINT).exists()
    if begun and not resume:
        raise UsageError(f"{folder} holds a run already; --resume goes on with it, -o begins another")
    if resume and not begun:
        raise UsageError(f"{folder} holds no {CHECKPOINT} to go on from")


@contextmanager
def _random(seed: int) -> Iterator[None]:
    """Seed torch for a run, and give it back as it was."""
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a wish that is granted between two steps; the second one is at once."""
    wished = threading.Event()

    def wish(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 — what Python hands over
        if wished.is_set():
            raise KeyboardInterrupt
        wished.set()

    if threading.current_thread() is not threading.main_thread():
        yield wished.is_set
        return
    before = signal.signal(signal.SIGINT, wish)
    try:
        yield wished.is_set
    finally:
        signal.signal(signal.SIGINT, before)
