"""Collect the pairs that the system `knn` knows: how much stretches of one voice and of two differ.

    python tools/train_knn.py speakers.tsv FOLDER_WITH_RTTM FOLDER_OF_NOISES \\
        src/tertulia/weights/knn-pairs.npz

The pairs are drawn as for the siamese networks, from the recipe `siamese-mfcc`: other people than those named
in the RTTM files, both sides in one room and noise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from tertulia.chains.baselines import cepstral_cells, pair_features
from tertulia.mfcc import mfcc
from tertulia.training.recipe import read_recipe
from tertulia.training.siamese import SiameseTask

RECIPE = Path(__file__).parent.parent / "recipes" / "siamese-mfcc.toml"
PAIRS = 3000
LOUD = 30.0  # of c0 under its 95th percentile: what is softer is silence, −26 dB
SEED = 0


def sums(samples: np.ndarray) -> np.ndarray:
    """Sums of the cepstra of a stretch where it is loud, (n,) → (25,)."""
    cepstra = mfcc(samples)
    loud = cepstra[:, 0] > np.percentile(cepstra[:, 0], 95) - LOUD
    return cepstral_cells(cepstra, loud).total[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("speech")
    parser.add_argument("test")
    parser.add_argument("noise")
    parser.add_argument("output", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    options = parser.parse_args()
    recipe = read_recipe(RECIPE, {key: getattr(options, key) for key in ("speech", "test", "noise")})
    task = SiameseTask(recipe, options.cache, print)
    pairs, different = [], []
    stage = task.stage(task.data.averaged)
    for number in range(PAIRS):
        example = stage.example(number, np.random.default_rng([SEED, number]))
        pairs.append(pair_features(*(sums(side) for side in example["waveforms"])))
        different.append(not example["same"])
    table = np.array(pairs, dtype=np.float16)
    scale = table.astype(float).std(axis=0)
    np.savez(options.output, pairs=table, different=np.array(different), scale=scale)
    print(f"{len(pairs)} pairs, {sum(different)} of two voices; {task.speech.describe()}")


if __name__ == "__main__":
    main()
