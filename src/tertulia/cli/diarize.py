"""`tertulia diarize`: who spoke when."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from tertulia.cli._batch import Name, for_each
from tertulia.cli._inputs import name_of, source_of
from tertulia.cli._options import InputsArgument, QuietOption, ThreadsOption
from tertulia.cli._progress import progress_bar
from tertulia.cli._results import FormatOption, OutputOption, results
from tertulia.cli._stages import Stages, references
from tertulia.cli._terminal import say
from tertulia.errors import UsageError

if TYPE_CHECKING:
    from tertulia.audio import Channels
    from tertulia.pipeline import Pipeline
    from tertulia.systems import Quality
    from tertulia.timeline import Diarization

__all__ = ["diarize"]


def diarize(
    inputs: InputsArgument,
    output: OutputOption = None,
    format_names: FormatOption = None,
    quality: Annotated[
        str | None,
        typer.Option(metavar="fast|balanced|best", help="Time for fewer errors [default: balanced]."),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="How to do it, see 'tertulia systems'; or a .toml or .yaml."),
    ] = None,
    embedding: Annotated[
        str | None,
        typer.Option(metavar="NAME[=WEIGHTS]|ID", help="Another embedding model than the system's own."),
    ] = None,
    segmentation: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|ID", help="Other weights for the powerset segmentation, or the end-to-end network."
        ),
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option(
            metavar="0.32|1.04|10",
            help="Seconds after which an end-to-end system decides, as if it were live [default: unlimited].",
        ),
    ] = None,
    num_speakers: Annotated[int | None, typer.Option(help="How many people speak, if known.")] = None,
    min_speakers: Annotated[int | None, typer.Option(help="At least so many people speak.")] = None,
    max_speakers: Annotated[int | None, typer.Option(help="At most so many people speak.")] = None,
    channels: Annotated[
        str,
        typer.Option(
            metavar="mix|split|N",
            help="Mix all channels, keep them apart as different people, or take one, counted from 0.",
        ),
    ] = "mix",
    music: Annotated[
        Literal["keep", "ignore"],
        typer.Option(help="Whether music over which nobody speaks may be taken for a speaker."),
    ] = "keep",
    front_end: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What recordings go through first: vocals takes music away."),
    ] = None,
    exclusive: Annotated[
        bool, typer.Option("--exclusive", help="Let at most one person speak at a time.")
    ] = False,
    stages: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for what leads to each result: embeddings/, clustering/ and rttm_predictions/.",
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(metavar="REF", help="Who really spoke when: file or folder; makes metrics/ there, too."),
    ] = None,
    threads: ThreadsOption = None,
    device: Annotated[str, typer.Option(metavar="cpu|cuda", help="What computes.")] = "cpu",
    quiet: QuietOption = False,
) -> int:
    """Tell who spoke when in recordings."""
    import tertulia
    from tertulia.frontend import behind
    from tertulia.systems import ignoring_music

    began = time.monotonic()
    names = [name_of(given) for given in inputs]
    deliver = results(output, format_names, names)
    speakers = tertulia.Speakers(num_speakers, min_speakers, max_speakers)
    kept = _channels(channels)
    kept_stages = _stages(stages, reference, kept)
    diarizer: Pipeline = tertulia.load(
        system,
        quality=cast("Quality | None", quality),
        embedding=embedding,
        segmentation=segmentation,
        latency=latency,
        threads=threads,
        device=device,
    )
    if kept_stages is not None:
        diarizer = kept_stages.watching(diarizer)
    if music == "ignore":
        diarizer = ignoring_music(diarizer, threads or 0)
    if front_end is not None:
        diarizer = behind(diarizer, front_end)
    deliver.prepare(names)

    def work(name: Name) -> None:
        if kept_stages is not None:
            kept_stages.begin(name.stem)
        with progress_bar(Path(name.shown).name, began, quiet) as hook:
            result = diarizer(source_of(name), speakers, channels=kept, progress=hook, name=name.shown)
        result = result.exclusive() if exclusive else result
        files = deliver(result, name)
        if kept_stages is not None:
            files += kept_stages.write(result, name.stem)
        if not quiet:
            _comment(name, result, files)

    return for_each(names, work)


def _stages(folder: Path | None, reference: Path | None, channels: Channels) -> Stages | None:
    if folder is None:
        if reference is not None:
            raise UsageError("--reference says what to measure into a folder of --stages; give that as well")
        return None
    if channels == "split":
        raise UsageError("--stages keeps one result a recording; channels that are split have one each")
    return Stages(folder, None if reference is None else references(reference))


def _channels(text: str) -> Channels:
    if text == "mix":
        return "mix"
    if text == "split":
        return "split"
    if text.isascii() and text.isdecimal():
        return int(text)
    raise UsageError(f"channels are mix, split or a number from 0; got {text!r}")


def _comment(name: Name, result: Diarization, files: list[Path]) -> None:
    """Say what had to be repaired, that there was nothing to find, and where the result is."""
    for message in result.provenance.messages if result.provenance else ():
        say(f"{name.shown}: {message}")
    if not len(result):
        say(f"{name.shown}: nobody speaks")
    if files:
        say(f"{name.shown}: wrote {', '.join(map(str, files))}")
