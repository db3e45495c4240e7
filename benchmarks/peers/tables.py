"""What is printed: one table of all systems, notes, and a table of every system on every subset."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import accuracy
import tertulia
from peers.entrants import System
from peers.measuring import LENGTH, Accuracy, Speed
from tertulia.evaluation import Protocol, score_file

HEADINGS = ["system", "cold s", "cold, × real time", "cold, CPU s", "warm s", "warm, × real time"]
HEADINGS += ["warm, CPU s", "peak MB"]
PROTOCOL = Protocol()
ABSENT = "–"


def report(
    every: Sequence[System], keep: Path, subsets: Mapping[str, Sequence[Path]], failures: Mapping[str, str]
) -> str:
    """All that there is to say about what lies in `keep`.

    Args:
        every: systems, in the order of their rows.
        keep: folder of all results.
        subsets: recordings with an RTTM beside each, by subset.
        failures: why some systems could not be run, by key.
    """
    rows, details, notes = [], [], []
    for system in every:
        home = keep / system.key
        files, times = Accuracy.kept(home), Speed.kept(home)
        runs = {name: scored(files, home, paths) for name, paths in subsets.items()}
        rows.append(
            [system.title, *speed_cells(times), *(error_cell([*run.values()]) for run in runs.values())]
        )
        details += [
            line for name, group in runs.items() for line in detailed(f"{system.title}: {name}", group)
        ]
        notes.append(note(system.title, files, times, failures.get(system.key)))
    headings = [*HEADINGS, *(f"DER %, {name}" for name in subsets)]
    return "\n\n".join(
        [
            f"{machine()}; {PROTOCOL.describe()}, number of speakers not given",
            "DER % with (false alarm + missed + confusion)",
            table([headings, *rows]),
            "\n".join(notes),
            table([["system: subset", *accuracy.HEADINGS[1:]], *details]),
        ]
    )


def scored(kept: Accuracy | None, folder: Path, recordings: Sequence[Path]) -> dict[str, accuracy.Run]:
    """Score the files of one subset, by name; nothing if one of them has not been diarized."""
    if kept is None or any(path.stem not in kept.files for path in recordings):
        return {}
    runs = {}
    for path in recordings:
        truth = tertulia.Diarization.read(path.with_suffix(".rttm"))
        guess = tertulia.Diarization.read(folder / f"{path.stem}.rttm")
        spent = kept.files[path.stem]
        score = score_file(truth, guess, protocol=PROTOCOL)
        runs[path.stem] = accuracy.Run(score, spent.seconds, spent.wall, spent.cpu)
    return runs


def speed_cells(kept: Speed | None) -> list[str]:
    """Medians over the rounds: wall, × real time and CPU, cold and warm; memory of the cold process."""
    if kept is None:
        return [ABSENT] * (len(HEADINGS) - 1)
    cells = []
    for timings in (kept.cold, kept.warm):
        wall = statistics.median(timing.wall for timing in timings)
        cpu = statistics.median(timing.cpu for timing in timings)
        cells += [f"{wall:.1f}", f"{LENGTH / wall:.0f}", f"{cpu:.1f}"]
    return [*cells, f"{statistics.median(timing.peak for timing in kept.cold):.0f}"]


def error_cell(runs: Sequence[accuracy.Run]) -> str:
    """DER pooled over files, with its parts."""
    if not runs:
        return ABSENT
    error = sum(run.score.diarization for run in runs[1:]) + runs[0].score.diarization
    parts = (error.false_alarm_rate, error.missed_rate, error.confusion_rate)
    return f"{100 * error.der:.2f} ({' + '.join(f'{100 * part:.2f}' for part in parts)})"


def detailed(name: str, runs: Mapping[str, accuracy.Run]) -> list[list[str]]:
    """Lines of the second table: a subset, and its meetings that the bundled segmentation was trained on."""
    seen = [run for stem, run in runs.items() if stem.startswith("ami_trn")]
    groups = {name: [*runs.values()], f"{name}, ami_trn only": seen}
    return [accuracy.row(label, group) for label, group in groups.items() if group]


def note(title: str, files: Accuracy | None, times: Speed | None, failure: str | None) -> str:
    """When and how a system was measured, or why not."""
    said = []
    if failure:
        said.append(f"NOT RUN this time: {failure}")
    if files:
        said.append(f"accuracy {files.measured}, {files.threads} threads")
    if times:
        rounds = [*times.cold, *times.warm]
        said.append(f"speed {times.measured}, {times.threads} threads, {len(times.cold)} rounds")
        said.append(f"others kept at most {max(run.others for run in rounds):.2f} cores busy meanwhile")
        walls = " / ".join(
            " ".join(f"{run.wall:.1f}" for run in timings) for timings in (times.cold, times.warm)
        )
        said.append(f"rounds, cold / warm s: {walls}")
    return f"- {title}: {'; '.join(said) or 'not measured'}"


def table(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, headings first, as Markdown."""
    head, *body = lines
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *body])


def machine() -> str:
    """Processor, cores, memory, system and Python in words."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "processor")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system, python = platform.freedesktop_os_release()["PRETTY_NAME"], platform.python_version()
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}, Python {python}"
