"""`tertulia separate`: voices that speak at once, each in a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tertulia.cli._batch import Name, for_each
from tertulia.cli._inputs import mono_channel, name_of, source_of
from tertulia.cli._options import ChannelsOption, InputsArgument, ThreadsOption, WordlessOption
from tertulia.cli._terminal import put, say
from tertulia.cli._turns import NumSpeakersOption, SystemOption, TurnsOption, turns_of
from tertulia.errors import UsageError

if TYPE_CHECKING:
    from tertulia.separation import Separator

__all__ = ["separate"]


def separate(
    inputs: InputsArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder, created when missing.")
    ],
    by_speaker: Annotated[
        bool,
        typer.Option("--by-speaker", help="One file a speaker, silence elsewhere, separated in overlaps."),
    ] = False,
    overlap: Annotated[
        Literal["separate", "keep", "mute"],
        typer.Option(help="With --by-speaker, what is heard where several people speak."),
    ] = "keep",
    separator: Annotated[
        str,
        typer.Option(metavar="NAME[=FILE.onnx]", help="What takes voices apart, and its weights."),
    ] = "sepformer",
    turns: TurnsOption = None,
    system: SystemOption = "default",
    num_speakers: NumSpeakersOption = None,
    audio_format: Annotated[Literal["wav", "flac"], typer.Option("--format", help="Of the files.")] = "wav",
    channels: ChannelsOption = "mix",
    threads: ThreadsOption = None,
    quiet: WordlessOption = False,
) -> int:
    """Write each voice of a recording to a file.

    Without --by-speaker a separator takes the whole recording apart, whoever speaks:
    DIR/INPUT_voice_1.wav and so on. With it, turns say who speaks when, and there is one file a speaker, as
    long as the recording: DIR/INPUT_SPEAKER.wav. Standard output lists the files: input, voice and path,
    parted by tabs.
    """
    from tertulia.audio.source import rereadable
    from tertulia.separation import export_voices
    from tertulia.separation import separate as take_apart

    names = [name_of(given) for given in inputs]
    stems = [name.stem for name in names]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise UsageError(f"several inputs are called {twice[0]!r}; every result needs a name of its own")
    kept = mono_channel(channels)
    if not by_speaker:
        apart = _separator(separator, threads)

        def work(name: Name) -> None:
            files = take_apart(
                source_of(name),
                apart,
                output,
                prefix=f"{name.stem}_voice",
                extension=audio_format,
                channels=kept,
            )
            for number, path in enumerate(files, 1):
                put(f"{name.shown}\t{number}\t{path}\n")

        return for_each(names, work)
    cleaned = _separator(separator, threads) if overlap == "separate" else overlap
    who = turns_of(names, turns, system, num_speakers, threads)

    def each(name: Name) -> None:
        source = rereadable(source_of(name))
        files = export_voices(
            source,
            who(name, source),
            output,
            overlap=cleaned,
            prefix=f"{name.stem}_",
            extension=audio_format,
            channels=kept,
        )
        for speaker, path in files.items():
            put(f"{name.shown}\t{speaker}\t{path}\n")
        if not files and not quiet:
            say(f"{name.shown}: nobody speaks")

    return for_each(names, each)


def _separator(text: str, threads: int | None) -> Separator:
    """Make a separator of `NAME` or `NAME=FILE.onnx`."""
    from tertulia.config import part
    from tertulia.separation import SEPARATORS

    name, _, file = text.partition("=")
    table = {"name": name, "threads": threads or 0} | ({"weights": file} if file else {})
    made: Separator = part(SEPARATORS, table, "separate", "separator")
    return made
