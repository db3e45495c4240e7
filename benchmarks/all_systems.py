"""Write `docs/comparison.md`: all named systems, or some, on recordings with references.

    python benchmarks/all_systems.py DATA [--systems A,B,…] [--threads 2] [--cache DIR] [--report report]

Runs `tertulia compare`, which keeps what it ran, so that a new system costs only its own time; the page with
every recording is in the folder of the report.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tertulia.cli import main as tertulia
from tertulia.comparison import ALL
from tertulia.systems import available

PAGE = Path(__file__).parents[1] / "docs" / "comparison.md"
RATES = ("false_alarm", "missed", "confusion")
ERRORS = ("system", "DER %", "95 %", "FA %", "miss %", "conf %", "JER %", "count off", "change F1 %")
COSTS = ("system", "× real time", "CPU s a minute", "MB", "million weights", "what it is")
APART = ("system", "DER %", "FA %", "miss %", "conf %")
CROWDED = 1.25  # seconds on the clock for each of the processor, on one thread, above which others were busy
INTRODUCTION = """Written by `{command}`: do not edit. DATA is `{data}`; the recordings are not part of the
repository, and [benchmarks.md](benchmarks.md) says what they are. Figures are pooled over the recordings of a
group; number of speakers not given; {protocol}. Intervals hold 95 % of 1000 bootstrap draws of recordings."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    names = options.systems or ",".join(system.name for system in available())
    command = ["compare", options.data, "--systems", names, "-o", options.report]
    command += ["--threads", str(options.threads)] + (["--cache", options.cache] if options.cache else [])
    if code := tertulia(command):
        return code
    results = json.loads((Path(options.report) / "results.json").read_text(encoding="utf-8"))
    options.page.write_text(page(results, options.threads, options.apart), encoding="utf-8")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="a corpus, or a folder of audio and RTTM, with subsets in subfolders")
    parser.add_argument("--systems", help="names, separated by commas (default: all)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", help="where runs are kept")
    parser.add_argument(
        "--apart", action="append", default=[], metavar="START", help="also without these names"
    )
    parser.add_argument("--report", default="report", help="folder of the page with every recording")
    parser.add_argument("--page", type=Path, default=PAGE, help="what to write")
    return parser.parse_args(arguments)


def page(results: Mapping[str, Any], threads: int, apart: Sequence[str] = ()) -> str:
    """Put the content of `results.json` on a page in Markdown, a table for each group of recordings.

    Where there are groups, they are not thrown together: what is simulated is not what is real. `apart` are
    beginnings of names; groups that hold such recordings get a second table of those and of the others.
    """
    command = " ".join(["python benchmarks/all_systems.py DATA", f"--threads {threads}", *_given(apart)])
    about = INTRODUCTION.format(
        command=command, data=results["data"], protocol=results["protocol"]["description"]
    )
    text = f"# Systems side by side\n\n{_filled(about)}\n"
    if missing := [system.name for system in available() if system.name not in results["systems"]]:
        text += "\n" + _filled(f"Not on this page: {', '.join(missing)}.") + "\n"
    groups = {name: names for name, names in results["groups"].items() if name != ALL} or results["groups"]
    for group, names in groups.items():
        text += f"\n## {_title(group, names, results)}\n\n{errors(results, group)}"
        for start in apart:
            text += _parted(results, names, start)
    return text + f"\n## Costs\n\n{_filled(_machine(results, threads))}\n\n{costs(results)}"


def _filled(paragraph: str) -> str:
    return textwrap.fill(paragraph, 118, break_long_words=False, break_on_hyphens=False)


def _given(apart: Iterable[str]) -> list[str]:
    return [f"--apart {start}" for start in apart]


def _title(group: str, names: Sequence[str], results: Mapping[str, Any]) -> str:
    minutes = sum(results["recordings"][name]["seconds"] for name in names) / 60
    return f"{group}: {len(names)} recording{'s' * (len(names) != 1)}, {minutes:.1f} min"


def errors(results: Mapping[str, Any], group: str) -> str:
    """Draw the table of errors in one group, the lowest DER first."""
    pooled = {name: system["pooled"][group] for name, system in results["systems"].items()}
    rows = [_row(name, pooled[name]) for name in sorted(pooled, key=lambda name: pooled[name]["der"])]
    return _table(ERRORS, rows)


def _row(name: str, figures: Mapping[str, Any]) -> tuple[str, ...]:
    interval = figures["der_interval"]
    return (
        name,
        f"{100 * figures['der']:.2f}",
        "–".join(f"{100 * end:.1f}" for end in interval) if interval else "–",
        *(f"{100 * figures[rate]:.2f}" for rate in (*RATES, "jer")),
        f"{figures['speaker_count_error']:.2f}",
        f"{100 * figures['change_f1']:.1f}",
    )


def _parted(results: Mapping[str, Any], names: Sequence[str], start: str) -> str:
    """Draw the tables of those in a group whose names begin so, and of the others, if there are both."""
    mine = [name for name in names if name.startswith(start)]
    others = [name for name in names if name not in mine]
    if not (mine and others):
        return ""
    parts = ((f"`{start}` only", mine), (f"without `{start}`", others))
    return "".join(f"\n### {_title(title, part, results)}\n\n{_sums(results, part)}" for title, part in parts)


def _sums(results: Mapping[str, Any], names: Sequence[str]) -> str:
    rates: dict[str, list[float]] = {}
    for system, result in results["systems"].items():
        seconds = [result["files"][name]["scored_seconds"] for name in names]
        total = sum(each["total"] for each in seconds)
        wrong = [sum(each[rate] for each in seconds) / total for rate in RATES]
        rates[system] = [sum(wrong), *wrong]
    ranked = sorted(rates, key=lambda system: rates[system][0])
    return _table(APART, [(system, *(f"{100 * rate:.2f}" for rate in rates[system])) for system in ranked])


def costs(results: Mapping[str, Any]) -> str:
    """Draw the table of what systems cost, the fewest seconds of processor time first."""
    about = {system.name: system.summary for system in available()}
    pooled = {name: system["pooled"][ALL] for name, system in results["systems"].items()}
    rows = [
        (
            name,
            f"{figures['real_time']:.1f}",
            f"{60 * figures['cpu'] / figures['seconds']:.2f}",
            f"{figures['memory'] / 1e6:.0f}" if figures["memory"] else "–",
            f"{figures['parameters'] / 1e6:.2f}",
            about.get(name, ""),
        )
        for name, figures in sorted(pooled.items(), key=lambda item: item[1]["cpu"])
    ]
    return _table(COSTS, rows)


def _machine(results: Mapping[str, Any], threads: int) -> str:
    pooled = [system["pooled"][ALL] for system in results["systems"].values()]
    busy = sum(figures["wall"] for figures in pooled) / sum(figures["cpu"] for figures in pooled)
    text = (
        f"tertulia {results['tertulia']}, {platform.system()} {platform.machine()}, "
        f"{threads} thread{'s' * (threads != 1)}, {datetime.date.today().isoformat()}. Speed counts decoding "
        "but not the loading of networks; memory is the peak of the process."
    )
    if busy > CROWDED:
        text += (
            f" **The machine was crowded**: a second of processor time took {busy:.1f} s on the clock. "
            "Until this page is written on a quiet machine, take × real time for a lower bound, and compare "
            "CPU seconds."
        )
    return text


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ("---",) * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    raise SystemExit(main())
