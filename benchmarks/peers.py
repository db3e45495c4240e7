"""Measure other diarization packages and ours side by side, and print one table.

    python benchmarks/peers.py --make-environments ENVIRONMENTS
    python benchmarks/peers.py FOLDER --environments ENVIRONMENTS --recording RECORDING --keep RESULTS

FOLDER holds audio with an RTTM of the same stem beside each file; every subfolder with such pairs is a
subset, as in `accuracy.py`. RECORDING is repeated or cut to ten minutes and timed. Every system gets the same
files, as 16 kHz mono 16-bit WAV (Senko takes no other), the same cores and number of threads, and nothing
about the number of speakers; one scorer scores all, without collar and with overlap.

- *cold*: a whole process, from its start to its end, that diarizes one recording.
- *warm*: the second recording (the same sound again) in a process that has done one already.

Timings are medians of `--rounds`, in which the systems take turns. Before each the script waits until the
machine is quiet, and it notes how many cores others kept busy meanwhile. Results are kept in RESULTS: with
`--only`, the rows of the others are those of before; with `--measure` and nothing after it, all are.

Each peer runs in an environment of its own, through a worker in `benchmarks/peers/workers`. Needs Linux.
torch is installed before anything else and by itself: where pip would choose a CUDA build, gigabytes of it,
point it to an index of CPU builds (`PIP_INDEX_URL`).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import accuracy
from peers.entrants import ENVIRONMENTS, OURS, PeerError, System, command, make_environments, systems
from peers.measuring import LENGTH, as_wav, measure_accuracy, measure_speed
from peers.tables import report


def recordings(folder: Path) -> dict[str, list[Path]]:
    """Audio files with an RTTM beside them, by subset; ends the script without any or with equal names."""
    subsets = accuracy.pairs(folder)
    stems = [path.stem for paths in subsets.values() for path in paths]
    if not stems:
        sys.exit(f"{folder} holds no audio with an RTTM file of the same name beside it")
    if twice := {stem for stem in stems if stems.count(stem) > 1}:
        sys.exit(f"{folder} holds more than one recording of the name {min(twice)}")
    return subsets


def commands(
    chosen: Sequence[System], environments: Path | None
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """How to run the systems, and why some cannot be, by key."""
    able, failures = {}, {}
    for system in chosen:
        try:
            able[system.key] = command(system, environments)
        except PeerError as error:
            failures[system.key] = str(error)
    return able, failures


def measure(
    given: argparse.Namespace, workers: Mapping[str, list[str]], subsets: Mapping[str, Sequence[Path]]
) -> dict[str, str]:
    """Measure what was asked for; why some systems failed, by key."""
    failures: dict[str, str] = {}
    # Workers inherit the cores, and so all get the same.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.threads])
    with tempfile.TemporaryDirectory() as scratch:
        if "accuracy" in given.measure:
            every = [path for paths in subsets.values() for path in paths]
            files = [as_wav(path, Path(scratch) / f"{path.stem}.wav") for path in every]
            for key, worker in workers.items():
                try:
                    measure_accuracy(worker, files, given.keep / key, given.threads)
                except PeerError as error:
                    failures[key] = str(error)
        if "speed" in given.measure:
            twice = [as_wav(given.recording, Path(scratch) / f"timed-{i}.wav", LENGTH) for i in (1, 2)]
            failures |= measure_speed(workers, twice, given.keep, given.threads, given.rounds)
    return failures


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    families, kinds = [*ENVIRONMENTS, OURS], ["accuracy", "speed"]
    parser.add_argument("folder", type=Path, nargs="?", help="recordings with references")
    parser.add_argument("--make-environments", type=Path, metavar="FOLDER", help="make them there, and end")
    parser.add_argument("--environments", type=Path, help="folder they were made in")
    parser.add_argument("--recording", type=Path, help="what is timed")
    parser.add_argument("--keep", type=Path, help="folder for results")
    parser.add_argument("--only", nargs="+", choices=families, default=families, help="measure no others")
    parser.add_argument("--measure", nargs="*", choices=kinds, default=kinds, help="default: both")
    parser.add_argument("--systems", nargs="+", default=["default"], help="of ours; default: default")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="of timing; default: %(default)s")
    given = parser.parse_args()
    if not given.make_environments:
        if not (given.folder and given.keep):
            parser.error("give FOLDER and --keep, or --make-environments")
        if "speed" in given.measure and not given.recording:
            parser.error("timing needs --recording; without it, --measure accuracy")
    return given


def main() -> None:
    given = arguments()
    if given.make_environments:
        make_environments(given.make_environments)
        return
    subsets, every = recordings(given.folder), systems(given.systems)
    workers, failures = commands([s for s in every if s.family in given.only], given.environments)
    if given.measure:
        failures |= measure(given, workers, subsets)
    print(report(every, given.keep, subsets, failures))


if __name__ == "__main__":
    main()
