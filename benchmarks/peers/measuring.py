"""Run workers, and keep what they take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from peers.entrants import PeerError
from tertulia.audio import Waveform, read, write_wav

RATE = 16_000

LENGTH = 600.0
"""Seconds of the recording that is timed."""

QUIET = 0.2
"""Cores that others may keep busy when a timing begins."""

PATIENCE = 600.0
"""Seconds to wait for that before timing all the same; the report says how busy others were."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Timing:
    """What a run took: wall and CPU seconds, peak megabytes, and the cores others kept busy meanwhile."""

    wall: float
    cpu: float
    peak: float
    others: float


@dataclass(frozen=True)
class Spent:
    """A recording's length, and what it took in a system that was loaded; seconds."""

    seconds: float
    wall: float
    cpu: float


@dataclass(frozen=True)
class Accuracy:
    """One process that did every recording; the RTTM files lie beside this record."""

    measured: str
    threads: int
    files: Mapping[str, Spent]

    @classmethod
    def kept(cls, folder: Path) -> Accuracy | None:
        """What was measured before, if anything."""
        if not (folder / "accuracy.json").exists():
            return None
        kept = json.loads((folder / "accuracy.json").read_text(encoding="utf-8"))
        return cls(**{**kept, "files": {name: Spent(**spent) for name, spent in kept["files"].items()}})


@dataclass(frozen=True)
class Speed:
    """Timings of the long recording, one of each kind a round."""

    measured: str
    threads: int
    cold: Sequence[Timing]
    warm: Sequence[Timing]

    @classmethod
    def kept(cls, folder: Path) -> Speed | None:
        """What was measured before, if anything."""
        if not (folder / "speed.json").exists():
            return None
        kept = json.loads((folder / "speed.json").read_text(encoding="utf-8"))
        return cls(**{**kept, **{kind: [Timing(**run) for run in kept[kind]] for kind in ("cold", "warm")}})


def measure_accuracy(worker: list[str], files: Sequence[Path], folder: Path, threads: int) -> None:
    """Diarize every file, WAV, in one process.

    Raises:
        PeerError: when it fails.
    """
    (folder / "accuracy.json").unlink(missing_ok=True)
    _, lines = _worked(worker, folder, files, threads)
    spent = {
        path.stem: Spent(_seconds(path), line["wall"], line["cpu"])
        for path, line in zip(files, lines, strict=True)
    }
    _keep(folder / "accuracy.json", Accuracy(_now(), threads, spent))


def measure_speed(
    workers: Mapping[str, list[str]], twice: Sequence[Path], keep: Path, threads: int, rounds: int
) -> dict[str, str]:
    """Time all systems in turns, and say why some failed.

    Args:
        workers: commands, by the folder of `keep` the results go to.
        twice: two WAV files; the first is timed cold, the second warm.
        keep: folder of all results.
        threads: of each system.
        rounds: how often each is timed.
    """
    times: dict[str, list[tuple[Timing, Timing]]] = {key: [] for key in workers}
    failures: dict[str, str] = {}
    for key in rounds * list(workers):
        if key not in failures:
            try:
                times[key].append(_cold_and_warm(workers[key], twice, threads))
            except PeerError as error:
                failures[key] = str(error)
            else:
                print(key, *times[key][-1], file=sys.stderr, flush=True)
    for key in workers:
        (keep / key / "speed.json").unlink(missing_ok=True)
        if key not in failures:
            cold, warm = zip(*times[key], strict=True)
            _keep(keep / key / "speed.json", Speed(_now(), threads, cold, warm))
    return failures


def _cold_and_warm(worker: list[str], twice: Sequence[Path], threads: int) -> tuple[Timing, Timing]:
    with tempfile.TemporaryDirectory() as scratch:
        _wait_until_quiet()
        cold, _ = _worked(worker, Path(scratch), twice[:1], threads)
        _wait_until_quiet()
        both, lines = _worked(worker, Path(scratch), twice, threads)
    return cold, Timing(lines[1]["wall"], lines[1]["cpu"], both.peak, both.others)


def _worked(
    worker: list[str], out: Path, recordings: Sequence[Path], threads: int
) -> tuple[Timing, list[dict[str, float]]]:
    """Run a worker; what the whole process took, and its line on every recording."""
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
    if worker[0] != sys.executable:
        environment.pop("PYTHONPATH", None)
    command = [*worker, "--threads", str(threads), str(out), *map(str, recordings)]
    busy, begin = _busy_now(), time.perf_counter()
    with tempfile.TemporaryFile() as messages, tempfile.TemporaryFile() as written:
        process = subprocess.Popen(command, stdout=written, stderr=messages, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall, busy = time.perf_counter() - begin, _busy_now() - busy
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (messages, written):
            file.seek(0)
        if process.returncode:
            last = messages.read().decode(errors="replace").strip().splitlines()[-1:]
            raise PeerError(f"its process ended with {process.returncode}: {' '.join(last) or 'no message'}")
        lines = [json.loads(line) for line in written]
    cpu = usage.ru_utime + usage.ru_stime
    return Timing(wall, cpu, lines[-1]["peak"], max(0.0, (busy - cpu) / wall)), lines


def busy_seconds(stat: str) -> float:
    """CPU seconds that all cores together were not idle, from the text of /proc/stat."""
    user, nice, kernel, _idle, _waiting, *others = (int(word) for word in stat.split(maxsplit=9)[1:9])
    return (user + nice + kernel + sum(others)) / os.sysconf("SC_CLK_TCK")


def _busy_now() -> float:
    return busy_seconds(Path("/proc/stat").read_text(encoding="ascii"))


def _wait_until_quiet(sample: float = 2.0) -> None:
    """Wait until others leave the machine alone."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        before = _busy_now()
        time.sleep(sample)
        if (_busy_now() - before) / sample < QUIET:
            return
    print(f"others have kept the machine busy for {PATIENCE:.0f} s; timing all the same", file=sys.stderr)


def as_wav(source: Path, target: Path, seconds: float | None = None) -> Path:
    """Write a recording as 16 kHz mono 16-bit WAV, repeated or cut to a length if one is given."""
    samples = read(source, sample_rate=RATE).samples
    if seconds is not None:
        samples = np.resize(samples, (1, round(seconds * RATE)))
    write_wav(target, Waveform(samples, RATE))
    return target


def _seconds(path: Path) -> float:
    with wave.open(str(path)) as file:
        return float(file.getnframes() / file.getframerate())


def _keep(path: Path, record: Accuracy | Speed) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")


def _now() -> str:
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
