"""Make `known-voices.npz`: the cohort, the calibration and the operating points of known voices.

    python tools/embed_speakers.py ../shared/data items.npz
    python tools/calibrate_voices.py items.npz

Made from the adults of speechocean762 and LibriSpeech who are not in the test set. The cohort holds no one's
voiceprint: each of its vectors averages five or more LibriSpeech speakers, and each speaker is in one only.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.voices import unit
from tertulia.identity.calibration import Calibration, OperatingPoints
from tertulia.identity.cohort import Cohort
from tertulia.identity.scoring import PARAMETERS
from voice_items import Items, Trials

CORPORA = ("speechocean762", "LibriSpeech")
FEWEST = 5
"""Speakers in a vector of the cohort, at least."""
TOP = 12
DURATIONS = (1.5, 3.0, 5.0, 10.0, 20.0)
CELL = 20_000
"""Non-targets of one pair of durations, at most."""
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


def cohort_of(items: Items) -> Cohort:
    """Average the longest clean crops of LibriSpeech's speakers."""
    clean = items.where(condition="clean", corpus="LibriSpeech")
    longest = [np.flatnonzero(clean.speaker == name)[-1] for name in np.unique(clean.speaker)]
    return Cohort(averages(clean.vector[longest], FEWEST), TOP)


def cells(items: Items, rng: np.random.Generator) -> Iterator[tuple[Items, Items, Trials]]:
    """Trials of every two durations, in all conditions; so many non-targets of each."""
    for i, seconds in enumerate(DURATIONS):
        for longer in DURATIONS[i:]:
            ones, others = items.where(seconds=seconds), items.where(seconds=longer)
            trials = Trials.between(ones, others, among=longer == seconds)
            yield ones, others, trials.fewer(CELL, rng)


def fit(items: Items, cohort: Cohort) -> tuple[Calibration, OperatingPoints]:
    """Fit on all cells at once, each weighing the same; measure operating points on each duration."""
    columns: list[list[Array]] = []
    for ones, others, trials in cells(items, np.random.default_rng(0)):
        scores = trials.scores(cohort.normalised(ones.vector @ others.vector.T, ones.vector, others.vector))
        columns.append([scores, trials.target, ones.seconds[trials.one], others.seconds[trials.other]])
    scores, target, one, other = (np.concatenate(column) for column in zip(*columns, strict=True))
    calibration = Calibration.fit(scores, target, one, other)
    strangers = [
        calibration(scores, one, other)[~target]
        for scores, target, one, other in columns
        if one[0] == other[0]
    ]
    return calibration, OperatingPoints.measure(strangers, RATES)


def main(path: Path, output: Path = PARAMETERS) -> None:
    """Write the parameters."""
    items, model = Items.load(path)
    items = items.where(group="adult", corpus=CORPORA)
    cohort = cohort_of(items)
    calibration, points = fit(items, cohort)
    np.savez(
        output,
        model=model,
        cohort=cohort.vectors.astype(np.float32),
        top=cohort.top,
        calibration=calibration.coefficients,
        rates=points.rates,
        ratios=points.ratios,
    )
    print(f"{output}: {len(cohort.vectors)} in the cohort, coefficients {calibration.coefficients.round(3)}")
    for rate, ratio in zip(points.rates, points.ratios, strict=True):
        print(f"  {rate:.4f} of strangers have llr {ratio:.2f} or more")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
