"""`tertulia vad`: where somebody speaks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tertulia.cli._arrays import write_array
from tertulia.cli._batch import Name, for_each
from tertulia.cli._inputs import mono_channel, name_of, source_of
from tertulia.cli._options import ChannelsOption, InputsArgument, QuietOption, ThreadsOption
from tertulia.cli._progress import progress_bar
from tertulia.cli._results import FormatOption, OutputOption, results
from tertulia.cli._terminal import say

if TYPE_CHECKING:
    from tertulia.detection import SpeechDetection

__all__ = ["vad"]

_ON_STDOUT = "segments"


def vad(
    inputs: InputsArgument,
    output: OutputOption = None,
    format_names: FormatOption = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Segmentation model: powerset (the default), silero, crdnn, scenes, energy …"
        ),
    ] = None,
    onset: Annotated[
        float | None, typer.Option(metavar="P", help="Probability at which speech begins.")
    ] = None,
    offset: Annotated[
        float | None, typer.Option(metavar="P", help="Probability below which it ends.")
    ] = None,
    min_duration_on: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Shorter speech is dropped.")
    ] = None,
    min_duration_off: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Shorter pauses are filled.")
    ] = None,
    certain: Annotated[
        float | None, typer.Option(metavar="P", help="Mean probability that a stretch of speech needs.")
    ] = None,
    energy: Annotated[
        bool, typer.Option("--energy", help="Cut speech down to where it is loud: finer boundaries.")
    ] = False,
    probabilities: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for <stem>.npy: time and probability of every frame."),
    ] = None,
    channels: ChannelsOption = "mix",
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> int:
    """Tell speech from the rest, whoever speaks."""
    from tertulia.config import from_table, settings
    from tertulia.detection import DEFAULT_METHOD, Boundaries, default_boundaries, load_detector

    began = time.monotonic()
    names = [name_of(given) for given in inputs]
    deliver = results(output, format_names or (None if output else _ON_STDOUT), names)
    method = method or DEFAULT_METHOD
    given = {
        "onset": onset,
        "offset": offset,
        "min_duration_on": min_duration_on,
        "min_duration_off": min_duration_off,
        "certain": certain,
        "energy": energy or None,
    }
    table = settings(default_boundaries(method)) | {k: v for k, v in given.items() if v is not None}
    if onset is not None and offset is None:
        table["offset"] = min(onset, table["offset"])
    boundaries = from_table(Boundaries, table, "vad")
    kept = mono_channel(channels)
    detector = load_detector(method, boundaries=boundaries, threads=threads or 0)
    deliver.prepare(names)

    def work(name: Name) -> None:
        with progress_bar(Path(name.shown).name, began, quiet) as hook:
            found = detector(source_of(name), channels=kept, progress=hook, name=name.shown)
        files = deliver(found.to_diarization(), name)
        if probabilities is not None:
            files = [*files, write_array(probabilities, name.stem, found.table())]
        if not quiet:
            _comment(name, found, files)

    return for_each(names, work)


def _comment(name: Name, found: SpeechDetection, files: list[Path]) -> None:
    for message in found.provenance.messages if found.provenance else ():
        say(f"{name.shown}: {message}")
    if not len(found.speech):
        say(f"{name.shown}: nobody speaks")
    if files:
        say(f"{name.shown}: wrote {', '.join(map(str, files))}")
