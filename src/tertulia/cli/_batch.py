"""Several inputs, one exit code: a failing one is named and costs no other its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tertulia.cli._terminal import ReaderGoneError, report

__all__ = ["PARTIAL", "Name", "for_each"]

PARTIAL = 5


@dataclass(frozen=True, slots=True)
class Name:
    """What an input is called: `shown` in messages and before its lines, `stem` in the names of its files."""

    shown: str
    stem: str


def for_each(names: Iterable[Name], work: Callable[[Name], None]) -> int:
    """Do the work for every input; returns the exit code.

    That is 0 when all succeeded, the code of the error when all failed with the same one, and `PARTIAL`
    otherwise.
    """
    codes = {_attempt(name, work) for name in names}
    return codes.pop() if len(codes) == 1 else PARTIAL


def _attempt(name: Name, work: Callable[[Name], None]) -> int:
    try:
        work(name)
    except ReaderGoneError:  # nobody wants the rest either
        raise
    except Exception as error:
        return report(error, name.shown)
    return 0
