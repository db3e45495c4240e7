"""`tertulia compare`: which system is best on these recordings, and where each goes wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tertulia.cli._annotations import read_folder, read_regions
from tertulia.cli._options import QuietOption, ThreadsOption
from tertulia.cli._progress import progress_bar
from tertulia.cli._terminal import aligned, put, put_table, say
from tertulia.errors import InputError, OutputError, UsageError

if TYPE_CHECKING:
    from tertulia.comparison import Cache, Comparison, Entrant, Recording, Runs
    from tertulia.timeline import Diarization, Timeline

__all__ = ["compare"]

_HEADINGS = ("system", "DER %", "95 %", "FA %", "miss %", "conf %", "JER %", "count off", "× real time")


def compare(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="A corpus, see 'tertulia corpus', or any folder of audio and RTTM."
        ),
    ],
    systems: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="Systems to run: names or TOML files [default: default]."),
    ] = None,
    hyp: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DIR", help="Results of another system, by recording; can be repeated."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the report.")] = Path("report"),
    uem: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Which parts are scored: a UEM file, or a folder of them."),
    ] = None,
    collar: Annotated[
        float, typer.Option(help="Seconds left unscored on each side of every boundary of the reference.")
    ] = 0.0,
    skip_overlap: Annotated[
        bool, typer.Option("--skip-overlap", help="Leave out the time in which several people speak.")
    ] = False,
    threads: ThreadsOption = None,
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where runs are kept, to be made only once.")
    ] = None,
    quiet: QuietOption = False,
) -> int:
    """Run systems on recordings, score them, and write a report to look at: index.html, and its figures."""
    from tertulia.comparison import Cache, find_recordings, named_entrant
    from tertulia.comparison import compare as compared
    from tertulia.evaluation import Protocol

    protocol = Protocol(collar, skip_overlap)
    chosen = systems if systems is not None else "" if hyp else "default"
    entrants = [named_entrant(name.strip(), threads) for name in chosen.split(",") if name.strip()]
    folders = _folders(hyp or [])
    _check_names([*(entrant.name for entrant in entrants), *folders])
    recordings = find_recordings(data)
    given = {name: _given(name, folder, recordings) for name, folder in folders.items()}
    regions = _scored(recordings, uem)
    _prepare(output)
    kept = Cache(cache) if cache else Cache.default()
    ran = [_run(entrant, recordings, kept, quiet) for entrant in entrants]
    _check_failures(ran)
    comparison = compared(data.resolve().name, recordings, ran, given, regions, protocol)
    _write(comparison, output)
    _show(comparison)
    if not quiet:
        say(f"wrote {output / 'index.html'}, results.json and results.csv")
    return 0


def _scored(recordings: Sequence[Recording], uem: Path | None) -> dict[str, Timeline] | None:
    """Return the scored parts: as the option says, else as the corpus says if it does so for all."""
    if uem is not None:
        return read_regions(uem, {recording.name: recording.reference for recording in recordings})
    own = {recording.name: recording.uem for recording in recordings if recording.uem is not None}
    return own if len(own) == len(recordings) else None


def _folders(options: Sequence[str]) -> dict[str, Path]:
    """Read `NAME=DIR`."""
    folders: dict[str, Path] = {}
    for option in options:
        name, separator, folder = option.partition("=")
        if not (name and separator and folder):
            raise UsageError(f"--hyp takes NAME=DIR; got {option!r}")
        if name in folders:
            raise UsageError(f"--hyp {name} is given twice")
        folders[name] = Path(folder)
    return folders


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise UsageError("nothing to compare: --systems names none, and there is no --hyp")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"two systems are called {', '.join(twice)}; --hyp and files can have other names")


def _given(name: str, folder: Path, recordings: Sequence[Recording]) -> Mapping[str, Diarization]:
    """Read results from elsewhere; those of other recordings are not looked at."""
    if not folder.is_dir():
        raise InputError(f"--hyp {name}: {folder} is not a folder")
    results = read_folder(folder)
    if missing := sorted({recording.name for recording in recordings} - results.keys()):
        raise InputError(f"--hyp {name}: {folder} holds nothing for {', '.join(missing)}")
    return {recording.name: results[recording.name] for recording in recordings}


def _prepare(output: Path) -> None:
    """Make the folder before hours are spent on what goes there."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {output}: {error.strerror}") from error


def _run(entrant: Entrant, recordings: Sequence[Recording], cache: Cache, quiet: bool) -> Runs:
    from tertulia.comparison import run
    from tertulia.progress import Progress

    total = float(len(recordings))
    with progress_bar(entrant.name, time.monotonic(), quiet) as bar:
        report = (lambda done: bar(Progress(done, total))) if bar else None
        runs = run(entrant, recordings, cache, report)
    if not quiet:
        done = f"{len(runs.runs)} of {len(recordings)} recordings"
        say(f"{entrant.name}: {done}" + (f", {runs.cached} of them from the cache" if runs.cached else ""))
    return runs


def _check_failures(ran: Sequence[Runs]) -> None:
    """A comparison needs all: leaving one out would flatter somebody."""
    failures = [f"{runs.name}: {reason}" for runs in ran for reason in runs.failed.values()]
    if failures:
        raise InputError(f"no report, what succeeded is kept in the cache; {'; '.join(failures)}")


def _write(comparison: Comparison, output: Path) -> None:
    from tertulia.comparison import page
    from tertulia.formats import write_text

    write_text(output / "results.json", json.dumps(comparison.to_dict(), indent=1, ensure_ascii=False) + "\n")
    write_text(output / "results.csv", comparison.to_csv())
    write_text(output / "index.html", page(comparison, output))


def _show(comparison: Comparison) -> None:
    from tertulia.comparison import ALL

    results = comparison.to_dict()
    pooled = {name: system["pooled"][ALL] for name, system in results["systems"].items()}
    rows = [_row(name, figures) for name, figures in sorted(pooled.items(), key=lambda item: item[1]["der"])]
    put_table(_HEADINGS, rows, aligned([_HEADINGS, *rows]), numeric=True)
    put(f"protocol: {results['protocol']['description']}\n")


def _row(name: str, figures: Mapping[str, Any]) -> list[str]:
    interval, speed = figures["der_interval"], figures["real_time"]
    return [
        name,
        f"{100 * figures['der']:.2f}",
        "–".join(f"{100 * end:.1f}" for end in interval) if interval else "-",
        *(f"{100 * figures[key]:.2f}" for key in ("false_alarm", "missed", "confusion", "jer")),
        f"{figures['speaker_count_error']:.2f}",
        f"{speed:.0f}" if speed else "-",
    ]
