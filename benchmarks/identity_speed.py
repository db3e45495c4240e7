"""Measure a store of many people: filling it, opening it, and finding a voice among all of them.

    python benchmarks/identity_speed.py [--people 100000] [--runs 50] [--threads 2]

Voices are random vectors of the bundled network's size, one a person; the store is encrypted and lies in a
temporary folder, its key beside it. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def computed(work: Callable[[], object]) -> float:
    """Seconds that processors worked: what a search takes on a machine with nothing else to do, at most."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def measure(people: int, runs: int, folder: Path) -> list[tuple[str, str]]:
    import numpy as np

    from tertulia.identity import Entry, SpeakerStore, Voiceprint

    rng = np.random.default_rng(0)

    def voiceprint() -> Voiceprint:
        return Voiceprint(rng.standard_normal(192), 20.0, "network")

    entries = {f"Person {i}": [Entry(voiceprint(), f"{i}.wav", "signed")] for i in range(people)}
    path, key = folder / "voices.sqlite", folder / "key"
    with SpeakerStore(path, key=key, create=True) as store:
        filling = timed(lambda: store.replace(entries))
        one = [timed(lambda name=f"late {i}": store.enrol(name, entries["Person 0"])) for i in range(5)]
    opening = timed(lambda: SpeakerStore(path, key=key).close())
    with SpeakerStore(path, key=key) as store:
        loading = timed(lambda: store.gallery("network"))
        gallery = store.gallery("network")
        queries = [voiceprint() for _ in range(runs)]
        searches = [timed(lambda query=query: gallery.nearest(query)) for query in queries]
        worked = [computed(lambda query=query: gallery.nearest(query)) for query in queries]
        known = gallery.voiceprint(people // 2)
        assert gallery.nearest(known)[0] == people // 2
        forgetting = timed(lambda: store.forget(["Person 1"]))
    megabytes = path.stat().st_size / 1e6
    return [
        ("find the nearest 32, median", f"{statistics.median(searches) * 1e3:.1f} ms"),
        ("find the nearest 32, slowest", f"{max(searches) * 1e3:.1f} ms"),
        ("find the nearest 32, median of CPU time", f"{statistics.median(worked) * 1e3:.1f} ms"),
        ("open the store", f"{opening * 1e3:.1f} ms"),
        ("load and decrypt everybody", f"{loading:.2f} s"),
        ("enrol one more, median", f"{statistics.median(one) * 1e3:.1f} ms"),
        ("forget one, file rewritten", f"{forgetting:.2f} s"),
        ("fill the store in one transaction", f"{filling:.1f} s"),
        ("size of the file", f"{megabytes:.0f} MB"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    for library in ("OMP", "OPENBLAS", "MKL"):  # before NumPy is loaded
        os.environ[f"{library}_NUM_THREADS"] = str(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options.people, options.runs, Path(folder))
    print(f"| {options.people} people, {options.threads} threads | |\n|---|---|")
    print("".join(f"| {what} | {took} |\n" for what, took in rows), end="")


if __name__ == "__main__":
    main()
