"""What is known beforehand about the number of speakers."""

from __future__ import annotations

from dataclasses import dataclass

from tertulia.errors import UsageError

__all__ = ["ANY", "Speakers"]


@dataclass(frozen=True, slots=True)
class Speakers:
    """The number of speakers, or bounds for it.

    Args:
        num: the exact number.
        minimum: at least this many.
        maximum: at most this many.

    Raises:
        UsageError: for a number below one, a minimum above the maximum, or a number and bounds together.
    """

    num: int | None = None
    minimum: int | None = None
    maximum: int | None = None

    def __post_init__(self) -> None:
        given = {"num": self.num, "minimum": self.minimum, "maximum": self.maximum}
        for name, value in given.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise UsageError(f"a number of speakers is a whole number from 1; got {name} {value!r}")
        if self.num is not None and (self.minimum is not None or self.maximum is not None):
            raise UsageError("give the number of speakers or bounds for it, not both")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise UsageError(f"at least {self.minimum} and at most {self.maximum} speakers cannot both hold")

    @property
    def least(self) -> int:
        """Smallest number allowed."""
        return self.num or self.minimum or 1

    @property
    def most(self) -> int | None:
        """Largest number allowed; None when there is no bound."""
        return self.num or self.maximum

    def __contains__(self, count: int) -> bool:
        return self.least <= count and (self.most is None or count <= self.most)

    def __str__(self) -> str:
        if self.num is not None:
            return f"exactly {self.num}"
        return (
            " and ".join(
                [f"at least {self.minimum}"] * (self.minimum is not None)
                + [f"at most {self.maximum}"] * (self.maximum is not None)
            )
            or "any number"
        )


ANY = Speakers()
