"""Everything a run needs to go on as if it had never stopped, in one safetensors file.

Tensors: the model, the state of the optimiser, the state of the random generators. The rest, the recipe, the
place in the run and its history, is JSON in the header of the file. Nothing is pickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tertulia.errors import InputError, UsageError
from tertulia.training.files import replacing

__all__ = ["Progress", "begin_with", "load", "save"]

_MODEL, _OPTIMIZER, _RANDOM = "model.", "optimizer.", "random."


@dataclass(frozen=True)
class Progress:
    """Where a run is.

    Args:
        epoch: the epoch that is going on, from 0.
        step: steps of it that are done.
        sums: name of a loss → its sum over those steps.
        seconds: spent so far, all sessions together.
        history: figures of every finished epoch.
        start: what the run began with, if not with chance.
    """

    epoch: int = 0
    step: int = 0
    sums: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    history: tuple[Mapping[str, float], ...] = ()
    start: str = ""

    @property
    def means(self) -> dict[str, float]:
        """Mean of every loss over the steps of this epoch."""
        return {name: total / self.step for name, total in self.sums.items()}

    def stepped(self, losses: Mapping[str, float]) -> Progress:
        """Count one more step."""
        names = [*self.sums, *(name for name in losses if name not in self.sums)]
        sums = {name: self.sums.get(name, 0.0) + losses.get(name, 0.0) for name in names}
        return replace(self, step=self.step + 1, sums=sums)

    def next_epoch(self, figures: Mapping[str, float]) -> Progress:
        """Count one more epoch."""
        return replace(self, epoch=self.epoch + 1, step=0, sums={}, history=(*self.history, dict(figures)))


def save(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    identity: Mapping[str, Any],
) -> None:
    """Write a checkpoint beside the last one, then put it in its place.

    Args:
        path: where to.
        model: with everything that is learnt.
        optimizer: of its parameters.
        progress: where the run is.
        identity: what has to be the same for the run to go on: recipe and data.

    Raises:
        OutputError: when it cannot be written, as on a full disk; the last checkpoint is as it was.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    state = optimizer.state_dict()
    tensors = {f"{_MODEL}{name}": value for name, value in model.state_dict().items()}
    plain: dict[str, dict[str, Any]] = {}
    for number, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{_OPTIMIZER}{number}.{name}"] = value
            else:
                plain.setdefault(str(number), {})[name] = value
    tensors |= {f"{_RANDOM}{name}": value for name, value in _random_state().items()}
    about = {
        "progress": asdict(progress),
        "groups": state["param_groups"],
        "plain": plain,
        "identity": identity,
    }
    values = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with replacing(path, "; the last checkpoint is as it was") as draft:
        try:
            save_file(values, draft, {"tertulia": json.dumps(about)})
        except SafetensorError as error:  # how it passes on what the operating system says
            raise OSError(str(error)) from error


def load(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, identity: Mapping[str, Any]
) -> Progress:
    """Put a run back to where a checkpoint was written; model, optimiser and generators change in place.

    Raises:
        InputError: when it is no checkpoint of a run.
        UsageError: when recipe or data are not those it was written with; says what differs.
    """
    about, tensors = _read(path)
    if changed := _differences(about["identity"], json.loads(json.dumps(identity))):
        raise UsageError(f"{path.parent} was begun with another recipe or other data: {'; '.join(changed)}")
    model.load_state_dict(_part(tensors, _MODEL))
    state: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in about["plain"].items()}
    for name, value in _part(tensors, _OPTIMIZER).items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": about["groups"]})
    _set_random_state(_part(tensors, _RANDOM))
    progress = about["progress"]
    return Progress(**{**progress, "history": tuple(progress["history"])})


def begin_with(path: Path, model: nn.Module) -> tuple[str, list[str]]:
    """Copy what a model shares with that of another run, by name and shape.

    Args:
        path: the checkpoint of that run.
        model: changes in place.

    Returns:
        What it begins with, and the names of its parameters and buffers that stay as they were.

    Raises:
        InputError: when it is no checkpoint of a run.
        UsageError: when nothing fits.
    """
    own = model.state_dict()
    about, tensors = _read(path)
    other = _part(tensors, _MODEL)
    fits = {k: v for k, v in other.items() if k in own and own[k].shape == v.shape}
    if not fits:
        raise UsageError(f"{path}: nothing in it fits the network of this recipe")
    model.load_state_dict(fits, strict=False)
    called = f"`{about['identity']['recipe']['name']}` after {about['progress']['epoch']} epochs"
    return called, [name for name in own if name not in fits]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["tertulia"])
            return about, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — not a mapping
    except Exception as error:  # safetensors raises its own class, of which older releases know nothing
        raise InputError(f"{path}: no checkpoint of a run: {error}") from error


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _random_state() -> dict[str, Tensor]:
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _set_random_state(state: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def _differences(before: Any, now: Any, where: str = "") -> list[str]:
    """Name what differs between two values made of tables."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [*before, *(key for key in now if key not in before)]
        return [
            line
            for key in keys
            for line in _differences(before.get(key), now.get(key), f"{where}.{key}" if where else key)
        ]
    return [] if before == now else [f"{where} was {before!r} and is {now!r}"]
