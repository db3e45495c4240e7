"""Streaming: chunk by chunk, with some look-ahead, recent frames, and a cache of what speakers are like.

Source: I. Medennikov et al., "Streaming Sortformer: Speaker cache-based online speaker diarization with
arrival-time ordering" (2025, arXiv 2507.18446). The network always sees cache, first-in-first-out queue and
chunk in that order; because its outputs are in order of arrival and the cache begins with the first speaker,
labels stay put. What is kept does not depend on the length of the recording.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tertulia.endtoend.cache import compress
from tertulia.endtoend.hearing import Array, Hearing

__all__ = ["LATENCIES", "Latency", "Listener", "State"]

_QUIET = 0.2  # sum of probabilities below which nobody speaks


@dataclass(frozen=True)
class Latency:
    """Sizes in frames.

    Args:
        chunk: frames that are decided at once.
        ahead: frames after them that are waited for.
        queue: frames before them that are seen as they were.
        update: frames that go from the queue into the cache at once, when it is full.
        cache: frames that are kept of all before.
    """

    chunk: int
    ahead: int
    queue: int = 188
    update: int = 144
    cache: int = 188

    def __post_init__(self) -> None:
        if min(self.chunk, self.update, self.cache) < 1 or min(self.ahead, self.queue) < 0:
            raise ValueError("chunk, update and cache are frames from 1, ahead and queue from 0")

    @property
    def frames(self) -> int:
        """How long after its beginning a chunk can be decided."""
        return self.chunk + self.ahead


LATENCIES: dict[str, Latency] = {
    "0.32": Latency(chunk=3, ahead=1),
    "1.04": Latency(chunk=6, ahead=7),
    "10": Latency(chunk=124, ahead=1, queue=124, update=124),
}
"""Latencies in seconds, with the sizes published for them."""


@dataclass(frozen=True, eq=False)
class State:
    """All that is remembered; arrays (frames, dim) and (frames, speakers).

    Attributes:
        cache, cached: frames of the cache, and their probabilities.
        queue, queued: recent frames, and their probabilities.
        silence: mean of the frames in which nobody spoke, (dim,), of which there were `silent`.
    """

    cache: Array
    cached: Array
    queue: Array
    queued: Array
    silence: Array
    silent: int = 0

    @classmethod
    def empty(cls, dim: int, speakers: int) -> State:
        """Nothing heard yet."""
        frames, activity = np.empty((0, dim), np.float32), np.empty((0, speakers), np.float32)
        return cls(frames, activity, frames, activity, np.zeros(dim, np.float32))

    @property
    def size(self) -> int:
        """Frames in it."""
        return len(self.cache) + len(self.queue)


class Listener:
    """Tells who is active while sound comes in.

    Args:
        network: what hears.
        latency: when to decide, and how much to remember.

    Attributes:
        state: what is remembered between chunks, None before the first.
    """

    def __init__(self, network: Hearing, latency: Latency) -> None:
        self.network, self.latency = network, latency
        self.state: State | None = None
        self._samples = np.empty(0, np.float32)  # from `_before` frames before the next chunk on
        self._before = 0

    def push(self, samples: Array) -> Array:
        """Take samples (n,), n from 0; returns probabilities (frames, speakers) of what is now decided."""
        self._samples = np.concatenate([self._samples, samples])
        found = [np.empty((0, self.network.speakers), np.float32)]
        needed = (self._before + self.latency.frames) * self.network.hop
        while len(self._samples) >= needed:
            found.append(self._chunk(self._samples[:needed]))
            needed = (self._before + self.latency.frames) * self.network.hop
        return np.concatenate(found)

    def finish(self) -> Array:
        """Return the probabilities (frames, speakers) of the rest, with as much look-ahead as there is."""
        found = [np.empty((0, self.network.speakers), np.float32)]
        while len(self._samples) > self._before * self.network.hop:
            found.append(self._chunk(self._samples))
            if not len(found[-1]):  # less than half a feature is no frame
                break
        return np.concatenate(found)

    def _chunk(self, samples: Array) -> Array:
        """Decide the first frames of some samples, and forget what is not needed any more."""
        fresh = self.network.frames(samples)[self._before :]
        count = min(self.latency.chunk, len(fresh))
        if not count:
            return np.empty((0, self.network.speakers), np.float32)
        state = self.state or State.empty(fresh.shape[1], self.network.speakers)
        self.state, decided = heard(self.network, state, fresh, count, self.latency)
        before = min(self.network.before, self._before + count)
        self._samples = self._samples[(self._before + count - before) * self.network.hop :]
        self._before = before
        return decided


def heard(network: Hearing, state: State, fresh: Array, count: int, latency: Latency) -> tuple[State, Array]:
    """Decide the first `count` of fresh frames (frames, dim), the others are looked at only.

    Returns:
        What is remembered then, and probabilities (count, speakers).
    """
    activity = network.activity(np.concatenate([state.cache, state.queue, fresh]))
    begin = len(state.cache)
    end = begin + len(state.queue) + count
    queue, queued = np.concatenate([state.queue, fresh[:count]]), activity[begin:end]
    decided = queued[len(state.queue) :]
    over = len(queue) - latency.queue
    if over <= 0:
        return replace(state, queue=queue, queued=queued), decided
    gone = min(max(over, latency.update), len(queue))
    state = _remembered(state, queue[:gone], queued[:gone], latency.cache)
    return replace(state, queue=queue[gone:], queued=queued[gone:]), decided


def _remembered(state: State, frames: Array, activity: Array, length: int) -> State:
    """Put frames that leave the queue into the cache."""
    quiet = frames[activity.sum(axis=1) < _QUIET]
    silent = state.silent + len(quiet)
    silence = state.silence
    if silent:
        silence = ((silence * state.silent + quiet.sum(axis=0)) / silent).astype(np.float32)
    cache, cached = np.concatenate([state.cache, frames]), np.concatenate([state.cached, activity])
    if len(cache) > length:
        cache, cached = compress(cache, cached, silence, length, old=len(state.cache))
    return replace(state, cache=cache, cached=cached, silence=silence, silent=silent)
