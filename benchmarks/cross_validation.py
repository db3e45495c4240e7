"""How well do settings of the clustering that are chosen on some recordings do on others?

    python benchmarks/cross_validation.py FOLDER [--system default] [--threads 2] [--grid threshold=0.5,0.6]

FOLDER is as for `accuracy.py`. Recordings are heard once; then every setting of a grid clusters all of
them. The recordings of each subset are split into two halves, every other one; the best setting of each
half (mean over subsets of the pooled DER; subsets of one recording are in both halves) is scored on the
other. Prints the grid, what each half chose, and the DER of recordings by settings chosen without them,
beside that of the system as it is.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import tertulia
from accuracy import pairs
from tertulia.audio import open_audio
from tertulia.evaluation import FileScore, score_file
from tertulia.speakers import ANY

Grid = dict[str, tuple[float, ...]]
GRID: Grid = {
    "threshold": (0.5, 0.54, 0.58, 0.6, 0.62, 0.64, 0.66, 0.7),
    "smallest_share": (0.004, 0.006, 0.008, 0.01, 0.02),
}
Setting = tuple[float, ...]


@dataclass(frozen=True)
class Heard:
    """A recording after the networks, and its reference."""

    subset: str
    parts: tuple[Any, ...]
    reference: tertulia.Diarization


def hear(diarizer: Any, folder: Path) -> list[Heard]:
    """Run the networks on all recordings."""
    heard = []
    for subset, paths in pairs(folder).items():
        for path in paths:
            with open_audio(path, sample_rate=diarizer.segmenter.sample_rate) as recording:
                parts = (*diarizer.listen(recording, None), recording)
            reference = tertulia.Diarization.read(path.with_suffix(".rttm"))
            heard.append(Heard(subset, parts, reference))
    return heard


def scores(diarizer: Any, heard: Sequence[Heard], chosen: dict[str, float]) -> list[FileScore]:
    """Cluster and score all recordings with one setting."""
    changed = dataclasses.replace(diarizer, clusterer=dataclasses.replace(diarizer.clusterer, **chosen))
    return [score_file(one.reference, changed.decide(*one.parts, ANY)) for one in heard]


def halves(heard: Sequence[Heard]) -> tuple[list[int], list[int]]:
    """Indices of every other recording of each subset, and of the rest; a lone one is in both."""
    first: list[int] = []
    second: list[int] = []
    for subset in sorted({one.subset for one in heard}):
        mine = [i for i, one in enumerate(heard) if one.subset == subset]
        first += mine[::2]
        second += mine[1::2] or mine
    return first, second


def pooled(results: Sequence[FileScore], heard: Sequence[Heard], at: Sequence[int]) -> dict[str, FileScore]:
    """Sums of scores by subset."""
    subsets = sorted({heard[i].subset for i in at})
    return {s: reduce(add, (results[i] for i in at if heard[i].subset == s)) for s in subsets}


def mean_der(sums: dict[str, FileScore]) -> float:
    return sum(total.diarization.der for total in sums.values()) / len(sums)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--system", default="default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--grid", action="append", metavar="KEY=V,V,…", help="settings of the clustering")
    options = parser.parse_args()
    grid = dict(map(axis, options.grid)) if options.grid else GRID
    diarizer = tertulia.load(options.system, threads=options.threads)
    heard = hear(diarizer, options.folder)
    everything = range(len(heard))
    own = tuple(getattr(diarizer.clusterer, key) for key in grid)
    settings = {*itertools.product(*grid.values()), own}
    tried = {s: scores(diarizer, heard, dict(zip(grid, s, strict=True))) for s in settings}
    print_grid(tuple(grid), tried, heard)
    first, second = halves(heard)
    best = {}
    for name, mine, others in (("first", first, second), ("second", second, first)):
        setting = min(sorted(tried), key=lambda s: mean_der(pooled(tried[s], heard, mine)))
        best.update({i: tried[setting][i] for i in others})
        named = ", ".join(f"{key} {value:g}" for key, value in zip(grid, setting, strict=True))
        print(f"\nbest on the {name} half: {named}")
    print("\n| subset | DER %, chosen on the other half | DER %, as it is |\n| --- | --- | --- |")
    crossed = pooled([best[i] for i in everything], heard, everything)
    for subset, total in pooled(tried[own], heard, everything).items():
        print(
            f"| {subset} | {100 * crossed[subset].diarization.der:.2f} | {100 * total.diarization.der:.2f} |"
        )


def axis(described: str) -> tuple[str, tuple[float, ...]]:
    """Read `KEY=V,V,…`."""
    key, _, values = described.partition("=")
    return key, tuple(map(float, values.split(",")))


def print_grid(keys: Sequence[str], tried: dict[Setting, list[FileScore]], heard: Sequence[Heard]) -> None:
    """One line a setting: DER, mean error of the number of speakers and share of exact numbers by subset."""
    subsets = sorted({one.subset for one in heard})
    print("| " + " | ".join([*keys, *(f"{s}: DER %, count off, exact" for s in subsets)]) + " |")
    print("| " + " | ".join(["---"] * (len(keys) + len(subsets))) + " |")
    for setting in sorted(tried):
        sums = pooled(tried[setting], heard, range(len(heard)))
        cells = [_cell(sums[subset]) for subset in subsets]
        print("| " + " | ".join([*(f"{value:g}" for value in setting), *cells]) + " |")


def _cell(score: FileScore) -> str:
    exact = 100 * score.count.exact_rate
    return f"{100 * score.diarization.der:.2f}, {score.count.mean:.2f}, {exact:.0f} %"


if __name__ == "__main__":
    main()
