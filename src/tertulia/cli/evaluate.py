"""`tertulia evaluate`: how good a diarization is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tertulia.cli._annotations import read_folder, read_recordings, read_regions
from tertulia.cli._terminal import aligned, put, put_table, say

if TYPE_CHECKING:
    from tertulia.evaluation import EmotionError, FileScore, Protocol, Report
    from tertulia.timeline import Diarization, Timeline

__all__ = ["evaluate"]

Recordings = Mapping[str, "Diarization"]

# Heading → key of `FileScore.to_dict`, all of them fractions.
_ERRORS = {"DER %": "der", "FA %": "false_alarm", "miss %": "missed", "conf %": "confusion"}
_RATES = _ERRORS | {"JER %": "jer"}
_HEADINGS = ("recording", *_RATES, "count off", "speech s")
_EMOTION_HEADINGS = ("recording", "EDER %", "FA %", "miss %", "conf %", "scored s")

# What `--all-metrics` adds, in the same way; all in % but the information, which is in nats.
_MORE = {
    "SAD %": "detection_error",
    "SAD FA %": "detection_false_alarm",
    "SAD miss %": "detection_missed",
    "purity %": "purity",
    "coverage %": "coverage",
    "Rand %": "rand_index",
    "adj. Rand %": "adjusted_rand_index",
    "NMI %": "normalized_mutual_information",
    "MI nats": "mutual_information",
    "change P %": "change_precision",
    "change R %": "change_recall",
    "change F1 %": "change_f1",
}


def evaluate(
    reference: Annotated[Path, typer.Argument(metavar="REF", help="Who really spoke when: file or folder.")],
    hypothesis: Annotated[Path, typer.Argument(metavar="HYP", help="What a system says: file or folder.")],
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
    tolerance: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How far off a change point may be.")
    ] = None,
    per_file: Annotated[bool, typer.Option("--per-file", help="Print a line for every recording.")] = False,
    all_metrics: Annotated[
        bool,
        typer.Option(
            "--all-metrics",
            help="Also print speech detection (SAD), purity, coverage, Rand, information and change points.",
        ),
    ] = False,
    emotions: Annotated[
        bool, typer.Option("--emotions", help="Turns are emotions, not speakers: score EDER.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    cross_show: Annotated[
        bool,
        typer.Option("--cross-show", help="Also score the collection as one: names must hold across it."),
    ] = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Count recordings without hypothesis as missed speech.")
    ] = False,
) -> int:
    """Score hypotheses against references, matched by name.

    In a folder, a file that holds one recording goes by its own name; otherwise recordings go by the names
    in the file. Two files of one recording each are compared whatever they are called.
    """
    from tertulia.evaluation import Protocol, score_emotions, score_files

    protocol = Protocol(collar, skip_overlap)
    references, hypotheses = _matched(reference, hypothesis)
    regions = None if uem is None else read_regions(uem, references)
    if emotions:
        scores = score_emotions(references, hypotheses, regions, protocol, allow_missing)
        _show_emotions(scores, protocol.describe(uem is not None), per_file, as_json)
        return 0
    within = {} if tolerance is None else {"tolerance": tolerance}
    report = score_files(references, hypotheses, regions, protocol, allow_missing, **within)
    together = _cross_show(references, hypotheses, regions, protocol) if cross_show else {}
    if as_json:
        put(json.dumps(report.to_dict() | together, indent=2) + "\n")
    else:
        _show(report, per_file, all_metrics)
        for rates in together.values():
            shares = ", ".join(f"{heading} {100 * rates[key]:.2f}" for heading, key in _ERRORS.items())
            put(f"cross-show, one mapping of speakers for all recordings: {shares}\n")
    return 0


def _cross_show(
    references: Recordings,
    hypotheses: Recordings,
    regions: Mapping[str, Timeline] | None,
    protocol: Protocol,
) -> dict[str, dict[str, float]]:
    """Error of the collection under one mapping; recordings without hypothesis are missed speech."""
    from tertulia.evaluation import cross_show_errors
    from tertulia.timeline import Diarization

    given = {name: hypotheses.get(name, Diarization()) for name in references}
    scored = None if regions is None else {name: regions[name] for name in references}
    error = reduce(add, cross_show_errors(references, given, uem=scored, protocol=protocol).values())
    rates = (error.der, error.false_alarm_rate, error.missed_rate, error.confusion_rate)
    return {"cross_show": dict(zip(_ERRORS.values(), rates, strict=True))}


def _matched(reference: Path, hypothesis: Path) -> tuple[Recordings, Recordings]:
    """Read both sides, recordings of one name belonging together."""
    folders = [os.path.isdir(path) for path in (reference, hypothesis)]
    references, hypotheses = (
        read_folder(path) if is_folder else read_recordings(path)
        for path, is_folder in zip((reference, hypothesis), folders, strict=True)
    )
    if any(folders) or not len(references) == len(hypotheses) == 1:
        return references, hypotheses
    (name,), (other,) = references, hypotheses
    if name != other:
        say(f"comparing {other!r} with the reference {name!r}, the only recording in either file")
    return references, {name: hypotheses[other]}


def _show(report: Report, per_file: bool, all_metrics: bool) -> None:
    single = len(report.files) == 1
    scores = dict(report.files) if per_file or single else {}
    if not single:
        scores[f"all {len(report.files)}"] = report.overall
    _put(_HEADINGS, [_row(name, score) for name, score in scores.items()])
    if all_metrics:
        _put(("recording", *_MORE), [_more(name, score) for name, score in scores.items()])
        put(f"change points count as found within {report.overall.changes.tolerance:g} s\n")
    put(f"protocol: {report.describe()}\n")


def _put(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    put_table(headings, rows, aligned([headings, *rows]), numeric=True)


def _show_emotions(scores: Mapping[str, EmotionError], protocol: str, per_file: bool, as_json: bool) -> None:
    overall = reduce(add, scores.values())
    if as_json:
        files = {name: error.to_dict() for name, error in scores.items()}
        table = {"overall": overall.to_dict(), "files": files, "protocol": {"description": protocol}}
        put(json.dumps(table, indent=2) + "\n")
        return
    shown = dict(scores) if per_file or len(scores) == 1 else {}
    if len(scores) > 1:
        shown[f"all {len(scores)}"] = overall
    rows = [
        [name, *(f"{100 * rate:.2f}" for rate in error.to_dict().values()), f"{error.duration:.2f}"]
        for name, error in shown.items()
    ]
    put_table(_EMOTION_HEADINGS, rows, aligned([_EMOTION_HEADINGS, *rows]), numeric=True)
    put(f"protocol: {protocol}\n")


def _row(name: str, score: FileScore) -> list[str]:
    values = score.to_dict()
    rates = [f"{100 * values[key]:.2f}" for key in _RATES.values()]
    return [name, *rates, f"{values['speaker_count_error']:.2f}", f"{values['seconds']['total']:.2f}"]


def _more(name: str, score: FileScore) -> list[str]:
    values = score.to_dict()
    shown = ((100 if heading.endswith("%") else 1) * values[key] for heading, key in _MORE.items())
    return [name, *(f"{value:.2f}" for value in shown)]
