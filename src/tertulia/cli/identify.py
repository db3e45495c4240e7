"""`tertulia identify`: who spoke when, by name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tertulia.cli._batch import Name, for_each
from tertulia.cli._inputs import mono_channel, name_of, source_of
from tertulia.cli._options import ChannelsOption, InputsArgument, QuietOption, ThreadsOption
from tertulia.cli._progress import progress_bar
from tertulia.cli._results import FormatOption, OutputOption, results
from tertulia.cli._terminal import say
from tertulia.cli._voices import FalseAcceptOption, KeyOption, StoreOption, checked_rate, gallery_of, opened

if TYPE_CHECKING:
    from tertulia.identity import Identification

__all__ = ["identify"]


def identify(
    inputs: InputsArgument,
    output: OutputOption = None,
    format_names: FormatOption = None,
    store: StoreOption = None,
    key: KeyOption = None,
    false_accept: FalseAcceptOption = 0.01,
    system: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE", help="How to diarize, see 'tertulia systems'; or a .toml or .yaml."
        ),
    ] = "default",
    num_speakers: Annotated[int | None, typer.Option(help="How many people speak, if known.")] = None,
    min_speakers: Annotated[int | None, typer.Option(help="At least so many people speak.")] = None,
    max_speakers: Annotated[int | None, typer.Option(help="At most so many people speak.")] = None,
    channels: ChannelsOption = "mix",
    exclusive: Annotated[
        bool, typer.Option("--exclusive", help="Let at most one person speak at a time.")
    ] = False,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> int:
    """Diarize, and call voices that were enrolled by their names; all others stay SPEAKER_nn.

    This labels recordings; it is no proof of who somebody is.
    """
    import tertulia
    from tertulia.identity import Identifier, Listener, Matcher, default_scorer

    began = time.monotonic()
    names = [name_of(given) for given in inputs]
    deliver = results(output, format_names, names)
    speakers = tertulia.Speakers(num_speakers, min_speakers, max_speakers)
    kept, rate = mono_channel(channels), checked_rate(false_accept)
    listener = Listener.load(threads)
    with opened(store, key) as voices:
        gallery = gallery_of(voices, listener.model)
    matcher = Matcher(gallery, default_scorer(listener.model), rate)
    identifier = Identifier(tertulia.load(system, threads=threads), matcher, listener)
    deliver.prepare(names)

    def work(name: Name) -> None:
        with progress_bar(Path(name.shown).name, began, quiet) as hook:
            found = identifier(source_of(name), speakers, channels=kept, progress=hook, name=name.shown)
        result = found.diarization
        files = deliver(result.exclusive() if exclusive else result, name)
        if not quiet:
            _comment(name, found, files)

    return for_each(names, work)


def _comment(name: Name, found: Identification, files: list[Path]) -> None:
    """Say what had to be repaired, who was recognised, how surely, and where the result is."""
    provenance = found.diarization.provenance
    for message in provenance.messages if provenance else ():
        say(f"{name.shown}: {message}")
    sure = [f"{match.name} ({match.probability:.1%})" for match in found.matches.values()]
    count = len(found.diarization.speakers)
    say(f"{name.shown}: {count} speakers, recognised: {', '.join(sure) or 'nobody'}")
    if files:
        say(f"{name.shown}: wrote {', '.join(map(str, files))}")
