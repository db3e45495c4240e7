"""Measure time and memory of whole processes: import, start-up, ten minutes, three hours.

    python benchmarks/speed.py RECORDING [--threads 2] [--runs 3] [--hours 3]

RECORDING is repeated or cut to the lengths that are measured, as 16-bit WAV. Every figure is taken from a
process of its own that runs `tertulia diarize`; the median of the runs is printed, as a table in Markdown.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# This process stays small and imports nothing large: the system counts the memory of a parent as the first
# memory of its children.


def measured(command: list[str]) -> tuple[float, float, float]:
    """Run a command; wall seconds, CPU seconds and peak megabytes of it and its children."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


MAKE = """
import sys, numpy
from tertulia.audio import Waveform, read, write_wav
source, seconds, path = sys.argv[1:]
wave = read(source)
samples = numpy.resize(wave.samples[0], round(float(seconds) * wave.sample_rate))
write_wav(path, Waveform(samples[None], wave.sample_rate))
"""


def repeated(source: Path, seconds: float, path: Path) -> Path:
    """Write a recording, repeated or cut to a length."""
    subprocess.run([sys.executable, "-c", MAKE, str(source), str(seconds), str(path)], check=True)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--system", default="default")
    options = parser.parse_args()
    python = [sys.executable]
    load = f"import tertulia; d = tertulia.load({options.system!r}); d.segmenter.network.session"
    load += "; [n.session for n in d.embedder.networks.values()]"
    diarize = [*python, "-m", "tertulia", "diarize", "--quiet", "--system", options.system]
    diarize += ["--threads", str(options.threads)]
    print("| what | seconds of sound | wall s | CPU s | × real time | peak MB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        lengths = {"30 s": 30.0, "10 minutes": 600.0, f"{options.hours:g} hours": options.hours * 3600}
        commands = {"nothing: the interpreter": ([*python, "-c", "pass"], 0.0)}
        commands["import tertulia"] = ([*python, "-c", "import tertulia"], 0.0)
        commands["import and open the networks"] = ([*python, "-c", load], 0.0)
        for name, seconds in lengths.items():
            path = repeated(options.recording, seconds, Path(folder) / f"{name.replace(' ', '-')}.wav")
            commands[name] = ([*diarize, str(path)], seconds)
        for name, (command, seconds) in commands.items():
            runs = [measured(command) for _ in range(options.runs if seconds < 3600 else 1)]
            wall, cpu, peak = (statistics.median(values) for values in zip(*runs, strict=True))
            speed = f"{seconds / wall:.0f}" if seconds else ""
            print(f"| {name} | {seconds:.0f} | {wall:.2f} | {cpu:.2f} | {speed} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
