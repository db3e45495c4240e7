"""Make `known-voices.npz`: compensation, cohort, calibration and operating points of known voices.

    python tools/embed_speakers.py ../shared/data items.npz
    python tools/calibrate_voices.py items.npz

Made from the adults of speechocean762 and LibriSpeech who are not in the test set. The cohort holds no one's
voiceprint: each of its vectors averages five or more LibriSpeech speakers, and each speaker is in one only.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.voices import unit
from tertulia.identity.calibration import Calibration, OperatingPoints
from tertulia.identity.cohort import Cohort
from tertulia.identity.compensation import Compensation
from tertulia.identity.scoring import PARAMETERS
from voice_items import Items, Trials

CORPORA = ("speechocean762", "LibriSpeech")
FEWEST = 5
"""Speakers in a vector of the cohort, at least."""
TOP, SHARE = 8, 0.5
SMOOTHING = 2.0
DURATIONS = (1.5, 3.0, 5.0, 10.0, 20.0)
CELL = 20_000
"""Non-targets of one pair of durations, at most."""
FOLDS = 5
RATES = np.geomspace(0.3, 0.001, 12)

Array = NDArray[np.float64]


def averages(vectors: Array, fewest: int) -> Array:
    """Average voices that are alike, at least so many together: halve by the first principal axis.

    (speakers, dim) → (averages, dim), of length 1.
    """
    if len(vectors) < 2 * fewest:
        return np.asarray(unit(vectors.mean(axis=0, keepdims=True)), np.float64)
    centred = vectors - vectors.mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    order = np.argsort(centred @ axis)
    halves = np.array_split(order, 2)
    return np.concatenate([averages(vectors[half], fewest) for half in halves])


def space_of(items: Items) -> tuple[Compensation, Cohort]:
    """Space of speechocean762's variation within speakers; cohort of LibriSpeech's clean crops."""
    several = items.where(corpus="speechocean762")
    compensation = Compensation.fit(several.vector, several.speaker, SMOOTHING)
    clean = items.where(condition="clean", corpus="LibriSpeech")
    longest = [np.flatnonzero(clean.speaker == name)[-1] for name in np.unique(clean.speaker)]
    return compensation, Cohort(averages(compensation(clean.vector[longest]), FEWEST), TOP, SHARE)


def scores(space: tuple[Compensation, Cohort], ones: Items, others: Items) -> Array:
    """Normalised scores of all pairs, (ones, others)."""
    compensation, cohort = space
    one, other = compensation(ones.vector), compensation(others.vector)
    return cohort.normalised(one @ other.T, one, other)


def cells(items: Items, rng: np.random.Generator) -> Iterator[tuple[Array, ...]]:
    """Trials of every two durations, in all conditions: scores, targets, seconds on both sides.

    Each speaker is scored in a space that was made without the speaker: variation looks smaller on those whom
    it was measured on.
    """
    folds = [items[folds_of(items) != fold] for fold in range(FOLDS)]
    spaces = [space_of(rest) for rest in folds]
    for i, seconds in enumerate(DURATIONS):
        for longer in DURATIONS[i:]:
            columns = []
            for fold, space in enumerate(spaces):
                mine = items[folds_of(items) == fold]
                ones, others = mine.where(seconds=seconds), mine.where(seconds=longer)
                trials = Trials.between(ones, others, among=longer == seconds).fewer(CELL // FOLDS, rng)
                table = scores(space, ones, others)
                columns.append((trials.scores(table), trials.target))
            made, target = (np.concatenate(column) for column in zip(*columns, strict=True))
            yield made, target, np.full(len(made), seconds), np.full(len(made), longer)


def folds_of(items: Items) -> NDArray[np.intp]:
    """Fold of each item, the same for all of a speaker."""
    names, of = np.unique(items.speaker, return_inverse=True)
    return (np.random.default_rng(0).permutation(len(names)) % FOLDS)[of]


def fit(items: Items) -> tuple[Calibration, OperatingPoints]:
    """Fit on all cells at once; measure operating points on each duration."""
    columns = list(cells(items, np.random.default_rng(0)))
    made, target, one, other = (np.concatenate(column) for column in zip(*columns, strict=True))
    calibration = Calibration.fit(made, target, one, other)
    strangers = [
        calibration(made, one, other)[~target] for made, target, one, other in columns if one[0] == other[0]
    ]
    return calibration, OperatingPoints.measure(strangers, RATES)


def main(path: Path, output: Path = PARAMETERS) -> None:
    """Write the parameters."""
    items, model = Items.load(path)
    items = items.where(group="adult", corpus=CORPORA)
    compensation, cohort = space_of(items)
    calibration, points = fit(items)
    np.savez(
        output,
        model=model,
        compensation=compensation.matrix.astype(np.float32),
        cohort=cohort.vectors.astype(np.float32),
        top=cohort.top,
        share=cohort.share,
        calibration=calibration.coefficients,
        rates=points.rates,
        ratios=points.ratios,
    )
    print(f"{output}: {len(cohort.vectors)} in the cohort, coefficients {calibration.coefficients.round(3)}")
    print(f"sha256 {hashlib.sha256(output.read_bytes()).hexdigest()}")
    for rate, ratio in zip(points.rates, points.ratios, strict=True):
        print(f"  {rate:.4f} of strangers have llr {ratio:.2f} or more")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
