"""How much a separator improves mixtures of speakers it has not heard: SI-SDR.

    python benchmarks/separation.py RECIPE --data speech=speakers.tsv --data test=RTTM --data noise=DIR
        [--weights sepformer] [--mixtures 60] [--cache DIR]

The mixtures are those of the test of `recipes/sepformer.toml`, every other one noisy. Prints a table in
Markdown: mean SI-SDR in dB of the mixture and of the voices found, in the order that suits them best, and the
improvement with a 95 % interval (mixtures drawn with replacement).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from tertulia.separation import SepFormerSeparator
from tertulia.training import make_task, read_recipe
from tertulia.training.separation import best_order, si_sdr

DRAWS = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", action="append", default=[], metavar="KEY=PATH")
    parser.add_argument("--weights", default="sepformer")
    parser.add_argument("--mixtures", type=int, default=60)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    options = parser.parse_args()
    recipe = read_recipe(options.recipe, dict(pair.split("=", 1) for pair in options.data))
    task = make_task(recipe, options.cache, print)
    separator = SepFormerSeparator(weights=options.weights, threads=1)
    figures: dict[str, list[tuple[float, float]]] = {"clean": [], "noisy": []}
    for number in range(options.mixtures):
        kind, example = "noisy" if number % 2 else "clean", task.test_mixture(number)
        mixture, voices = (torch.from_numpy(example[name])[None] for name in ("mixture", "voices"))
        found = torch.from_numpy(separator(example["mixture"]))[None]
        before = float(si_sdr(mixture[:, None].expand_as(voices), voices).mean())
        figures[kind].append((before, float(best_order(found, voices).mean())))
    print("| mixtures | SI-SDR before, dB | after | improvement |\n|---|---|---|---|")
    for kind, pairs in figures.items():
        before, after = np.array(pairs).T
        times = np.random.default_rng(0).integers(len(pairs), size=(DRAWS, len(pairs)))
        low, high = np.percentile((after - before)[times].mean(axis=1), [2.5, 97.5])
        gain = f"{(after - before).mean():.2f} [{low:.2f}, {high:.2f}]"
        print(f"| {len(pairs)} {kind} | {before.mean():.2f} | {after.mean():.2f} | {gain} |")


if __name__ == "__main__":
    main()
