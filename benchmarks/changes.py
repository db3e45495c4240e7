"""Speaker changes by distance of adjacent windows: precision, recall and F1 of each method.

    python benchmarks/changes.py ../shared/data [--methods bic,glr,kl2,cosine] [--tolerance 0.5]

Windows are compared within the speech of the reference, pauses left out, so that only changes count: instants
at which the set of people who speak becomes another, counted in seconds of speech. The table has the default
threshold of each method, and the one that has the highest F1 on the recordings of the other half (every other
one), so that no threshold is judged by what chose it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia import Diarization
from tertulia.audio import open_audio
from tertulia.chains.recording import cepstra
from tertulia.embedding.stretches import sliding_voices
from tertulia.evaluation import ChangePoints, match_changes
from tertulia.featurefiles import Features
from tertulia.frames import Grid
from tertulia.segmentation.changes import CHANGES, Curve

STEP = 0.01
QUANTILES = np.linspace(0.3, 0.995, 60)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Heard:
    """A recording: features and samples of its speech alone, and its changes in seconds of speech."""

    features: Features
    samples: NDArray[np.float32]
    changes: Array


def hear(path: Path) -> Heard:
    reference = Diarization.read(path.with_suffix(".rttm"))
    with open_audio(path, sample_rate=16_000) as recording:
        samples = np.concatenate([block[0] for block in recording])
    with open_audio((samples, 16_000)) as recording:
        values = cepstra(recording)[0].values
    who = np.stack([Grid(STEP).mask(timeline, len(values)) for _, timeline in reference.items()], axis=1)
    speech = who.any(axis=1)
    said = who[speech]  # (frames of speech, people)
    changes = (np.flatnonzero((said[1:] != said[:-1]).any(axis=1)) + 1) * STEP
    kept = np.repeat(speech, 160)[: len(samples)]
    return Heard(Features(values[speech], STEP), samples[: len(kept)][kept], changes)


def curves(name: str, heard: list[Heard]) -> list[Curve]:
    method = CHANGES[name]()
    if method.front == "voices":
        return [method.curve(sliding_voices(each.samples, method.width)) for each in heard]
    return [method.curve(each.features) for each in heard]


def score(
    heard: list[Heard], found: list[Curve], name: str, threshold: float, tolerance: float
) -> ChangePoints:
    apart = CHANGES[name]().apart
    parts = [
        match_changes(each.changes, curve.maxima(threshold, apart), tolerance=tolerance)
        for each, curve in zip(heard, found, strict=True)
    ]
    return reduce(add, parts)


def best(heard: list[Heard], found: list[Curve], name: str, tolerance: float) -> float:
    values = np.quantile(np.concatenate([curve.values for curve in found]), QUANTILES)
    rates = [score(heard, found, name, float(value), tolerance).f1 for value in values]
    return float(values[int(np.argmax(rates))])


def row(label: str, total: ChangePoints, threshold: str) -> str:
    rates = " | ".join(f"{100 * rate:.1f}" for rate in (total.precision, total.recall, total.f1))
    return f"| {label} | {threshold} | {rates} |"


def every(heard: list[Heard], tolerance: float, rng: np.random.Generator) -> ChangePoints:
    """As many changes as there are, anywhere: what chance reaches."""
    return reduce(
        add,
        (
            match_changes(
                each.changes, rng.uniform(0, each.features.duration, len(each.changes)), tolerance=tolerance
            )
            for each in heard
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with diarization")
    parser.add_argument("--methods", default="bic,glr,kl2,cosine")
    parser.add_argument("--tolerance", type=float, default=0.5)
    options = parser.parse_args()
    for part in ("simulated", "real"):
        folder = options.data / "diarization" / part
        heard = [hear(path) for path in sorted(folder.iterdir()) if path.suffix in (".flac", ".ogg", ".wav")]
        changes = sum(len(each.changes) for each in heard)
        print(f"\n{part}: {changes} changes, tolerance {options.tolerance:g} s\n")
        print("| method | threshold | precision % | recall % | F1 % |\n|---|---|---|---|---|")
        print(row("chance", every(heard, options.tolerance, np.random.default_rng(0)), "–"))
        for name in options.methods.split(","):
            found = curves(name, heard)
            threshold = CHANGES[name]().threshold
            total = score(heard, found, name, threshold, options.tolerance)
            print(row(name, total, f"{threshold:g}"), flush=True)
            halves, chosen = [], []
            for mine, other in (
                (slice(0, None, 2), slice(1, None, 2)),
                (slice(1, None, 2), slice(0, None, 2)),
            ):
                value = best(heard[other], found[other], name, options.tolerance)
                chosen.append(f"{value:.3g}")
                halves.append(score(heard[mine], found[mine], name, value, options.tolerance))
            print(row(f"{name}, chosen on others", reduce(add, halves), " / ".join(chosen)), flush=True)


if __name__ == "__main__":
    main()
