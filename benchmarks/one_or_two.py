"""One speaker or two in a clip: accuracy of the dense network over seeds of split and start.

    python benchmarks/one_or_two.py speakers.tsv FOLDER_WITH_RTTM FOLDER_OF_NOISES --seeds 10

The clips are the same for all seeds. Beside the share that is held out, whose people are in the training too,
the network is measured on as many clips of people of whom it has heard nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path

import numpy as np

from tertulia.training import make_task, read_recipe, train

RECIPE = Path(__file__).parent.parent / "recipes" / "one-or-two.toml"


def accuracies(recipe, seed: int, cache: Path) -> tuple[float, float]:
    """Accuracy on the clips held out and on those of other people, after the last epoch."""
    seeded = dataclasses.replace(recipe, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        train(seeded, make_task(seeded, cache, lambda _: None), Path(folder), report=lambda _: None)
        last = json.loads((Path(folder) / "log.jsonl").read_text().splitlines()[-1])
    return last["accuracy_held_out"], last["accuracy_other_people"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("speech")
    parser.add_argument("test")
    parser.add_argument("noise")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--clips", type=int, help="how many, by default those of the recipe")
    parser.add_argument("--pooling", choices=("mean", "frames"), default="mean")
    parser.add_argument("--vocals", action="store_true", help="separate vocals first")
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    options = parser.parse_args()
    recipe = read_recipe(options.recipe, {key: getattr(options, key) for key in ("speech", "test", "noise")})
    data = {**recipe.data, "pooling": options.pooling, "vocals": options.vocals}
    if options.clips:
        data["clips"] = options.clips
    recipe = dataclasses.replace(recipe, data=data)
    found = np.array([accuracies(recipe, seed, options.cache) for seed in range(options.seeds)])
    print("| clips | features | vocals | seeds | held out: lowest | mean | highest | other people: mean |")
    print("|---|---|---|---|---|---|---|---|")
    held_out, others = found.T
    print(
        f"| {data['clips']} | {options.pooling} | {'separated' if options.vocals else 'as they are'} "
        f"| {options.seeds} | {held_out.min():.1%} | {held_out.mean():.1%} | {held_out.max():.1%} "
        f"| {others.mean():.1%} |"
    )


if __name__ == "__main__":
    main()
