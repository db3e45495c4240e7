"""What a run leaves to read: a log, curves, a card."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tertulia._version import __version__
from tertulia.drawing import to_png
from tertulia.errors import MissingExtraError, OutputError
from tertulia.formats import write_text
from tertulia.training.checkpoint import Progress
from tertulia.training.curves import draw_curves
from tertulia.training.recipe import Recipe

__all__ = ["Records", "write_card"]


class Records:
    """The log (a line of JSON an epoch) and the curves of a run; a context manager.

    Args:
        folder: of the run.
        tensorboard: write event files as well.

    Raises:
        MissingExtraError: when tensorboard is asked for and not installed.
    """

    def __init__(self, folder: Path, tensorboard: bool = False) -> None:
        self._folder = folder
        self._events = _events(folder) if tensorboard else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._events is not None:
            self._events.close()

    def epoch(self, progress: Progress, lr: float, seconds: float) -> None:
        """Record the epoch that has just ended."""
        figures = progress.history[-1]
        line = json.dumps({**figures, "lr": lr, "seconds": round(seconds, 3)})
        try:
            with (self._folder / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise OutputError(f"cannot write to {self._folder / 'log.jsonl'}: {error.strerror}") from error
        svg = draw_curves(progress.history)
        write_text(self._folder / "curves.svg", svg)
        with suppress(MissingExtraError):  # SVG is drawn without it
            (self._folder / "curves.png").write_bytes(to_png(svg))
        if self._events is not None:
            for name, value in figures.items():
                self._events.add_scalar(name, value, figures["epoch"])


def _events(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError(
            "event files need tensorboard: pip install 'tertulia[tensorboard]'; log.jsonl is there without"
        ) from error
    return SummaryWriter(str(folder / "tensorboard"))


def write_card(
    folder: Path, recipe: Recipe, progress: Progress, about: Mapping[str, Any], device: str
) -> None:
    """Write `NAME.md`: what the network is, what it was trained on and how, and what it reaches."""
    rows = {
        **about,
        "recipe": f"`{recipe.name}.toml`, seed {recipe.seed}",
        "training": f"{progress.epoch} epochs, {progress.seconds / 60:.1f} min on {_machine(device)}",
        **({"begun with": progress.start} if progress.start else {}),
        "made by": f"tertulia {__version__}",
    }
    lines = [f"# {recipe.name}", "", recipe.summary, "", "| | |", "|---|---|"]
    lines += [f"| {name} | {text} |" for name, text in rows.items()]
    write_text(folder / f"{recipe.name}.md", "\n".join(lines) + "\n")


def _machine(device: str) -> str:
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} threads of {platform.machine()}"
