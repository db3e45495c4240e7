"""Run a system on every recording, taking from the cache what is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tertulia.comparison.cache import Cache, key_of
from tertulia.comparison.process import About, Run, SystemProcess
from tertulia.comparison.recordings import Recording
from tertulia.errors import AudioError

__all__ = ["Entrant", "Run", "Runs", "named_entrant", "run"]


@dataclass(frozen=True)
class Entrant:
    """A system that takes part.

    Attributes:
        name: what the report calls it.
        load: makes the system, in a process of its own; anything that can be pickled.
        settings: all of its numbers that its result depends on, and the number of threads, as speed does.
    """

    name: str
    load: Callable[[], Any]
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Runs:
    """The runs of one system, by recording; `failed` holds those it could not do, with the reason."""

    name: str
    about: About
    runs: Mapping[str, Run]
    failed: Mapping[str, str]
    cached: int
    """How many of the runs were there before."""


def named_entrant(system: str, threads: int | None = None) -> Entrant:
    """Make an entrant of a named system, or of a file that describes one.

    Raises:
        UsageError: for an unknown system, or a file that does not describe one.
    """
    import tertulia
    from tertulia import systems

    described = systems.read(system)
    # Without what is empty, so that a new kind of table changes nothing for systems that do not have it.
    tables = {key: value for key, value in dataclasses.asdict(described).items() if value}
    settings = {**tables, "threads": threads}
    for words in ("name", "summary", "weights"):
        settings.pop(words, None)
    return Entrant(described.name, partial(tertulia.load, system, threads=threads), settings)


def run(
    entrant: Entrant,
    recordings: Iterable[Recording],
    cache: Cache,
    progress: Callable[[float], None] | None = None,
) -> Runs:
    """Run a system on the recordings, one after the other, each kept in the cache as soon as it is done.

    A recording that the system cannot read costs no other its result.

    Args:
        entrant: the system.
        recordings: what to run it on.
        cache: where runs are looked up and kept.
        progress: told how many recordings are done, fractions included.

    Raises:
        ModelMissingError: when the system cannot be loaded for want of weights.
        TertuliaError: whatever else loading it raises, or when its process dies.
        OutputError: when the cache cannot be written.
    """
    runs: dict[str, Run] = {}
    failed: dict[str, str] = {}
    cached = 0
    with SystemProcess(entrant.name, entrant.load) as system:
        for index, recording in enumerate(recordings):
            try:
                key = key_of(recording.audio, entrant.settings, system.about)
                kept = cache.get(entrant.name, key)
                fresh = kept or system(recording.audio, progress and _shifted(progress, index))
            except AudioError as error:
                failed[recording.name] = str(error)
                continue
            if kept is None:
                cache.put(entrant.name, key, fresh)
            cached += kept is not None
            runs[recording.name] = fresh
            if progress:
                progress(index + 1)
        return Runs(entrant.name, system.about, runs, failed, cached)


def _shifted(progress: Callable[[float], None], done: int) -> Callable[[float], None]:
    return lambda share: progress(done + share)
