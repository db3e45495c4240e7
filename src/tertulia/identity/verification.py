"""Whether two recordings are one person: `Verification`, and the systems that tell.

This compares recordings. It does not prove who somebody is: a replayed or cloned voice passes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tertulia.audio import Source
from tertulia.identity.enrolment import Ear
from tertulia.identity.scoring import Decision

__all__ = ["VERIFIERS", "NetworkVerifier", "Verification", "Verifier"]


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer for two recordings.

    Attributes:
        decision: score and decision at the rate of false accepts that was asked for.
        seconds: net speech of either recording.
    """

    decision: Decision
    seconds: tuple[float, float]

    @property
    def probability(self) -> float:
        """That it is one person, when that is as likely as not beforehand."""
        return self.decision.score.probability()


class Verifier(Protocol):
    """Tells whether two recordings are one person."""

    def __call__(
        self, one: Source, other: Source, *, false_accept: float, one_speaker: bool = False
    ) -> Verification:
        """Compare two recordings of one person each.

        Args:
            one, other: the recordings.
            false_accept: share of pairs of different people that may be taken for one.
            one_speaker: whether it is known that only one person speaks in each.

        Raises:
            InputError: when a recording holds too little speech, or several people.
        """
        ...


@dataclass(frozen=True)
class NetworkVerifier:
    """Compares voiceprints.

    Args:
        ear: makes them.
    """

    ear: Ear

    @classmethod
    def load(cls, threads: int | None = None) -> NetworkVerifier:
        """Take the bundled networks."""
        return cls(Ear.load(threads))

    def __call__(
        self, one: Source, other: Source, *, false_accept: float, one_speaker: bool = False
    ) -> Verification:
        """Compare; see `Verifier`."""
        a, b = (self.ear(source, one_speaker=one_speaker) for source in (one, other))
        decision = self.ear.scorer.verify(a, b, false_accept)
        return Verification(decision, (a.seconds, b.seconds))


def _gmm_ubm(_threads: int | None) -> Verifier:
    """NumPy decides for itself about threads."""
    from tertulia.identity.gmm import GaussianVerifier  # which needs `Verification` from here

    return GaussianVerifier.load()


VERIFIERS: dict[str, Callable[[int | None], Verifier]] = {
    "default": NetworkVerifier.load,
    "gmm-ubm": _gmm_ubm,
}
"""Systems by name, each made from a number of threads (None: one a core)."""
