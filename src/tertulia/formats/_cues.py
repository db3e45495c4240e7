"""What SubRip and WebVTT share: blocks of lines parted by blank ones, each with a line of times."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tertulia.formats._turns import of_clock, shown

__all__ = ["blocks", "timing"]

_TIMING = re.compile(r"\s*([0-9:.,]+)\s+-->\s+([0-9:.,]+)(?:\s.*)?")


def blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each block's first line, from 1, and its lines."""
    block: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if line.strip():
            block.append(line.removesuffix("\r"))
        elif block:
            yield number - len(block), block
            block = []


def timing(block: list[str]) -> tuple[float, float, list[str]]:
    """Return start, end and the lines of text of a cue, which may begin with a number or name of its own."""
    for row, line in enumerate(block[:2]):
        if match := _TIMING.fullmatch(line):
            return of_clock(match[1]), of_clock(match[2]), block[row + 1 :]
    raise ValueError(f"a cue needs a line of times, 'HH:MM:SS.mmm --> HH:MM:SS.mmm'; got {shown(block[0])}")
