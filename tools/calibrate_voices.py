"""Make `known-voices.npz`: compensation, cohort, calibration and thresholds of known voices.

    python tools/embed_speakers.py ../shared/data items.npz
    python tools/calibrate_voices.py items.npz

Made from the adults of speechocean762 and LibriSpeech who are not in the test set. The cohort holds no one's
voiceprint: each of its vectors averages five or more LibriSpeech speakers, and each speaker is in one only.

Calibration and thresholds are fitted on trials between all speakers of speechocean762. Two folds of speakers
at a time are scored in a space that was made without them, each fold within itself as well as with the other:
were targets and others scored in spaces made of different numbers of speakers, the spaces would tell them
apart.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.voices import unit
from tertulia.identity.calibration import Calibration, qualities
from tertulia.identity.cohort import Cohort
from tertulia.identity.compensation import Compensation
from tertulia.identity.scoring import FORMAT, PARAMETERS
from tertulia.identity.telephone import Telephone
from tertulia.identity.thresholds import Thresholds
from voice_items import Items, Trials

SEVERAL, MANY = "speechocean762", "LibriSpeech"
"""Corpora of few people with many utterances, and of many people with one."""
FEWEST = 5
"""Speakers in a vector of the cohort, at least."""
TOP, SHARE = 8, 0.25
SMOOTHING = 1.0
RIDGE = 1e-4
DURATIONS = (1.5, 3.0, 5.0, 10.0, 20.0)
CHANNELS = (("clean", "clean"), ("clean", "telephone"), ("telephone", "telephone"))
"""Between which thresholds are measured."""
LEAST = 500
"""Non-targets of a list from which its quantiles are measured."""
FOLDS = 5
RATES = np.geomspace(0.5, 0.0003, 16)

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


@dataclass(frozen=True, eq=False)
class Space:
    """What scores are made of."""

    compensation: Compensation
    cohort: Cohort
    telephone: Telephone

    @classmethod
    def of(cls, items: Items) -> Self:
        """What a person varies in, from one corpus; what channels do, and the cohort, from the other."""
        several, many = items.where(corpus=SEVERAL), items.where(corpus=MANY)
        sets = [(each.vector, each.speaker) for each in (several, many)]
        compensation = Compensation.fit(sets, SMOOTHING)
        clean = many.where(condition="clean")
        longest = [np.flatnonzero(clean.speaker == name)[-1] for name in np.unique(clean.speaker)]
        cohort = Cohort(averages(compensation(clean.vector[longest]), FEWEST), TOP, SHARE)
        return cls(
            compensation,
            cohort,
            Telephone.fit(several.vector, several.condition == "telephone", RIDGE),
        )

    def scores(self, ones: Items, others: Items) -> Array:
        """Normalised scores of all pairs, (ones, others)."""
        one, other = self.compensation(ones.vector), self.compensation(others.vector)
        return self.cohort.normalised(one @ other.T, one, other)


@dataclass(frozen=True, eq=False)
class Table:
    """Trials, (trials,) in every array; sides are (one, other)."""

    score: Array
    target: NDArray[np.bool_]
    seconds: tuple[Array, Array]
    telephone: tuple[Array, Array]
    condition: tuple[NDArray[np.str_], NDArray[np.str_]]

    @property
    def between(self) -> tuple[Array, Array, tuple[Array, Array]]:
        """What calibration and thresholds know of a trial."""
        return (*self.seconds, self.telephone)

    def where(self, seconds: tuple[float, float], channel: tuple[str, str]) -> NDArray[np.bool_]:
        """Trials between two durations and two channels, in either order."""
        kept = np.zeros(len(self.score), bool)
        for a, b in ((0, 1), (1, 0)):
            for x, y in ((0, 1), (1, 0)):
                kept |= (
                    (self.seconds[a] == seconds[0])
                    & (self.seconds[b] == seconds[1])
                    & (self.condition[x] == channel[0])
                    & (self.condition[y] == channel[1])
                )
        return kept


def folds_of(items: Items) -> NDArray[np.intp]:
    """Fold of each item, the same for all of a speaker."""
    names, of = np.unique(items.speaker, return_inverse=True)
    return (np.random.default_rng(0).permutation(len(names)) % FOLDS)[of]


def parts(items: Items) -> Iterator[Table]:
    """Trials among every two folds, in a space that was made without either."""
    folds = folds_of(items)
    for pair in combinations(range(FOLDS), 2):
        away = np.isin(folds, pair)
        space, mine = Space.of(items[~away]), items[away].where(corpus=SEVERAL)
        trials = Trials.between(mine, mine, among=True)
        telephone = space.telephone(mine.vector)
        yield Table(
            trials.scores(space.scores(mine, mine)),
            trials.target,
            (mine.seconds[trials.one], mine.seconds[trials.other]),
            (telephone[trials.one], telephone[trials.other]),
            (mine.condition[trials.one], mine.condition[trials.other]),
        )


def cross_validated(items: Items) -> Table:
    """All trials between the speakers of whom there are several utterances."""
    tables = list(parts(items))

    def joined(name: str) -> Any:
        return np.concatenate([getattr(table, name) for table in tables], axis=-1)

    pairs = (tuple(joined(name)) for name in ("seconds", "telephone", "condition"))
    return Table(joined("score"), joined("target"), *pairs)  # type: ignore[arg-type]


def fit(table: Table) -> tuple[Calibration, Thresholds]:
    """Fit the ratio on all trials at once, thresholds on lists of non-targets."""
    calibration = Calibration.fit(table.score, table.target, *table.between)
    ratios, quality = calibration(table.score, *table.between), qualities(*table.between)
    lists = [
        ~table.target & table.where(seconds, channel)
        for seconds in combinations_with_replacement(DURATIONS, 2)
        for channel in CHANNELS
    ]
    lists = [each for each in lists if each.sum() >= LEAST]
    means = np.stack([quality[each].mean(axis=0) for each in lists])
    return calibration, Thresholds.fit([ratios[each] for each in lists], means, RATES)


def main(path: Path, output: Path = PARAMETERS) -> None:
    """Write the parameters."""
    items, model = Items.load(path)
    items = items.where(group="adult", corpus=(SEVERAL, MANY))
    space = Space.of(items)
    calibration, thresholds = fit(cross_validated(items))
    np.savez(
        output,
        format=FORMAT,
        model=model,
        compensation=space.compensation.matrix.astype(np.float32),
        cohort=space.cohort.vectors.astype(np.float32),
        top=space.cohort.top,
        share=space.cohort.share,
        telephone=space.telephone.weights.astype(np.float32),
        telephone_offset=space.telephone.offset,
        calibration=calibration.coefficients,
        rates=thresholds.rates,
        levels=thresholds.levels,
        location=thresholds.location,
        scale=thresholds.scale,
    )
    coefficients = calibration.coefficients.round(3)
    print(f"{output}: {len(space.cohort.vectors)} in the cohort, coefficients {coefficients}")
    print(f"sha256 {hashlib.sha256(output.read_bytes()).hexdigest()}")
    print("llr that 10, 1 and 0.1 % of strangers reach:")
    for seconds in DURATIONS:
        reached = [float(thresholds(rate, seconds, seconds)) for rate in (0.1, 0.01, 0.001)]
        print(f"  {seconds:4g} s: " + "  ".join(f"{each:6.2f}" for each in reached))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
