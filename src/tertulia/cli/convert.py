"""`tertulia convert`: annotation files from one format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tertulia import formats
from tertulia.cli._annotations import read_recordings
from tertulia.cli._batch import Name, for_each
from tertulia.cli._results import FormatOption, OutputOption, results

__all__ = ["convert"]


def convert(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="Who spoke when, in any format.")],
    output: OutputOption = None,
    format_names: FormatOption = None,
    source_format: Annotated[
        str | None, typer.Option("--from", metavar="NAME", help="Its format, if its extension does not say.")
    ] = None,
) -> int:
    """Convert an annotation file to other formats; each recording in it counts as an input."""
    recordings = read_recordings(source, source_format)
    by_name = {Name(uri, uri): diarization for uri, diarization in recordings.items()}
    if len(recordings) == 1:
        by_name = {Name(str(source), formats.stem(source)): next(iter(recordings.values()))}
    deliver = results(output, format_names, list(by_name))
    deliver.prepare(list(by_name))

    def work(name: Name) -> None:
        deliver(by_name[name], name)

    return for_each(by_name, work)
