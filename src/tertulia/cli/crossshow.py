"""`tertulia crossshow`: who spoke when in a collection, with one name for one person."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from tertulia.cli._inputs import mono_channel, name_of, source_of
from tertulia.cli._options import ChannelsOption, QuietOption, ThreadsOption
from tertulia.cli._progress import progress_bar
from tertulia.cli._results import FormatOption, OutputOption, results
from tertulia.cli._terminal import say

__all__ = ["crossshow"]


def crossshow(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="The recordings of the collection; - reads standard input."),
    ],
    output: OutputOption = None,
    format_names: FormatOption = None,
    system: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="lium-clr, lium-ilp, lium-ilp-neural, or a .toml.")
    ] = "lium-ilp-neural",
    at_once: Annotated[
        bool,
        typer.Option("--at-once", help="Cluster all recordings at once, not each by itself first."),
    ] = False,
    num_speakers: Annotated[int | None, typer.Option(help="How many people speak in all of them.")] = None,
    min_speakers: Annotated[int | None, typer.Option(help="At least so many people in all of them.")] = None,
    max_speakers: Annotated[int | None, typer.Option(help="At most so many people in all of them.")] = None,
    channels: ChannelsOption = "mix",
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> int:
    """Tell who spoke when in a collection of recordings, the same person by the same name in all."""
    import tertulia
    from tertulia.crossshow import cross_show

    began = time.monotonic()
    names = [name_of(given) for given in inputs]
    deliver = results(output, format_names, names)
    speakers = tertulia.Speakers(num_speakers, min_speakers, max_speakers)
    kept = mono_channel(channels)
    pipeline = tertulia.load(system, threads=threads)
    deliver.prepare(names)
    with progress_bar(f"{len(names)} recordings", began, quiet) as hook:
        found = cross_show(
            pipeline,
            [source_of(name) for name in names],
            speakers,
            at_once=at_once,
            channels=kept,
            progress=hook,
            names=[name.shown for name in names],
        )
    for name, diarization in zip(names, found, strict=True):
        files = deliver(diarization, name)
        if quiet:
            continue
        for message in diarization.provenance.messages if diarization.provenance else ():
            say(f"{name.shown}: {message}")
        if not len(diarization):
            say(f"{name.shown}: nobody speaks")
        if files:
            say(f"{name.shown}: wrote {', '.join(map(str, files))}")
    return 0
