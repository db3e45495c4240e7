"""The best way through states that last: Viterbi with a minimum duration."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["runs", "viterbi"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


def viterbi(scores: ArrayLike, minimum: int | ArrayLike = 1, switch: float = 0.0) -> Indices:
    """Find the states with the highest total score when every stay in a state has a minimum duration.

    Let Sₜ(k) be the best total of the first t frames when the last stay is one in k that may end there, and
    Cₜ(k) the total of k's own scores. A stay goes on, or it has begun `minimum` frames ago:

        Sₜ(k) = max(Sₜ₋₁(k) + score, maxⱼ Sₜ₋ₘ(j) + switch + Cₜ(k) − Cₜ₋ₘ(k)).

    In Sₜ(k) − Cₜ(k) the first term is the value before, so over `minimum` frames, all of which begin in what
    is already known, the recursion is a running maximum: time is vectorised as well as states.

    Args:
        scores: log likelihoods, (frames, states), finite.
        minimum: frames that a stay lasts at least, one number or one for each state. A recording that is
            shorter is one stay.
        switch: added for every change of state, at most zero.

    Returns:
        State of each frame, (frames,).

    Raises:
        ValueError: for scores that are no finite table with a state, or an impossible minimum or switch.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or not table.shape[1] or not np.isfinite(table).all():
        raise ValueError(f"viterbi needs finite scores (frames, states ≥ 1); got shape {table.shape}")
    frames, states = table.shape
    durations = np.broadcast_to(np.asarray(minimum, dtype=np.intp), (states,))
    if durations.min() < 1 or not switch <= 0:
        raise ValueError(f"stays last 1 frame or more and changes cost; got {durations} and {switch}")
    durations = np.minimum(durations, max(frames, 1))
    total = np.zeros((frames + 1, states))
    np.cumsum(table, axis=0, out=total[1:])
    return _trace(*_forward(total, durations, switch), durations)


def runs(labels: ArrayLike) -> Indices:
    """Stays of a sequence of labels (frames,): rows of first frame, last frame + 1 and label, (runs, 3)."""
    values = np.asarray(labels, dtype=np.intp)
    if not len(values):
        return np.empty((0, 3), dtype=np.intp)
    changes = np.flatnonzero(np.diff(values)) + 1
    first = np.concatenate([[0], changes])
    return np.stack([first, np.concatenate([changes, [len(values)]]), values[first]], axis=1)


def _forward(total: Array, durations: Indices, switch: float) -> tuple[Indices, Indices]:
    """Run the recursion on running totals (frames + 1, states).

    Returns:
        The best state at each time, (frames + 1,), and the time at which the stay that a state is in had
        lasted its minimum, (frames + 1, states).
    """
    frames, states = len(total) - 1, total.shape[1]
    every = np.arange(states)
    best = np.full(frames + 1, -np.inf)  # maxⱼ Sₜ(j)
    winner = np.zeros(frames + 1, dtype=np.intp)
    ripe = np.zeros((frames + 1, states), dtype=np.intp)
    best[0] = -switch  # the first stay follows no change
    ahead = np.full(states, -np.inf)  # Sₜ(k) − Cₜ(k)
    block = int(durations.min())
    for first in range(1, frames + 1, block):
        times = np.arange(first, min(first + block, frames + 1))
        begun = times[:, None] - durations  # (times, states)
        entry = best[np.maximum(begun, 0)] + switch - total[np.maximum(begun, 0), every]
        entry = np.concatenate([ahead[None], np.where(begun >= 0, entry, -np.inf)])
        running = np.maximum.accumulate(entry, axis=0)
        stamps = np.where(entry[1:] > running[:-1], times[:, None], 0)
        ripe[times] = np.maximum.accumulate(np.concatenate([ripe[None, first - 1], stamps]), axis=0)[1:]
        ahead = running[-1]
        scores = running[1:] + total[times]
        winner[times] = scores.argmax(axis=1)
        best[times] = scores.max(axis=1)
    return winner, ripe


def _trace(winner: Indices, ripe: Indices, durations: Indices) -> Indices:
    """Follow the stays back from the end, labels (frames,)."""
    time = len(winner) - 1
    labels = np.empty(time, dtype=np.intp)
    while time > 0:
        state = winner[time]
        begun = ripe[time, state] - durations[state]
        labels[begun:time] = state
        time = begun
    return labels
