"""Who speaks when, sampled from `TurnStatistics`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from tertulia.simulation.turns import TurnStatistics
from tertulia.timeline import Diarization, Timeline

__all__ = ["sample"]

_SHORTEST = 0.1  # s: no turn is shorter
_BREATH = 0.05  # s between two turns of one speaker, which would be one turn otherwise
_MOST_ODDS = 16.0
_TRIES = 14


def sample(
    statistics: TurnStatistics,
    speakers: Sequence[str],
    seconds: float,
    rng: Generator,
    overlap: float | None = None,
    absences: Mapping[str, Timeline] | None = None,
) -> Diarization:
    """Make up who speaks when, in whole milliseconds.

    Everybody speaks, unless the time is too short to let all have a turn.

    Args:
        statistics: what turns are like.
        speakers: names, at least one.
        seconds: length of the recording.
        rng: where chance comes from.
        overlap: overlapped share of the speech; approached as closely as one number, the odds of overlap,
            allows with the same draws, and left alone for a single speaker. None leaves the odds as they are.
        absences: speaker → when they are away.
    """
    seed = int(rng.integers(2**63))

    def lay_out(odds: float) -> Diarization:
        talk = _Talk(statistics, speakers, seconds, np.random.default_rng(seed), odds, absences or {})
        return Diarization(talk.turns(), duration=seconds)

    if overlap is None or len(speakers) < 2:
        return lay_out(statistics.overlapping)
    low, high = 0.0, _MOST_ODDS
    tries = []
    for _ in range(_TRIES):
        middle = (low + high) / 2
        tries.append(lay_out(middle))
        low, high = (middle, high) if _ratio(tries[-1]) < overlap else (low, middle)
    return min(tries, key=lambda made: abs(_ratio(made) - overlap))


def _ratio(diarization: Diarization) -> float:
    return diarization.overlap.duration / max(diarization.speech.duration, 1e-9)


class _Draws(NamedTuple):
    """The chance in one turn, each uniform in [0, 1)."""

    stay: float
    back: float
    share: float
    overlap: float
    offset: float
    length: float


class _Talk:
    """A conversation as it is laid out.

    Every turn uses up six random numbers, whatever becomes of them, so that two layouts of one seed differ
    by nothing but the odds of overlap. Odds above 1 mean that every change overlaps, that much longer.
    """

    def __init__(
        self,
        statistics: TurnStatistics,
        speakers: Sequence[str],
        seconds: float,
        rng: Generator,
        odds: float,
        absences: Mapping[str, Timeline],
    ) -> None:
        self._statistics, self._speakers, self._seconds, self._rng = statistics, speakers, seconds, rng
        self._odds, self._stretch = min(odds, 1.0), max(odds, 1.0)
        self._absences: dict[str, list[tuple[float, float]]] = {
            s: [(away.start, away.end) for away in timeline] for s, timeline in absences.items()
        }
        shares = rng.dirichlet(np.full(len(speakers), statistics.evenness)) + 1e-6
        self._shares = dict(zip(speakers, shares.tolist(), strict=True))
        # By when a speaker has to be heard: spread over the first half, so that nobody is forgotten.
        entrances = rng.permutation(len(speakers)) / (2 * len(speakers)) * seconds
        self._waiting = dict(zip(speakers, entrances.tolist(), strict=True))
        self._levels = {
            name: np.linspace(0, 1, len(getattr(statistics, name)))
            for name in ("turn", "pause", "gap", "overlap")
        }
        self._floor = self._start = 0.0
        self._last: str | None = None
        self._before: str | None = None  # the speaker before the last change
        self._free: dict[str, float] = {}

    def turns(self) -> list[tuple[float, float, str]]:
        made: list[tuple[float, float, str]] = []
        while self._floor < self._seconds - _SHORTEST:
            draws = _Draws(*self._rng.random(6).tolist())
            speaker = self._next_speaker(draws)
            if speaker is None:
                self._floor = self._somebody_returns()
                continue
            start = round(self._next_start(speaker, draws), 3)
            end = round(
                self._until(speaker, start, start + max(self._draw("turn", draws.length), _SHORTEST)), 3
            )
            if end - start < _SHORTEST:
                self._floor = max(self._floor, start) + _BREATH
                continue
            made.append((start, end, speaker))
            self._start, self._floor = start, max(self._floor, end)
            self._free[speaker] = end + _BREATH
            self._waiting.pop(speaker, None)
            if speaker != self._last:
                self._last, self._before = speaker, self._last
        return made

    def _draw(self, name: str, at: float) -> float:
        return float(np.interp(at, self._levels[name], getattr(self._statistics, name)))

    def _next_speaker(self, draws: _Draws) -> str | None:
        """The chain: whoever is due, else the same again, else the one before, else any by their share."""
        here = [s for s in self._speakers if not self._away(s, self._floor)]
        due = [s for s in here if self._waiting.get(s, np.inf) <= self._floor]
        if due:
            return min(due, key=lambda s: self._waiting[s])
        if self._last in here and (len(here) == 1 or draws.stay < self._statistics.stay):
            return self._last
        if self._before in here and draws.back < self._statistics.back:
            return self._before
        others = [s for s in here if s != self._last]
        if not others:
            return None
        reach = np.cumsum([self._shares[s] for s in others])
        return others[int(np.searchsorted(reach, draws.share * reach[-1]))]

    def _next_start(self, speaker: str, draws: _Draws) -> float:
        if speaker == self._last:
            offset = max(self._draw("pause", draws.offset), _BREATH)
        elif self._last is not None and draws.overlap < self._odds:
            offset = -self._stretch * self._draw("overlap", draws.offset)
        else:
            offset = self._draw("gap", draws.offset)
        back = [b for _, b in self._absences.get(speaker, ()) if b <= self._floor]
        return max([self._floor + offset, self._start, self._free.get(speaker, 0.0), *back])

    def _away(self, speaker: str, at: float) -> bool:
        return any(start <= at < end for start, end in self._absences.get(speaker, ()))

    def _until(self, speaker: str, start: float, end: float) -> float:
        """When a turn really ends: with the recording, or as its speaker leaves."""
        leaves = [a for a, b in self._absences.get(speaker, ()) if b > start]
        return min([end, self._seconds, *leaves])

    def _somebody_returns(self) -> float:
        ends = [b for bounds in self._absences.values() for _, b in bounds if b > self._floor]
        return min(ends, default=self._seconds)
