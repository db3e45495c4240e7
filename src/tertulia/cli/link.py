"""`tertulia link`: the same voices get the same names in all recordings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tertulia.cli._batch import PARTIAL, Name, for_each
from tertulia.cli._inputs import name_of
from tertulia.cli._options import QuietOption, ThreadsOption
from tertulia.cli._progress import progress_bar
from tertulia.cli._results import FormatOption, OutputOption, results
from tertulia.cli._terminal import say
from tertulia.cli._voices import (
    ConsentOption,
    FalseAcceptOption,
    KeepOption,
    KeyOption,
    StoreOption,
    checked_rate,
    gallery_of,
    opened,
)
from tertulia.errors import UsageError, unknown

if TYPE_CHECKING:
    from tertulia.identity import Gallery
    from tertulia.timeline import Diarization

__all__ = ["link"]

_METHODS = ("incremental", "ilp")


def link(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="Recordings, in the order in which they are linked.")
    ],
    output: OutputOption = None,
    format_names: FormatOption = None,
    store: StoreOption = None,
    key: KeyOption = None,
    consent: ConsentOption = None,
    keep: KeepOption = None,
    method: Annotated[
        str,
        typer.Option(metavar="NAME", help=f"How to link: {', '.join(_METHODS)} (everything at once)."),
    ] = _METHODS[0],
    false_accept: FalseAcceptOption = 0.01,
    system: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE", help="How to diarize, see 'tertulia systems'; or a .toml or .yaml."
        ),
    ] = "default",
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> int:
    """Diarize recordings and give each person one name in all of them.

    People who are enrolled keep their names, others become PERSON_0001 and so on. With --consent the voices
    of these others are kept in the store, so that they have the same ids next time. Who says too little to
    be linked is called by recording and number.
    """
    import tertulia
    from tertulia.identity import (
        RETENTION,
        Identifier,
        Listener,
        Matcher,
        Original,
        checksum,
        default_scorer,
        remember,
    )
    from tertulia.identity import link as linked

    if method not in _METHODS:
        raise unknown("method", method, _METHODS)
    if "-" in inputs:
        raise UsageError("linking takes files, not standard input")
    began, rate = time.monotonic(), checked_rate(false_accept)
    names = [name_of(given) for given in inputs]
    deliver = results(output, format_names, names)
    listener = Listener.load(threads)
    scorer = default_scorer(listener.model)
    gallery = _known(store, key, listener.model, needed=consent is None)
    identifier = Identifier(tertulia.load(system, threads=threads), Matcher(gallery, scorer, rate), listener)
    deliver.prepare(names)
    found: dict[str, Diarization] = {}
    voices = {}

    def listen(name: Name) -> None:
        with progress_bar(Path(name.shown).name, began, quiet) as hook:
            heard = identifier.listen(Path(name.shown), progress=hook, name=name.shown)
        found[name.shown] = heard.diarization
        voices.update({(name.shown, speaker): each for speaker, each in heard.voices.items()})

    code = for_each(names, listen)
    answer = linked(voices, gallery, scorer, false_accept=rate, at_once=method == "ilp")
    if consent is not None and consent.strip():
        originals = {shown: Original(Path(shown).name, checksum(shown)) for shown in found}
        days = RETENTION if keep is None else keep
        with opened(store, key, create=True) as kept:
            remember(kept, answer, voices, originals, consent=consent.strip(), days=days)

    def write(name: Name) -> None:
        diarization = found[name.shown]
        ids = {
            speaker: answer.names.get((name.shown, speaker), f"{name.stem}_{speaker}")
            for speaker in diarization.speakers
        }
        files = deliver(diarization.rename(ids), name)
        if files and not quiet:
            say(f"{name.shown}: wrote {', '.join(map(str, files))}")

    written = for_each([name for name in names if name.shown in found], write) if found else code
    return code if written == code else PARTIAL


def _known(store: Path | None, key: Path | None, model: str, needed: bool) -> Gallery:
    """People of the store, or nobody when there is none and none is needed."""
    from tertulia.identity import Gallery, default_path

    if not (store or default_path()).exists() and (store is None or not needed):
        return Gallery.of([], model)
    with opened(store, key) as people:
        return gallery_of(people, model)
