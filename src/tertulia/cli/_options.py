"""Options that many commands have, worded once."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["ChannelsOption", "InputsArgument", "QuietOption", "ThreadsOption", "WordlessOption"]

InputsArgument = Annotated[
    list[str],
    typer.Argument(metavar="INPUT", help="Recordings of any usual format; - reads standard input."),
]
ChannelsOption = Annotated[
    str, typer.Option(metavar="mix|N", help="Mix all channels, or take one, counted from 0.")
]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="How many threads compute.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Neither messages, save errors, nor a progress bar.")
]
WordlessOption = Annotated[bool, typer.Option("--quiet", "-q", help="No messages, save errors.")]
"""For commands that show no bar."""
