"""Many processes on one store, and processes that die in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tertulia.identity import SpeakerStore, database

SOURCE = Path(database.__file__).parents[2]

_PREAMBLE = """
import sys
import numpy as np
from tertulia.identity import Entry, SpeakerStore, Voiceprint, keys
keys._keyring = lambda: None

path, number = sys.argv[1], int(sys.argv[2])

def entry(seed):
    vector = np.random.default_rng(seed).standard_normal(192)
    return Entry(Voiceprint(vector, 5.0, "network"), f"{seed}.wav", "yes")
"""


def started(code: str, *arguments: object) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(SOURCE), *sys.path]),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-c", _PREAMBLE + textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_ten_processes_lose_nothing(path):
    """Each makes the store or finds it made, enrols people of its own and one of all, and looks them up."""
    rounds = 6
    processes = [
        started(
            f"""
            for turn in range({rounds}):
                with SpeakerStore(path, create=True) as store:
                    store.enrol(f"P{{number}}-{{turn}}", [entry(1000 * number + turn), entry(turn)])
                    store.enrol("everybody", [entry(7000 + 100 * number + turn)])
                    gallery = store.gallery("network")
                    mine = gallery.nearest(entry(1000 * number + turn).voiceprint, 2)
                    assert f"P{{number}}-{{turn}}" in [gallery.names[i] for i in mine]
                    if turn % 3 == 2:
                        store.rename(f"P{{number}}-{{turn}}", f"Q{{number}}-{{turn}}")
                        store.forget([f"P{{number}}-{{turn - 1}}"])
            """,
            path,
            number,
        )
        for number in range(10)
    ]
    failures = [said for process in processes if (said := process.communicate(timeout=100)[1])]
    assert not failures, failures[0]
    with SpeakerStore(path) as store:
        people = {person.name: len(person.voices) for person in store.people()}
    expected = {
        f"{'Q' if turn % 3 == 2 else 'P'}{number}-{turn}": 2
        for number in range(10)
        for turn in range(rounds)
        if turn % 3 != 1
    }
    assert people == {**expected, "everybody": 10 * rounds}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_process_killed_in_the_middle_leaves_all_or_nothing(path):
    """Enrolments of twenty voices each are killed at moments spread over their whole run."""
    with SpeakerStore(path, create=True):
        pass
    counts = []
    for attempt in range(8):
        process = started(
            """
            store = SpeakerStore(path)
            everything = [entry(seed) for seed in range(20)]
            print("ready", flush=True)
            for turn in range(1000):
                store.enrol(f"P{number}-{turn}", everything)
                print(turn, flush=True)
            """,
            path,
            attempt,
        )
        assert process.stdout is not None
        for _ in range(1 + attempt // 4):  # ready; and in the second half, one enrolment done
            process.stdout.readline()
        time.sleep(0.004 + 0.011 * attempt)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with SpeakerStore(path) as store:
            people = store.people()
            assert all(len(person.voices) == 20 for person in people), "all of an enrolment or none of it"
            assert store._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            counts.append(len(people))
    assert counts == sorted(counts), "what was there stays there"
    assert counts[-1] > 0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_process_killed_between_two_voices_of_one_enrolment(path):
    """The kill comes from inside the transaction, after a part of the rows has been written."""
    process = started(
        """
        import os, signal
        from tertulia.identity.tables import Tables
        store = SpeakerStore(path, create=True)
        store.enrol("Ada", [entry(1)])
        before, calls = Tables._insert, []
        def insert(self, person, kept):
            calls.append(kept)
            if len(calls) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            return before(self, person, kept)
        Tables._insert = insert
        store.enrol("Bob", [entry(seed) for seed in range(5)])
        """,
        path,
        0,
    )
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    with SpeakerStore(path) as store:
        assert [person.name for person in store.people()] == ["Ada"]
        assert len(store.person("Ada").voices) == 1
