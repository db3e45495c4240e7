"""`tertulia segment`: speech, cut where the speaker changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tertulia.cli._annotations import read_folder, read_recordings
from tertulia.cli._batch import Name, for_each
from tertulia.cli._inputs import mono_channel, name_of, source_of
from tertulia.cli._options import ChannelsOption, WordlessOption
from tertulia.cli._results import FormatOption, OutputOption, results
from tertulia.cli._terminal import say
from tertulia.errors import InputError

if TYPE_CHECKING:
    from tertulia.timeline import Timeline

__all__ = ["segment"]


def segment(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="Recordings, or files of features; - reads standard input."),
    ],
    output: OutputOption = None,
    format_names: FormatOption = None,
    method: Annotated[
        str,
        typer.Option(metavar="NAME", help="Distance of adjacent windows: bic, glr, kl2, cosine, siamese."),
    ] = "bic",
    width: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Length of each of the two windows.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Distance above which a maximum is a change.")
    ] = None,
    apart: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Time between two changes at least.")
    ] = None,
    speech: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Where somebody speaks: turns in any format, or a folder of them."),
    ] = None,
    channels: ChannelsOption = "mix",
    quiet: WordlessOption = False,
) -> int:
    """Cut speech where the speaker changes; the stretches are called S0, S1 …"""
    from tertulia.chains import stages
    from tertulia.config import part
    from tertulia.segmentation.changes import CHANGES

    names = [name_of(given) for given in inputs]
    deliver = results(output, format_names, names)
    asked = {"width": width, "threshold": threshold, "apart": apart}
    table = {"name": method, **{key: value for key, value in asked.items() if value is not None}}
    changes = part(CHANGES, table, "segment", "method")
    kept = mono_channel(channels)
    spoken = None if speech is None else _spoken(speech, names)
    deliver.prepare(names)

    def work(name: Name) -> None:
        given = None if spoken is None else spoken[name.stem]
        found = stages.segment(source_of(name), changes, given, channels=kept, name=name.shown)
        files = deliver(found, name)
        if quiet:
            return
        for message in found.provenance.messages if found.provenance else ():
            say(f"{name.shown}: {message}")
        if not len(found):
            say(f"{name.shown}: nobody speaks")
        if files:
            say(f"{name.shown}: wrote {', '.join(map(str, files))}")

    return for_each(names, work)


def _spoken(path: Path, names: list[Name]) -> dict[str, Timeline]:
    """Read where somebody speaks in each input; raises `InputError` where that is not told."""
    found = read_folder(path) if path.is_dir() else read_recordings(path)
    if len(found) == len(names) == 1:
        return {names[0].stem: next(iter(found.values())).speech}
    missing = [name.stem for name in names if name.stem not in found]
    if missing:
        raise InputError(f"{path} says nothing about {missing[0]!r}; there is: {', '.join(sorted(found))}")
    return {name.stem: found[name.stem].speech for name in names}
