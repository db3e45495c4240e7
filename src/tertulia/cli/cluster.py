"""`tertulia cluster`: which stretches of speech are one person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tertulia.cli._annotations import read_recordings
from tertulia.cli._batch import Name
from tertulia.cli._inputs import mono_channel, name_of, source_of
from tertulia.cli._options import ChannelsOption, WordlessOption
from tertulia.cli._results import FormatOption, OutputOption, results
from tertulia.cli._terminal import say
from tertulia.errors import InputError

__all__ = ["cluster"]


def cluster(
    stretches: Annotated[
        Path, typer.Argument(metavar="SEGMENTS", help="Stretches of one speaker each: .seg, .rttm or others.")
    ],
    recording: Annotated[
        str, typer.Argument(metavar="INPUT", help="Their recording, or its features; - reads standard input.")
    ],
    output: OutputOption = None,
    format_names: FormatOption = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="bic, clr or ivector-ilp compare cepstra; duration, agglomerative, ilp, kmeans … voices.",
        ),
    ] = "bic",
    threshold: Annotated[float | None, typer.Option(help="Where merging stops, by default its own.")] = None,
    embedding: Annotated[
        str, typer.Option(metavar="NAME", help="Network whose vectors are compared.")
    ] = "campplus",
    turns: Annotated[
        bool,
        typer.Option("--turns", help="Every turn is a stretch, whatever its speaker is called."),
    ] = False,
    num_speakers: Annotated[int | None, typer.Option(help="How many people speak, if known.")] = None,
    min_speakers: Annotated[int | None, typer.Option(help="At least so many people speak.")] = None,
    max_speakers: Annotated[int | None, typer.Option(help="At most so many people speak.")] = None,
    channels: ChannelsOption = "mix",
    quiet: WordlessOption = False,
) -> int:
    """Merge stretches of speech that are one person; every speaker in SEGMENTS counts as a stretch."""
    import tertulia
    from tertulia.chains.stages import Regrouping, regroup

    name = name_of(recording)
    deliver = results(output, format_names, [name])
    speakers = tertulia.Speakers(num_speakers, min_speakers, max_speakers)
    how = Regrouping(method, threshold, embedding)
    kept = mono_channel(channels)
    given = read_recordings(stretches)
    if len(given) > 1 and name.stem not in given:
        raise InputError(
            f"{stretches} holds no recording {name.stem!r}; there is: {', '.join(sorted(given))}"
        )
    chosen = given[name.stem] if name.stem in given else next(iter(given.values()))
    deliver.prepare([name])
    found = regroup(source_of(name), chosen, how, speakers, turns=turns, channels=kept, name=name.shown)
    files = deliver(found, name)
    if not quiet:
        for message in found.provenance.messages if found.provenance else ():
            say(f"{name.shown}: {message}")
        _comment(name, chosen.speech.duration - found.speech.duration, files)
    return 0


def _comment(name: Name, beyond: float, files: list[Path]) -> None:
    if beyond > 0.02:  # less is rounding
        say(f"{name.shown}: {beyond:.2f} s of the stretches lie beyond its end and were left out")
    if files:
        say(f"{name.shown}: wrote {', '.join(map(str, files))}")
