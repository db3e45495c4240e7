"""`Activity`: who is active when inside each window, as a segmentation model tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows
from tertulia.frames import Grid

__all__ = ["Activity", "Gathered", "Segmenter", "joined"]

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """Activity of the local speakers of each window. Local speaker 0 of two windows may be two people.

    Attributes:
        scores: (windows, frames, local speakers), probability in [0, 1] that the speaker is active.
        active: the same as decisions, bool.
        solo: weight in [0, 1] with which a frame shows that speaker alone; zero where anybody else is active.
        count: (windows, frames), expected number of people active at once.
        grid: of the frames within a window.
        hop: seconds between the beginnings of two windows.
    """

    scores: Array
    active: NDArray[np.bool_]
    solo: Array
    count: Array
    grid: Grid
    hop: float

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Put consecutive batches together; the list is emptied, see `joined`."""
        grid, hop = parts[0].grid, parts[0].hop
        columns = [[part.scores, part.active, part.solo, part.count] for part in parts]
        parts.clear()
        scores, active, solo, count = joined(columns)
        return cls(scores, active, solo, count, grid, hop)

    def __len__(self) -> int:
        return len(self.scores)


def joined(rows: list[list[NDArray[Any]]]) -> list[NDArray[Any]]:
    """Concatenate the arrays of rows, column by column.

    The rows are emptied on the way: of hours of sound, nothing much is ever held twice.
    """
    columns = []
    while rows[0]:
        first, count = rows[0][0], sum(len(row[0]) for row in rows)
        column, filled = np.empty((count, *first.shape[1:]), first.dtype), 0
        for row in rows:
            part = row.pop(0)
            column[filled : filled + len(part)] = part
            filled += len(part)
        columns.append(column)
    return columns


class Joining(Protocol):
    """What batches are of: can be put together, see `joined`."""

    @classmethod
    def join(cls, parts: list[Self]) -> Self: ...


J = TypeVar("J", bound=Joining)


class Gathered(Generic[J]):
    """Batches on their way to one whole.

    Every so many are put together at once. An allocator gives large blocks back to the system when they are
    freed, and keeps small ones: hours of sound, held in small ones until the end, would be held twice then.
    """

    _MANY = 64

    def __init__(self, kind: type[J]) -> None:
        self.kind = kind
        self.blocks: list[J] = []
        self.parts: list[J] = []

    def append(self, part: J) -> None:
        """Take the next batch."""
        self.parts.append(part)
        if len(self.parts) == self._MANY:
            self.blocks.append(self.kind.join(self.parts))

    def whole(self) -> J:
        """Put everything together; nothing is left here."""
        every = self.blocks + self.parts
        self.blocks, self.parts = [], []
        return self.kind.join(every)


class Segmenter(Protocol):
    """Tells who is active when inside windows.

    Attributes:
        sample_rate: of the windows it takes, in Hz.
        window: their length in seconds.
        hop: seconds between two windows of a long recording.
    """

    @property
    def sample_rate(self) -> int: ...  # noqa: D102
    @property
    def window(self) -> float: ...  # noqa: D102
    @property
    def hop(self) -> float: ...  # noqa: D102

    def __call__(self, windows: Windows) -> Activity:
        """Segment a batch of windows."""
        ...
