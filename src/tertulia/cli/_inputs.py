"""Recordings as the commands take them: paths, and `-` for standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO, Literal

from tertulia.cli._batch import Name
from tertulia.errors import InputError, UsageError

__all__ = ["mono_channel", "name_of", "source_of"]

_STDIN = Name("stdin", "stdin")


def name_of(given: str) -> Name:
    """Call an input as messages and files shall call it."""
    return _STDIN if given == "-" else Name(given, Path(given).stem)


def source_of(name: Name) -> Path | BinaryIO:
    """Open what a name stands for; raises an error where standard input cannot be read."""
    if name is not _STDIN:
        return Path(name.shown)
    if sys.stdin is None:
        raise InputError("standard input is closed")
    if sys.stdin.isatty():
        raise UsageError("standard input is this terminal; pipe a recording into it")
    return sys.stdin.buffer


def mono_channel(text: str) -> Literal["mix"] | int:
    """Read the value of `--channels` of commands that listen to one channel."""
    if text == "mix":
        return "mix"
    if text.isascii() and text.isdecimal():
        return int(text)
    raise UsageError(f"channels are mix or a number from 0; got {text!r}")
