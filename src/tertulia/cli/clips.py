"""`tertulia clips`: every turn of every speaker as a sound file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from tertulia.cli._batch import Name, for_each
from tertulia.cli._inputs import mono_channel, name_of, source_of
from tertulia.cli._options import ChannelsOption, InputsArgument, ThreadsOption, WordlessOption
from tertulia.cli._terminal import put, say
from tertulia.cli._turns import NumSpeakersOption, SystemOption, TurnsOption, turns_of
from tertulia.errors import UsageError

__all__ = ["clips"]


def clips(
    inputs: InputsArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder, created when missing.")
    ],
    turns: TurnsOption = None,
    system: SystemOption = "default",
    num_speakers: NumSpeakersOption = None,
    alone: Annotated[bool, typer.Option("--alone", help="Leave out where somebody else speaks too.")] = False,
    min_duration: Annotated[
        float, typer.Option(metavar="SECONDS", help="Shorter clips are not written.")
    ] = 0.0,
    max_duration: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Longer turns are cut into equal clips.")
    ] = None,
    audio_format: Annotated[Literal["wav", "flac"], typer.Option("--format", help="Of the files.")] = "wav",
    channels: ChannelsOption = "mix",
    threads: ThreadsOption = None,
    quiet: WordlessOption = False,
) -> int:
    """Write every turn of every speaker to a file: DIR/INPUT/SPEAKER/NUMBER_START-END.wav.

    Standard output lists the files, a line each: input, speaker, start, end and path, parted by tabs.
    """
    from tertulia.audio.source import rereadable
    from tertulia.separation import export_clips

    if min_duration < 0 or (max_duration is not None and max_duration <= 0):
        raise UsageError("--min-duration is seconds from zero, --max-duration above zero")
    names = [name_of(given) for given in inputs]
    _distinct(names)
    kept = mono_channel(channels)
    who = turns_of(names, turns, system, num_speakers, threads)

    def work(name: Name) -> None:
        source = rereadable(source_of(name))
        files = export_clips(
            source,
            who(name, source),
            output / name.stem,
            alone=alone,
            shortest=min_duration,
            longest=max_duration,
            extension=audio_format,
            channels=kept,
        )
        for speaker, paths in files.items():
            for path in paths:
                begin, end = path.stem.split("_")[1].split("-")
                put(f"{name.shown}\t{speaker}\t{float(begin):.3f}\t{float(end):.3f}\t{path}\n")
        if not quiet and not any(files.values()):
            say(f"{name.shown}: there are no clips")

    return for_each(names, work)


def _distinct(names: list[Name]) -> None:
    stems = [name.stem for name in names]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise UsageError(f"several inputs are called {twice[0]!r}; every result needs a name of its own")
