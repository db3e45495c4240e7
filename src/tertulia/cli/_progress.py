"""A bar on standard error for what takes longer than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from tertulia.progress import Progress

__all__ = ["progress_bar"]

_PATIENCE = 2.0


@contextmanager
def progress_bar(label: str, since: float, quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Give a progress hook that draws a bar, or None where none is wanted.

    The bar is gone when the context is left, so that results can be printed.

    Args:
        label: what stands before the bar.
        since: when the command began, on the clock of `time.monotonic`: it is patient for two seconds.
        quiet: whether to draw nothing; nothing is drawn either unless standard error is a terminal.
    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    bar: Bar | None = None

    def update(progress: Progress) -> None:
        nonlocal bar
        if bar is None:
            if time.monotonic() - since < _PATIENCE:
                return
            bar = _started(label)
        bar.update(bar.task_ids[0], completed=progress.done, total=progress.total)

    try:
        yield update
    finally:
        if bar is not None:
            bar.stop()


def _started(label: str) -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task(label, total=None)
    bar.start()
    return bar
