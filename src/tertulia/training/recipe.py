"""`Recipe`: one TOML file with every number of a training run."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from tertulia.config import from_table, part
from tertulia.errors import UsageError

__all__ = ["OPTIMIZERS", "SCHEDULES", "Loop", "Recipe", "read_recipe"]


@dataclass(frozen=True)
class Adam:
    """Adam; with `decoupled` weight decay it is AdamW."""

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled: bool = False

    def __call__(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimiser of some parameters."""
        kind = torch.optim.AdamW if self.decoupled else torch.optim.Adam
        # One loop over all numbers instead of a dozen over each parameter: a twentieth of a small network's
        # step.
        return kind(
            parameters,
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=True,
        )


@dataclass(frozen=True)
class RMSprop:
    """RMSprop."""

    lr: float
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __call__(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimiser of some parameters."""
        return torch.optim.RMSprop(
            parameters, lr=self.lr, alpha=self.alpha, eps=self.eps, weight_decay=self.weight_decay
        )


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent."""

    lr: float
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __call__(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimiser of some parameters."""
        return torch.optim.SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)


OPTIMIZERS: dict[str, type] = {"adam": Adam, "rmsprop": RMSprop, "sgd": SGD}


@dataclass(frozen=True)
class Constant:
    """The learning rate stays."""

    def __call__(self, epoch: int) -> float:  # noqa: ARG002 — a schedule is asked every epoch
        """Return the factor of the learning rate in an epoch, from 0."""
        return 1.0


@dataclass(frozen=True)
class Cosine:
    """Cosine annealing: from one to `lowest` in `t_max` epochs, after `warmup` epochs of rising."""

    t_max: int
    lowest: float = 0.0
    warmup: int = 0

    def __call__(self, epoch: int) -> float:
        """Return the factor of the learning rate in an epoch, from 0."""
        if epoch < self.warmup:
            return (epoch + 1) / (self.warmup + 1)
        phase = math.pi * (epoch - self.warmup) / self.t_max
        return self.lowest + (1 - self.lowest) * (1 + math.cos(phase)) / 2


SCHEDULES: dict[str, type] = {"constant": Constant, "cosine": Cosine}


@dataclass(frozen=True)
class Loop:
    """How long, in what portions.

    Args:
        epochs: how many.
        batch: examples in a batch.
        precision: of the computation; parameters are float32 always.
        clip: longest gradient; 0 does not clip.
        workers: processes that make batches; 0 makes them in between.
    """

    epochs: int
    batch: int
    precision: Literal["float32", "bfloat16"] = "float32"
    clip: float = 0.0
    workers: int = 0

    def __post_init__(self) -> None:
        if not (self.epochs >= 1 and self.batch >= 1 and self.clip >= 0 and self.workers >= 0):
            raise UsageError("loop needs epochs and batch from 1, clip and workers from 0")


@dataclass(frozen=True)
class Recipe:
    """A training run as its file describes it.

    Attributes:
        name: what it is called, and the network that comes out of it.
        task: key of `tertulia.training.TASKS`, which knows what the tables below may hold.
        seed: of everything that is drawn.
        data, network, loss, augmentation, evaluation, export: tables of the task.
        optimizer, schedule: tables of parts, `name` and settings.
        loop: table of a `Loop`.
        summary: what it is, one line.
    """

    name: str
    task: str
    seed: int
    network: dict[str, Any]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    loop: dict[str, Any]
    data: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)
    augmentation: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    export: dict[str, Any] = field(default_factory=dict)
    summary: str = ""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UsageError(f"{self.name}.seed is a whole number from 0; got {self.seed}")
        self.make_optimizer([nn.Parameter(torch.zeros(1))])
        self.make_schedule()
        self.make_loop()

    @property
    def identity(self) -> dict[str, Any]:
        """What training depends on: not where the data lies, which may move, nor what is exported."""
        tables = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("summary", "export")}
        return tables | {"data": {k: v for k, v in self.data.items() if not isinstance(v, str)}}

    def make_optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimiser of some parameters."""
        kind = part(OPTIMIZERS, self.optimizer, f"{self.name}.optimizer", "optimizer")
        try:
            optimizer: torch.optim.Optimizer = kind(parameters)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{self.name}.optimizer: {error}") from error
        return optimizer

    def make_schedule(self) -> Any:
        """Make the schedule: epoch → factor of the learning rate."""
        return part(SCHEDULES, self.schedule, f"{self.name}.schedule", "schedule")

    def make_loop(self) -> Loop:
        """Read the table of the loop."""
        return from_table(Loop, self.loop, f"{self.name}.loop")


def read_recipe(path: str | Path, data: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe.

    Args:
        path: the TOML file.
        data: keys of its table `data` that are replaced, such as where the sound is.

    Raises:
        UsageError: when it cannot be read, or holds an unknown key or a wrong value.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: not a TOML file: {error}") from error
    if data:
        table = {**table, "data": {**table.get("data", {}), **data}}
    return from_table(Recipe, {"name": path.stem, **table}, str(path))
