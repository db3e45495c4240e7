"""Siamese networks and their baselines on conversations: changes of speaker, and who is who.

    python benchmarks/siamese.py ../shared/data/diarization/simulated --systems siamese-mfcc,siamese-sincnet
    python benchmarks/siamese.py ../shared/data/diarization/simulated --changes siamese-sincnet@0.965,bic
    python benchmarks/siamese.py FOLDER --systems siamese-mfcc --grid change=0.8,1 --grid threshold=0.9,1.1

Changes are those within the speech of the reference. A transition of the reference is the beginning of a turn
of somebody else than who began to speak before. Networks take the distance behind their @; all other methods
keep their defaults. A grid tells which settings
of a chain make the fewest errors, and what settings chosen on half of the recordings reach on the others.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import tertulia
from cross_validation import Grid as Grids
from cross_validation import axis
from tertulia import Diarization, Speakers
from tertulia.audio import open_audio, read
from tertulia.chains.stages import _cut_out, _Heard, _unfolded, _vectors
from tertulia.evaluation import (
    DiarizationError,
    auc,
    bootstrap,
    bootstrap_difference,
    diarization_error,
    match_changes,
)
from tertulia.featurefiles import Features
from tertulia.frames import Grid
from tertulia.mfcc import STEP, mfcc
from tertulia.segmentation.changes import CHANGES, SiameseChanges
from tertulia.speakers import ANY

ROUNDS = 20  # random labellings, and random boundaries
TOLERANCE = 0.5  # s
RATE = 16_000  # Hz


def recordings(folder: Path) -> list[tuple[Path, Diarization]]:
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".flac", ".ogg", ".wav"))
    return [(path, Diarization.read(path.with_suffix(".rttm"))) for path in paths]


# ── changes ──────────────────────────────────────────────────────────────────────────────────────────────


def transitions(reference: Diarization) -> np.ndarray:
    """Beginnings of turns of somebody else than who began before, (transitions,)."""
    turns = sorted(reference, key=lambda turn: (turn.start, turn.end))
    return np.array([b.start for a, b in itertools.pairwise(turns) if a.speaker != b.speaker])


def method_of(name: str):
    """A method by its name in CHANGES, or WEIGHTS@DISTANCE: a network with the distance of its card."""
    weights, at, distance = name.partition("@")
    return SiameseChanges(weights=weights, threshold=float(distance) ** 2 / 2) if at else CHANGES[name]()


def found_by(name: str, heard: _Heard, reference: Diarization) -> tuple[np.ndarray, list[tuple[float, bool]]]:
    """Changes that a method finds in the speech of the reference; values of its curve with the truth."""
    method, speech = method_of(name), reference.speech
    if method.front == "cepstra":
        grid = Grid(STEP)
        mask = grid.mask(speech, len(heard.features.values))
        speech, sound = grid.timeline(mask), Features(heard.features.values[mask], STEP)
    else:
        sound = _vectors(method, _cut_out(heard.sound(name), speech))
    curve = method.curve(sound)
    places = _unfolded(curve.places, speech)
    truth = transitions(reference)
    near = np.abs(places[:, None] - truth).min(axis=1, initial=np.inf) <= TOLERANCE / 2
    changes = _unfolded(curve.maxima(method.threshold, method.apart), speech)
    return changes, list(zip(curve.values.tolist(), near.tolist(), strict=True))


def chance(reference: Diarization, count: int, seed: int) -> np.ndarray:
    """As many instants of the speech at random."""
    speech = reference.speech
    drawn = np.random.default_rng(seed).uniform(0, speech.duration, count)
    return _unfolded(np.sort(drawn), speech)


def every(reference: Diarization, count: int) -> np.ndarray:
    """As many instants of the speech, equally far apart."""
    speech = reference.speech
    return _unfolded((np.arange(count) + 0.5) * speech.duration / max(count, 1), speech)


def changes_table(folder: Path, names: list[str]) -> Iterator[str]:
    heard = []
    for path, reference in recordings(folder):
        samples = read(path).samples[0]
        features = Features(mfcc(samples), STEP)
        heard.append((_Heard(features, len(samples) / 16_000, path.stem, True, samples), reference))
    yield (
        "| method | found | precision | recall | F1 | 95 % interval | AUC | F1 of as many at random "
        "| as many at a fixed interval |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for name in names:
        mine, random, fixed, values = [], [], [], []
        for recording, reference in heard:
            changes, curve = found_by(name, recording, reference)
            truth = transitions(reference)
            mine.append(match_changes(truth, changes, tolerance=TOLERANCE))
            fixed.append(match_changes(truth, every(reference, len(changes)), tolerance=TOLERANCE))
            draws = [
                match_changes(truth, chance(reference, len(changes), seed), tolerance=TOLERANCE)
                for seed in range(ROUNDS)
            ]
            random.append(sum(draws[1:], draws[0]))
            values += curve
        whole = sum(mine[1:], mine[0])
        low, high = bootstrap(mine, lambda score: score.f1)
        area = auc(*(np.array(column) for column in zip(*values, strict=True)))
        yield (
            f"| {name} | {whole.hypothesis} of {whole.reference} | {whole.precision:.1%} "
            f"| {whole.recall:.1%} | {whole.f1:.1%} | {low:.1%} to {high:.1%} | {area:.3f} "
            f"| {beaten(mine, random)} | {beaten(mine, fixed)} |"
        )


def beaten(mine: list, other: list) -> str:
    """F1 of the other, and the interval of by how much it is beaten."""
    low, high = bootstrap_difference(mine, other, lambda score: score.f1)
    return f"{sum(other[1:], other[0]).f1:.1%} (beaten by {100 * low:+.1f} to {100 * high:+.1f} points)"


# ── systems ──────────────────────────────────────────────────────────────────────────────────────────────


def random_labels(result: Diarization, count: int, reference: Diarization) -> float:
    """Mean confusion when every turn of a result is given to anybody."""
    confusions = []
    for seed in range(ROUNDS):
        drawn = np.random.default_rng(seed)
        turns = [(t.start, t.end, str(drawn.integers(count))) for t in result]
        confusions.append(diarization_error(reference, Diarization(turns)).confusion)
    return float(np.mean(confusions))


def systems_table(folder: Path, names: list[str], load: Callable = tertulia.load) -> Iterator[str]:
    yield (
        "| system | DER | confusion | DER, count given | confusion, count given | random labels "
        "| below random | transitions: precision | recall | F1 | count off by |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for name in names:
        system = load(name)
        free, given, random, points, off = [], [], 0.0, [], 0
        for path, reference in recordings(folder):
            count = len(reference.speakers)
            result = system(path)
            free.append(diarization_error(reference, result))
            off += abs(len(result.speakers) - count)
            counted = system(path, Speakers(count))
            given.append(diarization_error(reference, counted))
            random += random_labels(counted, count, reference)
            points.append(match_changes(transitions(reference), transitions(counted), tolerance=TOLERANCE))
        error, known, point = (sum(x[1:], x[0]) for x in (free, given, points))
        yield (
            f"| {name} | {error.der:.1%} | {error.confusion_rate:.1%} | {known.der:.1%} "
            f"| {known.confusion_rate:.1%} | {random / known.total:.1%} | {1 - known.confusion / random:.0%} "
            f"| {point.precision:.1%} | {point.recall:.1%} | {point.f1:.1%} | {off / len(free):.1f} |"
        )


def grid_table(folder: Path, name: str, axes: Grids) -> Iterator[str]:
    """Error rates of a system by settings of its chain, the best first; recordings are heard once.

    Below it what the best settings on every other recording reach on the rest.
    """
    chain, heard = tertulia.load(name).chain, []
    for path, reference in recordings(folder):
        with open_audio(path, sample_rate=RATE) as recording:
            heard.append((chain.hear(recording, None)[0], reference))
    tried = {}
    for setting in itertools.product(*axes.values()):
        changed = dataclasses.replace(chain, **dict(zip(axes, setting, strict=True)))
        tried[setting] = [outcome(changed, *one) for one in heard]
    yield f"| {name}: {' | '.join(axes)} | DER | confusion | count off by |"
    yield "|---" * (len(axes) + 3) + "|"
    for setting in sorted(tried, key=lambda s: total(tried[s]).der):
        error, off = total(tried[setting]), np.mean([off for _, off in tried[setting]])
        cells = " | ".join(f"{x:g}" for x in setting)
        yield f"| {cells} | {error.der:.1%} | {error.confusion_rate:.1%} | {off:.1f} |"
    crossed = []
    for half in (0, 1):
        best = min(sorted(tried), key=lambda s: total(tried[s][half::2]).der)
        crossed += tried[best][1 - half :: 2]
        yield f"\nbest on one half: {', '.join(f'{k} {v:g}' for k, v in zip(axes, best, strict=True))}"
    yield f"\nDER of settings chosen on the other half: {total(crossed).der:.1%}\n"


def outcome(chain: Callable, features: Features, reference: Diarization) -> tuple[DiarizationError, int]:
    """Errors of a chain, and by how many its count of people is off."""
    turns = [turns for turns in chain(features, ANY, lambda _: None).turns if len(turns)]
    result = Diarization({str(k): timeline for k, timeline in enumerate(turns)})
    return diarization_error(reference, result), abs(len(turns) - len(reference.speakers))


def total(outcomes: list[tuple[DiarizationError, int]]) -> DiarizationError:
    return sum((error for error, _ in outcomes), DiarizationError())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="recordings with RTTM")
    parser.add_argument("--systems", default="")
    parser.add_argument("--changes", default="")
    parser.add_argument("--grid", action="append", metavar="KEY=V,V,…", help="settings of the systems")
    options = parser.parse_args()
    if options.grid:
        for name in options.systems.split(","):
            for line in grid_table(options.folder, name, dict(map(axis, options.grid))):
                print(line, flush=True)
        return
    if options.changes:
        for line in changes_table(options.folder, options.changes.split(",")):
            print(line, flush=True)
    if options.systems:
        for line in systems_table(options.folder, options.systems.split(",")):
            print(line, flush=True)


if __name__ == "__main__":
    main()
