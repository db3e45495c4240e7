"""What comes out of a comparison: every system scored on the same recordings, as values, JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from tertulia._version import __version__
from tertulia.comparison.process import Run
from tertulia.comparison.recordings import Recording
from tertulia.comparison.runner import Runs
from tertulia.errors import UsageError
from tertulia.evaluation import (
    DiarizationError,
    FileScore,
    Protocol,
    Report,
    bootstrap,
    bootstrap_difference,
    score_files,
)
from tertulia.timeline import Diarization, Timeline

__all__ = ["ALL", "Comparison", "Contender", "compare"]

ALL = "all recordings"
"""The group of all; subsets have the names of folders or splits."""

_COLUMNS = (
    *("system", "subset", "recording", "recordings", "seconds", "der", "der_low", "der_high"),
    *("difference", "difference_low", "difference_high", "false_alarm", "missed", "confusion", "jer"),
    *("speaker_count_error", "change_f1", "real_time", "wall", "cpu", "memory", "parameters"),
)


@dataclass(frozen=True)
class Contender:
    """One system's results: what it says, how good that is, and what it cost where we ran it ourselves."""

    name: str
    hypotheses: Mapping[str, Diarization]
    report: Report
    runs: Mapping[str, Run] | None = None
    parameters: int | None = None
    models: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Comparison:
    """Contenders on the same recordings, under one protocol; rates are fractions, times seconds."""

    data: str
    recordings: tuple[Recording, ...]
    contenders: tuple[Contender, ...]
    protocol: Protocol
    uem: Mapping[str, Timeline] | None

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Names of recordings by group: all of them, then each subset where there are several."""
        everything = {ALL: tuple(r.name for r in self.recordings)}
        subsets = sorted({r.subset for r in self.recordings})
        if len(subsets) == 1:
            return everything
        return everything | {
            s or ".": tuple(r.name for r in self.recordings if r.subset == s) for s in subsets
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `results.json`."""
        return {
            "tertulia": __version__,
            "data": self.data,
            "protocol": self.contenders[0].report.to_dict()["protocol"],
            "groups": {group: list(names) for group, names in self.groups.items()},
            "recordings": {
                r.name: {
                    "subset": r.subset,
                    "seconds": self.length(r),
                    "speakers": len(r.reference.speakers),
                }
                for r in self.recordings
            },
            "systems": {
                contender.name: {
                    "models": contender.models,
                    "parameters": contender.parameters,
                    "pooled": {g: self._pooled(contender, g) for g in self.groups},
                    "files": {r.name: _figures(contender, (r.name,)) for r in self.recordings},
                }
                for contender in self.contenders
            },
        }

    def to_csv(self) -> str:
        """Return the content of `results.csv`: a line for each system and group or recording."""
        out = io.StringIO()
        writer = csv.DictWriter(out, _COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        results = self.to_dict()
        for name, system in results["systems"].items():
            for group, figures in system["pooled"].items():
                low, high = figures["der_interval"] or (None, None)
                difference_low, difference_high = figures["difference_interval"] or (None, None)
                intervals = {
                    "der_low": low,
                    "der_high": high,
                    "difference_low": difference_low,
                    "difference_high": difference_high,
                }
                writer.writerow({"system": name, "subset": group, **figures, **intervals})
            for recording, figures in system["files"].items():
                subset = results["recordings"][recording]["subset"]
                writer.writerow({"system": name, "subset": subset, "recording": recording, **figures})
        return out.getvalue()

    def length(self, recording: Recording) -> float:
        """Return the seconds of a recording: as measured, or else to the end of the last turn."""
        name = recording.name
        measured = [c.runs[name].seconds for c in self.contenders if c.runs is not None]
        hypotheses = [c.hypotheses[name].speech.extent for c in self.contenders]
        ends = [extent.end for extent in (recording.reference.speech.extent, *hypotheses) if extent]
        return max([*measured, *ends], default=0.0)

    def _pooled(self, contender: Contender, group: str) -> dict[str, Any]:
        """Figures of a group, with intervals over its recordings and the difference to its best system."""
        names = self.groups[group]
        best = min(self.contenders, key=lambda c: _total(c, names).diarization.der)
        mine, others = _errors(contender, names), _errors(best, names)
        several = len(names) > 1
        return {
            **_figures(contender, names),
            "best": best.name,
            "difference": _total(contender, names).diarization.der - _total(best, names).diarization.der,
            "der_interval": bootstrap(mine, _der) if several else None,
            "difference_interval": bootstrap_difference(mine, others, _der) if several else None,
        }


def compare(
    data: str,
    recordings: Sequence[Recording],
    ran: Sequence[Runs],
    given: Mapping[str, Mapping[str, Diarization]],
    uem: Mapping[str, Timeline] | None = None,
    protocol: Protocol | None = None,
) -> Comparison:
    """Score systems on recordings.

    Args:
        data: what the set is called.
        recordings: with their references.
        ran: systems we ran, without failures.
        given: name → results of a system from elsewhere, by recording.
        uem: scored region of every recording.
        protocol: collar and overlap policy; by default no collar, overlap scored.

    Raises:
        UsageError: without any system, or when two have one name.
        InputError: when a result of a recording is missing.
    """
    names = [*(runs.name for runs in ran), *given]
    if not names or len(set(names)) < len(names):
        raise UsageError(f"a comparison needs systems of different names; got {', '.join(names) or 'none'}")
    protocol = protocol or Protocol()
    references = {r.name: r.reference for r in recordings}
    contenders = []
    for runs in ran:
        hypotheses = {name: Diarization(run.turns, uri=name) for name, run in runs.runs.items()}
        report = score_files(references, hypotheses, uem, protocol)
        contenders.append(
            Contender(runs.name, hypotheses, report, runs.runs, runs.about.parameters, runs.about.models)
        )
    for name, theirs in given.items():
        contenders.append(Contender(name, theirs, score_files(references, theirs, uem, protocol)))
    return Comparison(data, tuple(recordings), tuple(contenders), protocol, uem)


def _total(contender: Contender, names: Sequence[str]) -> FileScore:
    return reduce(add, (contender.report.files[name] for name in names))


def _errors(contender: Contender, names: Sequence[str]) -> list[DiarizationError]:
    return [contender.report.files[name].diarization for name in names]


def _der(error: DiarizationError) -> float:
    return error.der


def _figures(contender: Contender, names: Sequence[str]) -> dict[str, Any]:
    """Scores and costs of some recordings together; None for what nobody measured."""
    figures = {"recordings": len(names), **_total(contender, names).to_dict()}
    figures["scored_seconds"] = figures.pop("seconds")
    costs: dict[str, Any] = dict.fromkeys(("seconds", "wall", "cpu", "real_time", "memory"))
    if contender.runs is not None:
        runs = [contender.runs[name] for name in names]
        wall = sum(run.wall for run in runs)
        seconds = sum(run.seconds for run in runs)
        marks = [run.memory for run in runs if run.memory is not None]
        costs = {
            "seconds": seconds,
            "wall": wall,
            "cpu": sum(run.cpu for run in runs),
            "real_time": seconds / wall if wall else None,
            "memory": max(marks, default=None),
        }
    return {**figures, **costs, "parameters": contender.parameters}
