"""Who speaks when, for commands that need to know: read from a file, or found out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tertulia.cli._annotations import read_folder, read_recordings
from tertulia.cli._batch import Name
from tertulia.errors import InputError

if TYPE_CHECKING:
    from tertulia.audio import Source
    from tertulia.timeline import Diarization

__all__ = ["NumSpeakersOption", "SystemOption", "TurnsOption", "turns_of"]

TurnsOption = Annotated[
    Path | None,
    typer.Option(
        "--turns", metavar="PATH", help="Who speaks when: RTTM or another format, or a folder of it."
    ),
]
SystemOption = Annotated[
    str, typer.Option("--system", metavar="NAME|FILE", help="What finds out, where no --turns are given.")
]
NumSpeakersOption = Annotated[int | None, typer.Option(help="How many people speak, if known.")]


def turns_of(
    names: Sequence[Name], turns: Path | None, system: str, num_speakers: int | None, threads: int | None
) -> Callable[[Name, Source], Diarization]:
    """Return what tells who speaks when in an input.

    Raises:
        InputError: when turns are given and those of an input are not among them.
    """
    if turns is None:
        import tertulia

        diarizer, speakers = tertulia.load(system, threads=threads), tertulia.Speakers(num_speakers)
        return lambda name, source: diarizer(source, speakers, name=name.shown)
    found = read_folder(turns) if turns.is_dir() else read_recordings(turns)
    chosen: dict[str, Diarization] = {}
    for name in names:
        if name.stem in found:
            chosen[name.stem] = found[name.stem]
        elif len(found) == len(names) == 1:
            chosen[name.stem] = next(iter(found.values()))
        else:
            raise InputError(f"{turns} holds no turns of {name.stem!r}; there is: {', '.join(sorted(found))}")
    return lambda name, source: chosen[name.stem]  # noqa: ARG005
