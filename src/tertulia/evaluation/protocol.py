"""What is scored: `Protocol`, and `Score`, the additive record that carries it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np

from tertulia.errors import UsageError
from tertulia.timeline import Diarization, Timeline

__all__ = ["DEFAULT", "Protocol", "ProtocolScore", "Score"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """Which part of a recording counts.

    A missing UEM means from 0 to the latest end in reference or hypothesis. (md-eval takes the extent of the
    reference instead, which forgives false alarms after it; pyannote.metrics takes the extent of both, which
    gives the same error rates as ours.)

    Args:
        collar: seconds left unscored on *each* side of every boundary in the reference, as in md-eval's `-c`;
            pyannote.metrics calls twice this number `collar`.
        skip_overlap: leave out the time in which the reference has two speakers or more, md-eval's `-1`.

    Raises:
        UsageError: when the collar is negative or not finite.
    """

    collar: float = 0.0
    skip_overlap: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.collar) and self.collar >= 0):
            raise UsageError(f"a collar needs a finite number of seconds ≥ 0; got {self.collar}")

    def describe(self, uem: bool = False) -> str:
        """Put the protocol in words, `uem` telling whether scoring followed a UEM."""
        collar = f"collar {self.collar:.12g} s each side" if self.collar else "no collar"
        overlap = "overlap skipped" if self.skip_overlap else "overlap scored"
        region = "UEM given" if uem else "no UEM: 0 to the latest end"
        return f"{collar}, {overlap}, {region}"

    def region(self, reference: Diarization, hypothesis: Diarization, uem: Timeline | None) -> Timeline:
        """Return the time that is scored, before `skip_overlap`: the UEM less the collars."""
        if uem is None:
            ends = [t.bounds[-1, 1] for d in (reference, hypothesis) for _, t in d.items()]
            uem = Timeline([(0.0, max(ends))]) if ends else Timeline()
        if self.collar == 0 or not len(reference):
            return uem
        edges = np.unique(np.concatenate([timeline.bounds.ravel() for _, timeline in reference.items()]))
        collars = np.stack([np.maximum(edges - self.collar, 0.0), edges + self.collar], axis=1)
        return uem - Timeline.from_bounds(collars)


DEFAULT = Protocol()
"""No collar, overlap scored."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """Base of all records: quantities that add up over files and are divided only when asked for.

    `a + b` adds every quantity, `sum(records)` pools many. Two records that were not made under the same
    conditions (`CONDITIONS`: for most records the protocol) do not add: `UsageError`.
    """

    CONDITIONS: ClassVar[tuple[str, ...]] = ("protocol",)

    @classmethod
    def quantities(cls) -> tuple[str, ...]:
        """Names of the fields that add up."""
        return tuple(f.name for f in fields(cls) if f.name not in cls.CONDITIONS)

    def __add__(self, other: object) -> Self:
        if not isinstance(other, type(self)):
            return NotImplemented
        for name in self.CONDITIONS:
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise UsageError(f"scores of different {name} do not add: {mine} and {theirs}")
        sums: dict[str, Any] = {n: getattr(self, n) + getattr(other, n) for n in self.quantities()}
        return replace(self, **sums)

    def __radd__(self, other: object) -> Self:
        # `sum` begins with the number 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented


@dataclass(frozen=True, kw_only=True)
class ProtocolScore(Score):
    """A score that depends on collar and overlap policy."""

    protocol: Protocol = DEFAULT
