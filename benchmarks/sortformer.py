"""Sortformer on recordings of few people: post-processing by cross-validation, latencies, blocks, baselines.

    python benchmarks/sortformer.py DATA/simulated [--weights sortformer-tiny] [--most 4] [--systems
    default,hybrid]

Post-processing is chosen on all recordings but one and used on that one, for every recording in turn; the
figure is the error of all of them pooled, at collar 0 with overlap scored and the number of speakers not
given. The line `chosen` says which settings are best on all recordings: those of the system, whose error on
the same recordings is printed as well.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import tertulia
from tertulia import formats
from tertulia.audio import open_audio, read
from tertulia.audio.windows import slide
from tertulia.binarize import Hysteresis
from tertulia.chains.endtoend import EndToEnd
from tertulia.endtoend import LATENCIES
from tertulia.evaluation import DiarizationError, diarization_error
from tertulia.frames import Frames, Grid
from tertulia.segmentation import EnergySegmenter
from tertulia.stitch import Stitched
from tertulia.timeline import Diarization, Timeline

Array = NDArray[np.float32]
Settings = dict[str, float]

GRID = {
    "onset": (0.3, 0.4, 0.5, 0.6, 0.7),
    "less": (0.0, 0.15),  # offset below onset
    "min_duration_off": (0.0, 0.4),
    "min_duration_on": (0.0, 0.3),
    "pad": (0.0, 0.06),
}
WINDOWS = ((30.0, 15.0), (60.0, 30.0), (90.0, 45.0), (180.0, 90.0), (360.0, 180.0))
STEP = 0.08


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of recordings with RTTM")
    parser.add_argument("--weights", default="sortformer-tiny")
    parser.add_argument("--most", type=int, default=4, help="recordings of more people are left out")
    parser.add_argument(
        "--systems", default="", help="other systems on the same recordings, separated by commas"
    )
    parser.add_argument("--latencies", default=",".join(LATENCIES))
    parser.add_argument("--windows", default=",".join(f"{w:g}" for w, _ in WINDOWS), help="seconds of blocks")
    parser.add_argument("--cache", type=Path, help="folder in which activity is kept")
    options = parser.parse_args(arguments)
    references = {
        path: reference
        for path in sorted(options.data.iterdir())
        if path.suffix in (".ogg", ".opus", ".flac", ".wav")
        for reference in [formats.read(path.with_suffix(".rttm"))]
        if len(reference.speakers) <= options.most
    }
    print(f"{len(references)} recordings of up to {options.most} people")
    for name, guess in (("random", by_chance), ("energy", by_energy)):
        show(name, [diarization_error(ref, guess(path)) for path, ref in references.items()])
    own = dataclasses.replace(tertulia.load("sortformer-tiny").chain, weights=options.weights)
    chains = {
        f"blocks of {w:g} s": dataclasses.replace(own, window=w, overlap=o)
        for w, o in WINDOWS
        if f"{w:g}" in options.windows.split(",")
    }
    chains |= {
        f"latency {name} s": dataclasses.replace(own, latency=name)
        for name in options.latencies.split(",")
        if name
    }
    for name, chain in chains.items():
        activities = [heard(chain, path, options.cache) for path in references]
        cross_validated(name, chain, activities, list(references.values()))
    for name in filter(None, options.systems.split(",")):
        system = tertulia.load(name)
        show(name, [diarization_error(ref, system(path)) for path, ref in references.items()])


def show(name: str, errors: Sequence[DiarizationError]) -> None:
    total = sum(errors, DiarizationError())
    print(
        f"{name:18} DER {total.der:6.2%}  FA {total.false_alarm_rate:6.2%}  miss {total.missed_rate:6.2%}  "
        f"conf {total.confusion_rate:6.2%}  files {' '.join(f'{error.der:.0%}' for error in errors)}",
        flush=True,
    )


# ── baselines ────────────────────────────────────────────────────────────────────────────────────────────


def by_energy(path: Path) -> Diarization:
    """Whoever is loud is one person."""
    return Diarization({"A": Timeline.from_bounds(loud(path))})


def by_chance(path: Path) -> Diarization:
    """Loud stretches, cut into pieces of 2 s that one of four people gets by chance."""
    rng, turns = np.random.default_rng(0), []
    for start, end in loud(path).tolist():
        cuts = np.append(np.arange(start, end, 2.0), end)
        turns += [(a, b, str(rng.integers(4))) for a, b in itertools.pairwise(cuts) if b > a]
    return Diarization(turns)


def loud(path: Path) -> NDArray[np.float64]:
    """Bounds of what the bundled energy detector takes for speech, (stretches, 2)."""
    segmenter = EnergySegmenter()
    samples, rate = (
        read(path, sample_rate=segmenter.sample_rate, channels="mix").samples[0],
        segmenter.sample_rate,
    )
    size = round(segmenter.window * rate)
    (windows,) = slide([samples], rate, size=size, hop=size, batch=10**6)
    activity = segmenter(windows)
    active = activity.active.any(axis=2)  # (windows, frames)
    bounds = [activity.grid.timeline(row).bounds + number * size / rate for number, row in enumerate(active)]
    return Timeline.from_bounds(np.concatenate(bounds)).bounds


# ── Sortformer ───────────────────────────────────────────────────────────────────────────────────────────


def heard(chain: EndToEnd, path: Path, cache: Path | None) -> Array:
    """Activity of a recording, (frames, outputs)."""
    key = hashlib.sha256(repr([chain.models, chain.latency, chain.window, chain.overlap, path.name]).encode())
    kept = None if cache is None else cache / f"{key.hexdigest()[:24]}.npy"
    if kept is not None and kept.exists():
        return np.load(kept)
    with open_audio(path, sample_rate=16_000, channels="mix") as recording:
        values = chain.hear(recording)[0].values
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, values)
    return values


def cross_validated(
    name: str, chain: EndToEnd, activities: list[Array], references: list[Diarization]
) -> None:
    """Score every recording with the settings that are best on the others."""
    every = list(settings())
    errors = [
        [error_of(activity, reference, each) for each in every]
        for activity, reference in zip(activities, references, strict=True)
    ]  # (recordings, settings)

    def best(those: list[int]) -> int:
        totals = [sum((errors[i][s] for i in those), DiarizationError()).der for s in range(len(every))]
        return int(np.argmin(totals))

    numbers = list(range(len(references)))
    picked = [best([i for i in numbers if i != left]) for left in numbers]
    show(name, [errors[i][s] for i, s in zip(numbers, picked, strict=True)])
    whole = best(numbers)
    total = sum((errors[i][whole] for i in numbers), DiarizationError())
    own = [
        diarization_error(ref, decided(chain.binarize, activity))
        for activity, ref in zip(activities, references, strict=True)
    ]
    print(
        f"{'':18} chosen {every[whole]}: {total.der:.2%}; "
        f"as the system has it: {sum(own, DiarizationError()).der:.2%}"
    )


def settings() -> Iterator[Settings]:
    for values in itertools.product(*GRID.values()):
        given = dict(zip(GRID, values, strict=True))
        pad, less = given.pop("pad"), given.pop("less")
        yield {**given, "offset": round(given["onset"] - less, 2), "pad_onset": pad, "pad_offset": pad}


def error_of(activity: Array, reference: Diarization, given: Settings) -> DiarizationError:
    return diarization_error(reference, decided(Hysteresis(**given), activity))


def decided(rule: Hysteresis, activity: Array) -> Diarization:
    """Turns of an activity."""
    masks = rule(Stitched(Frames(activity, Grid(STEP)), activity.sum(axis=1)))
    return Diarization({str(k): rule.timeline(mask, Grid(STEP)) for k, mask in enumerate(masks.T)})


if __name__ == "__main__":
    main()
