"""What every worker of `peers.py` shares; standard library only, as it runs in the environments of the peers.

A worker is started as `python NAME_worker.py OUT --threads N --set key=value … RECORDING …`. It diarizes
16 kHz mono 16-bit WAV files one after the other, writes OUT/NAME.rttm for each, and prints one line of JSON
per recording as soon as that file is written: name, wall and CPU seconds, children included, and the most
megabytes the process has held until then. Loading the system is part of no recording; it shows in the time of
the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

Turn = tuple[float, float, str]
"""Start and end in seconds, speaker."""

Diarize = Callable[[Path], Iterable[Turn]]
Load = Callable[[int, Mapping[str, str]], Diarize]
"""Makes the system from a number of threads and settings."""


def rttm(name: str, turns: Iterable[Turn]) -> str:
    """Turns as RTTM; those without duration are left out."""
    lines = (
        f"SPEAKER {name} 1 {start:.3f} {end - start:.3f} <NA> <NA> {speaker} <NA> <NA>\n"
        for start, end, speaker in turns
        if end - start >= 0.0005
    )
    return "".join(lines)


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_megabytes() -> float:
    """Most memory this process has held: the kernel's own mark, as `ru_maxrss` begins with the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


def serve(load: Load) -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    # Lines go to the real standard output; whatever the peers print goes to standard error.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    given.out.mkdir(parents=True, exist_ok=True)
    diarize = load(given.threads, dict(setting.split("=", 1) for setting in given.set))
    for path in given.recordings:
        wall, cpu = time.perf_counter(), cpu_seconds()
        turns = rttm(path.stem, diarize(path))
        (given.out / f"{path.stem}.rttm").write_text(turns, encoding="utf-8")
        wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
        line = {"name": path.stem, "wall": wall, "cpu": cpu, "peak": peak_megabytes()}
        print(json.dumps(line), file=lines, flush=True)
