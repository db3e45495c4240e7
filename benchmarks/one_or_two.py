"""One speaker or two in a clip: accuracy of the dense network over seeds of split and start.

    python benchmarks/one_or_two.py speakers.tsv FOLDER_WITH_RTTM FOLDER_OF_NOISES --seeds 10

The clips are the same for all seeds and poolings; another `--draw` makes others. Beside the share that
is held out, whose people are in the training too, the network is measured on as many clips of people of whom
it has heard nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from tertulia.detection.crowd import POOLINGS
from tertulia.training import make_task, read_recipe, train

RECIPE = Path(__file__).parent.parent / "recipes" / "one-or-two.toml"


def accuracies(recipe, seed: int, cache: Path) -> tuple[float, float]:
    """Accuracy on the clips held out and on those of other people, after the last epoch."""
    seeded = dataclasses.replace(recipe, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        train(seeded, make_task(seeded, cache, lambda _: None), Path(folder), report=lambda _: None)
        last = json.loads((Path(folder) / "log.jsonl").read_text().splitlines()[-1])
    found = last["accuracy_held_out"], last["accuracy_other_people"]
    print(f"seed {seed}: held out {found[0]:.1%}, other people {found[1]:.1%}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("speech")
    parser.add_argument("test")
    parser.add_argument("noise")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--clips", type=int, help="how many, by default those of the recipe")
    parser.add_argument("--draw", type=int, help="seed of the clips, by default that of the recipe")
    parser.add_argument("--pooling", nargs="+", choices=POOLINGS, default=["mean", "statistics"])
    parser.add_argument("--vocals", action="store_true", help="separate vocals first")
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    options = parser.parse_args()
    recipe = read_recipe(options.recipe, {key: getattr(options, key) for key in ("speech", "test", "noise")})
    changed = {"vocals": options.vocals, "clips": options.clips, "draw": options.draw}
    data = {**recipe.data, **{key: value for key, value in changed.items() if value is not None}}
    print("| clips | draw | features | vocals | seeds | held out: lowest | mean | highest ", end="")
    print("| other people: lowest | mean | highest |")
    print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for pooling in options.pooling:
        pooled = dataclasses.replace(recipe, data={**data, "pooling": pooling})
        found = np.array([accuracies(pooled, seed, options.cache) for seed in range(options.seeds)])
        ranges = " | ".join(f"{f(column):.1%}" for column in found.T for f in (np.min, np.mean, np.max))
        vocals = "separated" if options.vocals else "as they are"
        about = f"{data['clips']} | {data.get('draw', 0)} | {pooling} | {vocals} | {options.seeds}"
        print(f"| {about} | {ranges} |", flush=True)


if __name__ == "__main__":
    main()
