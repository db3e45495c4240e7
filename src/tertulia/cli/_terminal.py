"""Both ends of the command line: results on standard output, messages on standard error."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress

from tertulia.errors import OutputError, TertuliaError

__all__ = [
    "ReaderGoneError",
    "aligned",
    "discard_stdout",
    "put",
    "put_bytes",
    "put_table",
    "report",
    "say",
    "use_utf8",
]


class ReaderGoneError(BrokenPipeError):
    """Nobody reads standard output any more."""


def put(text: str) -> None:
    """Write text to standard output, at once; raises what `put_bytes` raises."""
    _put(lambda: sys.stdout.write(text))


def put_bytes(data: bytes) -> None:
    """Write to standard output, at once.

    Raises:
        ReaderGoneError: if nobody reads it any more.
        OutputError: if it cannot be written for another reason, such as a full disk.
    """
    _put(lambda: sys.stdout.buffer.write(data))


def _put(write: Callable[[], object]) -> None:
    if sys.stdout is None:
        raise OutputError("cannot write to standard output: it is closed")
    try:
        write()
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except OSError as error:
        discard_stdout()
        raise OutputError(f"cannot write to standard output: {error.strerror}") from error


def say(message: str) -> None:
    """Write a message to standard error."""
    if sys.stderr is not None:  # `print` would turn to standard output
        print(f"tertulia: {message}", file=sys.stderr, flush=True)


def report(error: Exception, name: str = "") -> int:
    """Tell of an error, about the recording called `name` if any; returns the exit code it stands for."""
    if os.environ.get("TERTULIA_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, TertuliaError):
        message, code = str(error), error.exit_code
    else:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        message, code = f"unexpected {said} (TERTULIA_DEBUG=1 shows where)", 1
    say(message if not name or message.startswith(f"{name}: ") else f"{name}: {message}")
    return code


def use_utf8() -> None:
    """Make piped results UTF-8 whatever the locale, with file names byte for byte.

    A terminal is left its own encoding, with question marks for what it cannot show.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="replace")
        else:
            sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")


def discard_stdout() -> None:
    """Let what is still buffered go nowhere: the interpreter would fail to flush it at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def put_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], piped: str, numeric: bool = False
) -> None:
    """Draw a table on a terminal, or write the text `piped` to anything else.

    `numeric` puts all columns but the first to the right.
    """
    if sys.stdout is None or not sys.stdout.isatty():
        put(piped)
        return

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if numeric and index else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: names may hold what looks like markup
    Console().print(table)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Put columns under one another, all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        for row in rows
    )
    return "".join("  ".join(line) + "\n" for line in lines)
