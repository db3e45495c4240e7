"""`tertulia scenes`: speech, music, noise or silence, and whose speech."""

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
from tertulia.cli._voices import FalseAcceptOption, KeyOption, StoreOption, checked_rate, opened
from tertulia.errors import UsageError

if TYPE_CHECKING:
    from tertulia.detection import Presenter

__all__ = ["scenes"]

_ON_STDOUT = "audioseg"


def scenes(
    inputs: InputsArgument,
    output: OutputOption = None,
    format_names: FormatOption = None,
    presenter: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A recording of the presenter alone.")
    ] = None,
    one_speaker: Annotated[
        bool, typer.Option("--one-speaker", help="Do not check that only one person speaks in it.")
    ] = False,
    enrolled: Annotated[
        str | None, typer.Option(metavar="NAME", help="The presenter is this person of the store.")
    ] = None,
    store: StoreOption = None,
    key: KeyOption = None,
    false_accept: FalseAcceptOption = 0.01,
    change: Annotated[
        float | None,
        typer.Option(metavar="COST", help="What a change of scene costs: higher makes longer scenes."),
    ] = None,
    probabilities: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for <stem>.npy: (frames of 10 ms, classes).")
    ] = None,
    channels: ChannelsOption = "mix",
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> int:
    """Label recordings: m music, s speech, ms speech over music, n noise, - silence.

    Where a presenter is known, s and ms are the presenter's speech and p that of others.
    """
    from tertulia.config import from_table
    from tertulia.detection import SceneDetector
    from tertulia.segmentation.scenes import SceneSegmenter

    began = time.monotonic()
    names = [name_of(given) for given in inputs]
    deliver = results(output, format_names or (None if output else _ON_STDOUT), names)
    kept = mono_channel(channels)
    segmenter = SceneSegmenter(threads=threads or 0)
    known = _presenter(presenter, one_speaker, enrolled, store, key, checked_rate(false_accept), threads)
    given = {"segmenter": segmenter, "presenter": known, "change": change}
    table = {name: value for name, value in given.items() if value is not None}
    detector = from_table(SceneDetector, table, "scenes")
    deliver.prepare(names)

    def work(name: Name) -> None:
        with progress_bar(Path(name.shown).name, began, quiet) as hook:
            found = detector(source_of(name), channels=kept, progress=hook, name=name.shown)
        files = deliver(found.to_diarization(), name)
        if probabilities is not None:
            files = [*files, write_array(probabilities, name.stem, found.frames.scores)]
        if not quiet:
            for message in found.provenance.messages if found.provenance else ():
                say(f"{name.shown}: {message}")
            if files:
                say(f"{name.shown}: wrote {', '.join(map(str, files))}")

    return for_each(names, work)


def _presenter(
    recording: Path | None,
    one_speaker: bool,
    enrolled: str | None,
    store: Path | None,
    key: Path | None,
    false_accept: float,
    threads: int | None,
) -> Presenter | None:
    """Get the voice of the presenter from a recording or from a store."""
    from tertulia.detection import Presenter

    if recording is not None and enrolled is not None:
        raise UsageError("the presenter is given by --presenter or by --enrolled, not by both")
    if recording is not None:
        return Presenter.enrol(recording, one_speaker=one_speaker, false_accept=false_accept, threads=threads)
    if enrolled is None:
        return None
    from tertulia.identity import Ear, Voiceprint

    ear = Ear.load(threads)
    with opened(store, key) as people:
        voice = Voiceprint.combine(people.voiceprints(enrolled))
    return Presenter(voice, ear, false_accept)
