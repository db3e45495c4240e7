"""How well scenes are told, on mixtures of speakers, tracks and clips that were not learnt from.

    python benchmarks/scenes.py RECIPE --data speech=speakers.tsv --data test=RTTM --data music=DIR
        --data noise=DIR [--weights scenes] [--mixtures 60] [--tracks PATTERN] [--cache DIR]

The mixtures are those of the test of `recipes/scenes.toml`, ten seconds each, whose labels are exact. They
are labelled by `tertulia.detection.SceneDetector`, as `tertulia scenes` does it, and frame by frame by the
network alone. `--tracks` makes them of some of the test's tracks only. Prints tables in Markdown: share of
right frames of 10 ms with a 95 % interval (mixtures drawn with replacement), F1 of each class, and the
confusion matrix.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.audio import Waveform
from tertulia.detection import SceneDetection, SceneDetector
from tertulia.segmentation.scenes import CLASSES, GRID, SceneSegmenter
from tertulia.training import make_task, read_recipe
from tertulia.training.sounds import f1

RATE = 16_000
DRAWS = 2000


def labels_of(found: SceneDetection, frames: int) -> NDArray[np.int64]:
    """Class of every frame, (frames,)."""
    labels = np.zeros(frames, np.int64)
    for number, name in enumerate(CLASSES):
        labels[GRID.mask(found.scenes[name], frames)] = number
    return labels


def show(title: str, tables: list[NDArray[np.int64]]) -> None:
    """Print what counts (true class, class found) of each mixture say."""
    total, drawn = sum(tables), np.random.default_rng(0)
    counts = np.array([[table.trace(), table.sum()] for table in tables], float)
    times = drawn.multinomial(len(tables), np.ones(len(tables)) / len(tables), DRAWS)
    low, high = np.percentile((times @ counts)[:, 0] / (times @ counts)[:, 1], [2.5, 97.5])
    print(
        f"{title}: {total.trace() / total.sum():.2%} of {total.sum()} frames right [{low:.2%}, {high:.2%}]\n"
    )
    print("| true \\ found | " + " | ".join(CLASSES) + " | F1 % |")
    print("|" + "---|" * (len(CLASSES) + 2))
    for name, row, score in zip(CLASSES, total.tolist(), f1(total), strict=True):
        print(f"| {name} | " + " | ".join(map(str, row)) + f" | {100 * score:.1f} |")
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", action="append", default=[], metavar="KEY=PATH")
    parser.add_argument("--weights", default="scenes")
    parser.add_argument("--mixtures", type=int, default=60)
    parser.add_argument("--tracks", help="pattern of file names, instead of the recipe's `music_test`")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    options = parser.parse_args()
    recipe = read_recipe(options.recipe, dict(pair.split("=", 1) for pair in options.data))
    if options.tracks:
        recipe = replace(recipe, data={**recipe.data, "music_test": [options.tracks]})
    task = make_task(recipe, options.cache, print)
    detector = SceneDetector(SceneSegmenter(weights=options.weights, threads=1))
    by_frame, by_scene = [], []
    for number in range(options.mixtures):
        samples, truth = task.test_mixture(number)
        found = detector(Waveform(samples[None], RATE))
        guesses = found.frames.scores.argmax(axis=1)[: len(truth)], labels_of(found, len(truth))
        for tables, guess in zip((by_frame, by_scene), guesses, strict=True):
            table = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
            np.add.at(table, (truth, guess), 1)
            tables.append(table)
    show("network alone", by_frame)
    show("tertulia scenes", by_scene)


if __name__ == "__main__":
    main()
