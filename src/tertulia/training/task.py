"""`Task`: what is learnt from what. All that differs between one network's training and another's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["Examples", "Model", "Staged", "Task"]


class Model(nn.Module):
    """A network with what only its training needs, such as features, augmentation and a classifier.

    Attributes:
        network: what is exported.
    """

    network: nn.Module

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return named losses of a batch, weighted; their sum is minimised."""
        raise NotImplementedError


class Examples(Protocol):
    """What an epoch is made of."""

    def order(self, rng: Generator) -> NDArray[np.intp]:
        """Return the numbers of the examples of an epoch, (examples,), in the order they are used."""

    def example(self, number: int, rng: Generator) -> dict[str, NDArray[Any]]:
        """Make an example; arrays by name, of the same shapes for all examples of an epoch."""


class Task(Examples, Protocol):
    """Examples, a model, figures, and a file in the end."""

    @property
    def identity(self) -> dict[str, Any]:
        """What tells the data of a run from other data; a run goes on only with the same."""

    def model(self) -> Model:
        """Make the model as it is before training."""

    def evaluate(self, model: Any) -> dict[str, float]:
        """Measure after an epoch; rates as fractions. Uses up no random numbers of the run."""

    def finish(self, model: Any, folder: Path, name: str) -> dict[str, Any]:
        """Write ONNX files whose names begin with `name`; returns rows of their card, figures included."""


@runtime_checkable
class Staged(Protocol):
    """A task with a curriculum."""

    def stage(self, epoch: int) -> Examples:
        """Return the examples of an epoch, counted from 0."""
