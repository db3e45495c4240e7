"""Batches of an epoch, the same however many processes make them and wherever in the epoch one begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tertulia.training.task import Staged

if TYPE_CHECKING:
    from tertulia.training.task import Examples, Task

__all__ = ["Batch", "batches", "steps_of"]

Batch = dict[str, Tensor]


class _Epoch(Dataset[Batch]):
    """Batch `i` of an epoch; each example has a generator of its own."""

    def __init__(self, task: Task, seed: int, epoch: int, size: int) -> None:
        self._task: Examples = task.stage(epoch) if isinstance(task, Staged) else task
        self._seed, self._epoch, self._size = seed, epoch, size
        self._order = self._task.order(np.random.default_rng([seed, epoch]))

    def __len__(self) -> int:
        return steps_of(len(self._order), self._size)

    def __getitem__(self, index: int) -> Batch:
        numbers = range(index * self._size, min((index + 1) * self._size, len(self._order)))
        examples = [
            self._task.example(int(self._order[i]), np.random.default_rng([self._seed, self._epoch, i]))
            for i in numbers
        ]
        return {name: torch.from_numpy(np.stack([e[name] for e in examples])) for name in examples[0]}


def steps_of(examples: int, size: int) -> int:
    """Count the batches of an epoch: whole ones, or the only one."""
    return max(1, examples // size)


def batches(
    task: Task, seed: int, epoch: int, size: int, first: int = 0, workers: int = 0
) -> Iterator[Batch]:
    """Yield the batches of an epoch from number `first` on.

    Args:
        task: makes examples.
        seed: of the run.
        epoch: from 0.
        size: examples in a batch.
        first: batches to leave out, because they are done.
        workers: processes that make them; 0 makes them in this one.
    """
    epoch_of = _Epoch(task, seed, epoch, size)
    options: dict[str, Any] = {"prefetch_factor": 4} if workers else {}
    # Generators are the examples' own: the loader must not take numbers from that of the run.
    own = torch.Generator()
    yield from DataLoader(
        epoch_of,
        batch_size=None,
        sampler=range(first, len(epoch_of)),
        num_workers=workers,
        generator=own,
        **options,
    )
