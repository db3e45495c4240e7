"""Training: a recipe in, a network out.

A recipe is one TOML file with every number in it. What differs between networks is a `Task`: one line in
`TASKS`. The rest, `train`, is one page. Needs the `train` extra.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tertulia.errors import unknown
from tertulia.training.crowd import CrowdTask
from tertulia.training.emotions import EmotionTask
from tertulia.training.endtoend import EndToEndTask
from tertulia.training.pretraining import PretrainingTask
from tertulia.training.recipe import Recipe, read_recipe
from tertulia.training.run import train
from tertulia.training.segmentation import SegmentationTask
from tertulia.training.separation import SeparationTask
from tertulia.training.siamese import SiameseTask
from tertulia.training.sounds import SoundTask
from tertulia.training.speakers import SpeakerTask
from tertulia.training.task import Model, Task

__all__ = ["TASKS", "Model", "Recipe", "Task", "make_task", "read_recipe", "train"]

TASKS: dict[str, Callable[..., Any]] = {
    "one-or-two": CrowdTask,
    "emotions": EmotionTask,
    "segmentation": SegmentationTask,
    "separation": SeparationTask,
    "siamese": SiameseTask,
    "sortformer": EndToEndTask,
    "sounds": SoundTask,
    "speakers": SpeakerTask,
    "wav2vec": PretrainingTask,
}


def make_task(recipe: Recipe, cache: Path, report: Callable[[str], None]) -> Task:
    """Make the task of a recipe: its tables are checked, its data read.

    Args:
        recipe: says which.
        cache: folder for what is worth keeping between runs, such as decoded sound.
        report: told what is left out, a line at a time.

    Raises:
        UsageError: for an unknown task, key or value.
        InputError: when the data cannot be used.
    """
    if recipe.task not in TASKS:
        raise unknown("task", recipe.task, TASKS)
    task: Task = TASKS[recipe.task](recipe, cache, report)
    return task
