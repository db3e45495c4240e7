"""`Progress`: how far the work on a recording is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "Report"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Seconds of sound that are done, and how many there are if the recording says so."""

    done: float
    total: float | None


Report = Callable[[Progress], None]
