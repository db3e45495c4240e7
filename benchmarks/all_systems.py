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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tertulia.cli import main as tertulia
from tertulia.systems import available

PAGE = Path(__file__).parents[1] / "docs" / "comparison.md"
HEADINGS = ("system", "DER %", "95 %", "FA %", "miss %", "conf %", "JER %", "count off", "change F1 %")
COSTS = ("× real time", "MB")
INTRODUCTION = """# Systems side by side

Written by `python benchmarks/all_systems.py DATA --threads {threads}`: do not edit. The recordings are not
part of the repository; [benchmarks.md](benchmarks.md) says what they are. Figures are pooled over recordings;
number of speakers not given; {protocol}. Intervals hold 95 % of 1000 bootstrap draws of recordings.

tertulia {version}, {machine}, {threads} threads, {date}. Speed counts decoding but not the loading of
networks, and other work may have shared the machine.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    names = options.systems or ",".join(system.name for system in available())
    command = ["compare", options.data, "--systems", names, "-o", options.report]
    command += ["--threads", str(options.threads)] + (["--cache", options.cache] if options.cache else [])
    if code := tertulia(command):
        return code
    results = json.loads((Path(options.report) / "results.json").read_text(encoding="utf-8"))
    options.page.write_text(page(results, options.threads), encoding="utf-8")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="a corpus, or a folder of audio and RTTM, with subsets in subfolders")
    parser.add_argument("--systems", help="names, separated by commas (default: all)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", help="where runs are kept")
    parser.add_argument("--report", default="report", help="folder of the page with every recording")
    parser.add_argument("--page", type=Path, default=PAGE, help="what to write")
    return parser.parse_args(arguments)


def page(results: Mapping[str, Any], threads: int) -> str:
    """Put the content of `results.json` on a page in Markdown, a table for each group of recordings."""
    text = INTRODUCTION.format(
        threads=threads,
        protocol=results["protocol"]["description"],
        version=results["tertulia"],
        machine=f"{platform.system()} {platform.machine()}",
        date=datetime.date.today().isoformat(),
    )
    for group, names in results["groups"].items():
        minutes = sum(results["recordings"][name]["seconds"] for name in names) / 60
        text += f"\n## {group}: {len(names)} recordings, {minutes:.1f} min\n\n" + table(results, group)
    return text


def table(results: Mapping[str, Any], group: str) -> str:
    """Draw the table of one group, the lowest DER first."""
    pooled = {name: system["pooled"][group] for name, system in results["systems"].items()}
    rows = [_row(name, pooled[name]) for name in sorted(pooled, key=lambda name: pooled[name]["der"])]
    lines = [(*HEADINGS, *COSTS), ("---",) * (len(HEADINGS) + len(COSTS)), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(name: str, figures: Mapping[str, Any]) -> tuple[str, ...]:
    interval = figures["der_interval"]
    rates = ("false_alarm", "missed", "confusion", "jer")
    return (
        name,
        f"{100 * figures['der']:.2f}",
        "–".join(f"{100 * end:.1f}" for end in interval) if interval else "–",
        *(f"{100 * figures[rate]:.2f}" for rate in rates),
        f"{figures['speaker_count_error']:.2f}",
        f"{100 * figures['change_f1']:.1f}" if figures["change_f1"] is not None else "–",
        f"{figures['real_time']:.0f}" if figures["real_time"] else "–",
        f"{figures['memory'] / 1e6:.0f}" if figures["memory"] else "–",
    )


if __name__ == "__main__":
    raise SystemExit(main())
