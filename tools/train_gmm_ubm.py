"""Make `gmm-ubm.npz`: the cohort, the calibration and the operating points of verification by GMM-UBM.

    PYTHONPATH=tools python tools/train_gmm_ubm.py ../shared/data statistics.npz
    PYTHONPATH=tools python tools/train_gmm_ubm.py statistics.npz

The first call collects what the background model sees of crops of all speakers, by seconds of speech; the
second makes the parameters of them. Utterances of one speaker are joined as they are, and none is in two
crops of one duration. Made from the adults of speechocean762 and LibriSpeech who are not in the test set: the
40 speakers of the simulated recordings. The cohort holds no one's voice: each of its entries is speech of
five or more LibriSpeech speakers who sound alike, and each speaker is in one only.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tertulia.formats import read
from tertulia.gaussians.background import background
from tertulia.gaussians.ratios import sides, stacked
from tertulia.identity.calibration import Calibration, OperatingPoints
from tertulia.identity.gmm import NORM, PARAMETERS, Impostors, Norm, speech_of, statistics_of
from tertulia.mfcc import STEP, mfcc
from tertulia.simulation.sounds import load
from voice_items import Items, Trials

CROPS = {3.0: 5, 10.0: 3, 20.0: 1}
"""Seconds of speech: crops of a speaker at most."""
USED = 25
"""Utterances of a speaker at most, in an order of their own."""
CHILD = 12
CORPORA = ("speechocean762", "LibriSpeech")
FEWEST = 5
"""Speakers in an entry of the cohort, at least."""
CELL = 20_000
"""Non-targets of one pair of durations, at most."""
RATES = np.geomspace(0.3, 0.001, 12)

Array = NDArray[np.float64]


def packed(cepstra: NDArray[np.float32], chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """What the background model sees of chosen frames: counts, then first moments in deviations."""
    count, first = stacked(background().ubm, [statistics_of(cepstra, chosen)])
    return np.concatenate([count.ravel(), first.ravel()]).astype(np.float32)


def unpacked(vectors: NDArray[np.float32]) -> tuple[Array, Array]:
    """Counts (crops, components) and first moments (crops, components, dim)."""
    components = len(background().ubm)
    count, first = np.split(vectors.astype(np.float64), [components], axis=1)
    return count, first.reshape(len(vectors), components, -1)


def seconds_of(items: Items) -> Array:
    """Speech in each crop as the system hears it, (crops,)."""
    return np.asarray(items.vector[:, : len(background().ubm)].sum(axis=1) * STEP)


def speakers_of(data: Path) -> list[tuple[dict[str, str], list[Path]]]:
    """Everybody of the corpora in use, with some utterances; group is test, adult or child."""
    tested = {name for path in data.glob("diarization/simulated/*.rttm") for name in read(path).speakers}
    rows: dict[str, list[dict[str, str]]] = {}
    with open(data / "speakers" / "speakers.tsv", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["corpus"] in CORPORA:
                rows.setdefault(row["speaker"], []).append(row)
    people = []
    for name, mine in rows.items():
        age = mine[0]["age"]
        group = "test" if name in tested else "child" if age.isdigit() and int(age) <= CHILD else "adult"
        order = np.random.default_rng(crc32(name.encode())).permutation(len(mine))[:USED]
        about = {"speaker": name, "corpus": mine[0]["corpus"], "group": group, "condition": "clean"}
        people.append((about, [data / "speakers" / mine[i]["path"] for i in order]))
    return people


def items_of(about: dict[str, str], utterances: list[Path]) -> list[dict[str, object]]:
    """Cut crops of so many seconds of speech out of the utterances of one speaker."""
    sounds = [load(path, 16_000, 30.0) for path in utterances]
    cepstra = mfcc(np.concatenate(sounds))
    speech = speech_of(cepstra)
    edges = np.minimum(np.cumsum([0, *map(len, sounds)]) // 160, len(cepstra))
    heard = np.concatenate([[0], np.cumsum(speech)])[edges]  # frames of speech before each utterance
    items = []
    for seconds, most in CROPS.items():
        for first, last in list(plan(np.diff(heard), round(seconds / STEP)))[:most]:
            begin, end = edges[first], edges[last + 1]
            chosen = speech[begin:end].copy()
            chosen[np.flatnonzero(chosen)[round(seconds / STEP) :]] = False
            vector = packed(cepstra[begin:end], chosen)
            items.append({**about, "seconds": seconds, "first": first, "last": last, "vector": vector})
    return items


def plan(frames: NDArray[np.intp], wanted: int) -> Iterator[tuple[int, int]]:
    """First and last utterance of each crop: joined until there are enough frames, then begun anew."""
    first, total = 0, 0
    for last, mine in enumerate(frames.tolist()):
        total += mine
        if total >= wanted:
            yield first, last
            first, total = last + 1, 0


def collect(data: Path, output: Path, processes: int = 4) -> None:
    """Write the statistics of all crops of all speakers."""
    people = speakers_of(data)
    with ProcessPoolExecutor(processes) as pool:
        items = [item for part in pool.map(items_of, *zip(*people, strict=True)) for item in part]
    columns = {key: np.array([each[key] for each in items]) for key in items[0]}
    np.savez(output, model=background().sha256, **columns)
    print(f"{output}: {len(items)} crops of {len(people)} speakers")


def alike(models: Array, members: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Divide people into groups who sound alike, `FEWEST` or more each: halve by the first principal axis."""
    if len(members) < 2 * FEWEST:
        return [members]
    mine = models[members] - models[members].mean(axis=0)
    axis = np.linalg.svd(mine, full_matrices=False)[2][0]
    halves = np.array_split(members[np.argsort(mine @ axis)], 2)
    return [group for half in halves for group in alike(models, half)]


def cohort_of(items: Items) -> tuple[Array, Array]:
    """Sum the longest clean crops of LibriSpeech's speakers in groups; counts and first moments.

    A sum of five people's speech counts as much as one person's.
    """
    clean = items.where(condition="clean", corpus="LibriSpeech")
    longest = np.array([np.flatnonzero(clean.speaker == name)[-1] for name in np.unique(clean.speaker)])
    count, first = unpacked(clean.vector[longest])
    groups = alike(sides(count, first)[1][:, : first[0].size], np.arange(len(longest)))
    return tuple(np.stack([part[group].mean(axis=0) for group in groups]) for part in (count, first))


def scored(impostors: Impostors, ones: Items, others: Items, norm: Norm = NORM) -> Array:
    """Scores of all pairs, both directions averaged, (ones, others)."""
    (one, model), (other, models) = (sides(*unpacked(side.vector)) for side in (ones, others))
    there, back = impostors.scores(model, other, norm), impostors.scores(models, one, norm)
    return np.asarray((there + back.T) / 2)


def fitted(items: Items, impostors: Impostors) -> tuple[Calibration, OperatingPoints]:
    """Fit on all pairs of durations at once, each weighing the same; operating points within each."""
    rng, columns, strangers = np.random.default_rng(0), [], []
    for i, seconds in enumerate(CROPS):
        for longer in list(CROPS)[i:]:
            ones, others = items.where(seconds=seconds), items.where(seconds=longer)
            trials = Trials.between(ones, others, among=longer == seconds).fewer(CELL, rng)
            scores = trials.scores(scored(impostors, ones, others))
            columns.append(
                [scores, trials.target, seconds_of(ones)[trials.one], seconds_of(others)[trials.other]]
            )
    calibration = Calibration.fit(*(np.concatenate(column) for column in zip(*columns, strict=True)))
    for scores, target, one, other in columns:
        strangers.append(calibration(scores, one, other)[~target])
    return calibration, OperatingPoints.measure(strangers, RATES)


def train(path: Path, output: Path = PARAMETERS) -> None:
    """Write the parameters."""
    items, model = Items.load(path)
    items = items.where(group="adult", corpus=CORPORA)
    count, first = (part.astype(np.float16) for part in cohort_of(items))
    impostors = Impostors(*sides(count.astype(np.float64), first.astype(np.float64)))
    calibration, points = fitted(items, impostors)
    np.savez_compressed(
        output,
        background=model,
        count=count,
        first=first,
        calibration=calibration.coefficients,
        rates=points.rates,
        ratios=points.ratios,
    )
    people = len(np.unique(items.where(corpus="LibriSpeech").speaker))
    print(f"{output}: {len(count)} in the cohort, of {people} people; {output.stat().st_size} bytes")
    print(f"coefficients {calibration.coefficients.round(3)}")
    for rate, ratio in zip(points.rates, points.ratios, strict=True):
        print(f"  {rate:.4f} of strangers have llr {ratio:.2f} or more")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    first_argument = Path(sys.argv[1])
    if first_argument.is_dir():
        collect(first_argument, Path(sys.argv[2]))
    else:
        train(*map(Path, sys.argv[1:]))
