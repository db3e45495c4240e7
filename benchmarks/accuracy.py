"""Measure a system on recordings with references.

    python benchmarks/accuracy.py FOLDER [--system default] [--threads 2] [--collar 0] [--json FILE]
        [--segmentation FILE.onnx] [--embedding NAME=WEIGHTS] [--count]

FOLDER holds audio with an RTTM of the same stem beside each file; every subfolder with such pairs is a
subset of its own, and recordings whose name begins with `ami_trn` are scored once more apart (the bundled
segmentation was trained on those meetings). Prints a table in Markdown: DER pooled over the files with its
parts and a 95 % bootstrap interval over files, JER, the error in the number of speakers, speed, peak memory.
With `--count` the system is told how many speakers the reference has.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tertulia
from tertulia.evaluation import DiarizationError, FileScore, Protocol, bootstrap, score_file

AUDIO = {".flac", ".wav", ".ogg", ".mp3", ".m4a", ".opus"}
HEADINGS = ["subset", "files", "minutes", "DER %", "95 %", "false alarm", "missed", "confusion", "JER %"]
HEADINGS += ["count error", "exact count", "× real time", "CPU s"]


@dataclass(frozen=True)
class Run:
    """One recording, scored."""

    score: FileScore
    seconds: float
    wall: float
    cpu: float


def pairs(folder: Path) -> dict[str, list[Path]]:
    """Audio files with an RTTM beside them, by subset."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in AUDIO and path.with_suffix(".rttm").exists():
            found.setdefault(path.parent.relative_to(folder).as_posix(), []).append(path)
    return found


def run(diarize: Callable[..., tertulia.Diarization], path: Path, protocol: Protocol, count: bool) -> Run:
    """Diarize and score one recording."""
    reference = tertulia.Diarization.read(path.with_suffix(".rttm"))
    speakers = tertulia.Speakers(len(reference.speakers) if count else None)
    wall, cpu = time.perf_counter(), time.process_time() + _children()
    hypothesis = diarize(path, speakers)
    wall, cpu = time.perf_counter() - wall, time.process_time() + _children() - cpu
    return Run(score_file(reference, hypothesis, protocol=protocol), hypothesis.duration or 0.0, wall, cpu)


def row(name: str, runs: list[Run]) -> list[str]:
    """One line of the table."""
    errors = [r.score.diarization for r in runs]
    total = sum(errors[1:], errors[0])
    low, high = bootstrap(errors, lambda e: e.der) if len(errors) > 1 else (total.der, total.der)
    jaccard = sum((r.score.jaccard for r in runs[1:]), runs[0].score.jaccard)
    count = sum((r.score.count for r in runs[1:]), runs[0].score.count)
    seconds = sum(r.seconds for r in runs)
    return [
        name,
        f"{len(runs)}",
        f"{seconds / 60:.1f}",
        f"{100 * total.der:.2f}",
        f"{100 * low:.1f}–{100 * high:.1f}",
        *(f"{100 * x:.2f}" for x in _parts(total)),
        f"{100 * jaccard.jer:.1f}",
        f"{count.mean:.2f}",
        f"{100 * count.exact_rate:.0f} %",
        f"{seconds / sum(r.wall for r in runs):.0f}",
        f"{sum(r.cpu for r in runs):.1f}",
    ]


def _parts(error: DiarizationError) -> tuple[float, float, float]:
    return error.false_alarm_rate, error.missed_rate, error.confusion_rate


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--system", default="default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--collar", type=float, default=0.0)
    parser.add_argument("--json", type=Path, help="write the score of every file here")
    parser.add_argument("--segmentation", help="other weights for the powerset segmentation")
    parser.add_argument("--embedding", help="another embedding model")
    parser.add_argument("--count", action="store_true", help="tell the number of speakers")
    parser.add_argument("--per-file", action="store_true")
    options = parser.parse_args()
    protocol = Protocol(collar=options.collar)
    diarize = tertulia.load(
        options.system,
        threads=options.threads,
        segmentation=options.segmentation,
        embedding=options.embedding,
    )
    rows, files = [], {}
    for subset, paths in pairs(options.folder).items():
        runs = {path.stem: run(diarize, path, protocol, options.count) for path in paths}
        files.update(runs)
        if options.per_file:
            rows += [row(stem, [r]) for stem, r in runs.items()]
        rows.append(row(subset, list(runs.values())))
        if seen := [r for stem, r in runs.items() if stem.startswith("ami_trn")]:
            rows.append(row(f"{subset}, ami_trn only", seen))
    about = f"tertulia {tertulia.__version__}, system {options.system}, {options.threads} threads"
    print(f"{about}; {protocol.describe()}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB\n")
    for line in [HEADINGS, ["---"] * len(HEADINGS), *rows]:
        print("| " + " | ".join(line) + " |")
    if options.json:
        scores = {stem: vars_of(r) for stem, r in files.items()}
        options.json.write_text(json.dumps(scores, indent=1) + "\n")


def vars_of(r: Run) -> dict[str, float]:
    """Plain figures of one recording."""
    error = r.score.diarization
    parts = dict(zip(["false_alarm", "missed", "confusion"], _parts(error), strict=True))
    return {"der": error.der, **parts, "seconds": r.seconds, "wall": r.wall, "cpu": r.cpu}


if __name__ == "__main__":
    main()
