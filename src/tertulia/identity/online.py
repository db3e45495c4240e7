"""One enrolled person in a stream: block by block, is this the voice now?

The stream is decided in hops. For each hop the speech in a window around it is embedded and compared with the
person's voice; the window reaches `delay` seconds beyond the hop, which is what has to be waited for. A hop
without speech is nobody's. The person is taken to begin where the log-likelihood ratio reaches the threshold,
and to go on until it is likelier that somebody else speaks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows
from tertulia.errors import UsageError
from tertulia.identity.listening import Listener
from tertulia.identity.scoring import Decision, Scorer
from tertulia.identity.voiceprint import Voiceprint
from tertulia.segmentation import SEGMENTERS, Segmenter
from tertulia.timeline import Timeline

__all__ = ["Moment", "OnlineDetector", "OnlineState"]

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Moment:
    """A decided stretch of the stream.

    Attributes:
        start, end: in seconds.
        active: whether the person speaks.
        llr: log-likelihood ratio of the voice heard around it; None where too little was said to tell.
    """

    start: float
    end: float
    active: bool
    llr: float | None


@dataclass(frozen=True, slots=True, eq=False)
class OnlineState:
    """Everything that is remembered of a stream.

    Attributes:
        recent: the end of what was pushed, as much as decisions still need; float32 (samples,).
        begin: number of its first sample in the stream.
        decided: number of samples of the stream that have been decided.
        active: whether the person was speaking at the last of them.
    """

    recent: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    begin: int = 0
    decided: int = 0
    active: bool = False

    @property
    def end(self) -> int:
        """Number of samples that were pushed."""
        return self.begin + len(self.recent)


@dataclass(frozen=True)
class OnlineDetector:
    """Detects one person in a stream.

    Args:
        target: the person's voice.
        scorer: compares voices.
        listener: makes voiceprints.
        segmenter: tells speech from the rest in a window; only whether anybody speaks is used of it.
        false_accept: share of decisions on somebody else's speech that may begin a detection.
        window: seconds of the stream that are listened to for one decision.
        hop: seconds that are decided at once.
        delay: seconds that a window reaches beyond its hop.
        least: seconds of speech in a window from which a voice is told.

    Raises:
        UsageError: when these do not fit each other.
    """

    target: Voiceprint
    scorer: Scorer
    listener: Listener = field(default_factory=Listener)
    segmenter: Segmenter = field(default_factory=SEGMENTERS["silero"])
    false_accept: float = 0.01
    window: float = 2.0
    hop: float = 0.5
    delay: float = 0.75
    least: float = 1.0

    def __post_init__(self) -> None:
        if not (self.hop > 0 and self.delay >= 0 and 0 < self.least <= self.window >= self.hop + self.delay):
            raise UsageError(
                "a window holds hop, delay and the least speech; got "
                f"window {self.window:g}, hop {self.hop:g}, delay {self.delay:g}, least {self.least:g} s"
            )

    @property
    def latency(self) -> float:
        """Seconds from a sound to its decision, at most, computing aside."""
        return self.hop + self.delay

    def begin(self) -> OnlineState:
        """Return the state of a stream that has not begun."""
        return OnlineState()

    def push(self, state: OnlineState, samples: Samples) -> tuple[OnlineState, tuple[Moment, ...]]:
        """Take the next samples, float32 (n,) at 16 kHz, and return what can be decided now.

        The result does not depend on how a stream is cut into blocks.
        """
        state = replace(state, recent=np.concatenate([state.recent, np.asarray(samples, np.float32)]))
        moments = []
        while state.end >= state.decided + self._samples(self.latency):
            state, moment = self._decide(state, state.decided + self._samples(self.hop))
            moments.append(moment)
        return self._forget(state), tuple(moments)

    def finish(self, state: OnlineState) -> tuple[Moment, ...]:
        """Decide what is left at the end of a stream."""
        moments = []
        while state.decided < state.end:
            state, moment = self._decide(state, min(state.decided + self._samples(self.hop), state.end))
            moments.append(moment)
        return tuple(moments)

    def timeline(self, moments: Iterable[Moment]) -> Timeline:
        """Return when the person speaks."""
        return Timeline((moment.start, moment.end) for moment in moments if moment.active)

    def _decide(self, state: OnlineState, until: int) -> tuple[OnlineState, Moment]:
        last = min(until + self._samples(self.delay), state.end)
        first = max(last - self._samples(self.window), 0)
        sound = state.recent[first - state.begin : last - state.begin]
        speech = self._speech(sound)
        here = speech[state.decided - first : until - first]
        decision = None
        if speech.sum() >= self._samples(self.least):
            voice = self.listener.embed(sound[speech])
            decision = self.scorer.verify(voice, self.target, self.false_accept)
        active = bool(here.mean() >= 0.5 and self._goes_on(state.active, decision))
        rate = self.listener.sample_rate
        llr = decision.score.llr if decision else None
        moment = Moment(state.decided / rate, until / rate, active, llr)
        return replace(state, decided=until, active=active), moment

    def _goes_on(self, active: bool, decision: Decision | None) -> bool:
        """Decide on speech: who speaks goes on until somebody else is likelier."""
        if decision is None:
            return active
        return decision.accepted or (active and decision.score.llr >= 0)

    def _speech(self, sound: Samples) -> NDArray[np.bool_]:
        """Tell for each sample whether anybody speaks, (samples,)."""
        size, rate = len(sound), self.listener.sample_rate
        activity = self.segmenter(Windows(sound, 0, size, size, 1, 0, size, rate))
        frames = np.clip(activity.grid.indices(np.arange(size) / rate), 0, activity.active.shape[1] - 1)
        return np.asarray(activity.active[0].any(axis=1)[frames])

    def _forget(self, state: OnlineState) -> OnlineState:
        needed = max(state.decided - self._samples(self.window), state.begin)
        return replace(state, recent=state.recent[needed - state.begin :].copy(), begin=needed)

    def _samples(self, seconds: float) -> int:
        return round(seconds * self.listener.sample_rate)
