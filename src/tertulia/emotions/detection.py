"""Which emotion when, whoever speaks or by speaker."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tertulia._version import __version__
from tertulia.audio import Source, open_audio
from tertulia.config import settings
from tertulia.detection.scenes import most_likely_path
from tertulia.emotions.recognizers import EMOTIONS, Recognizer
from tertulia.errors import UsageError
from tertulia.frames import Grid
from tertulia.progress import Progress, Report
from tertulia.timeline import Diarization, Provenance, Timeline

__all__ = ["Emotion", "EmotionDetection", "EmotionDetector"]

Array = NDArray[np.float32]
_Turn = tuple[float, float, str]


@dataclass(frozen=True, slots=True)
class Emotion:
    """A stretch of speech with one emotion.

    Attributes:
        start, end: in seconds.
        speaker: who speaks.
        emotion: one of `EMOTIONS`.
        probability: of that emotion, as the network sees it.
    """

    start: float
    end: float
    speaker: str
    emotion: str
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class EmotionDetection:
    """Emotions of a recording.

    Attributes:
        moments: stretches within turns, each of one emotion, in order of time.
        turns: the turns themselves, each with the emotion that is likeliest over all of it.
        duration: of the recording in seconds.
        uri: name of the recording.
        provenance: what told so.
    """

    moments: tuple[Emotion, ...]
    turns: tuple[Emotion, ...]
    duration: float
    uri: str = ""
    provenance: Provenance | None = None

    def to_diarization(self, by: Literal["emotion", "moment", "turn"] = "emotion") -> Diarization:
        """Return the emotions as turns of "speakers", for formats and metrics.

        Args:
            by: what those are called. "emotion": like the emotion, whoever speaks. "moment" and "turn":
                `SPEAKER/EMOTION`, of moments, or with one emotion a turn.
        """
        grouped: dict[str, list[Emotion]] = {}
        for each in self.turns if by == "turn" else self.moments:
            name = each.emotion if by == "emotion" else f"{each.speaker}/{each.emotion}"
            grouped.setdefault(name, []).append(each)
        timelines = {name: Timeline((e.start, e.end) for e in found) for name, found in grouped.items()}
        return Diarization(
            timelines,
            uri=self.uri,
            duration=self.duration,
            confidence={name: _confidence(timelines[name], found) for name, found in grouped.items()},
            provenance=self.provenance,
        )

    def speakers(self) -> dict[str, dict[str, float]]:
        """Return the seconds of each emotion, speaker → emotion → seconds, in order of first speech."""
        seconds: dict[str, dict[str, float]] = {}
        for each in self.moments:
            mine = seconds.setdefault(each.speaker, dict.fromkeys(EMOTIONS, 0.0))
            mine[each.emotion] += each.end - each.start
        return seconds


def _confidence(timeline: Timeline, found: list[Emotion]) -> NDArray[np.float64]:
    """Mean probability of what lies in each segment, by its length, (segments,)."""
    seconds = np.array([each.end - each.start for each in found])
    certain = np.array([each.probability for each in found])
    starts = [each.start for each in found]
    segments = np.searchsorted(timeline.bounds[:, 0], starts, side="right") - 1
    total = np.bincount(segments, weights=seconds * certain, minlength=len(timeline))
    return np.clip(total / np.bincount(segments, weights=seconds, minlength=len(timeline)), 0, 1)


@dataclass(frozen=True)
class EmotionDetector:
    """Tells the emotions of turns.

    A turn is looked at through windows, and each is compared with all that its speaker says in the recording;
    what the windows say of a moment is averaged, and emotions hold on: the likeliest path through a turn has
    few changes. What is kept of a recording, until its end, is some 9 kB for each second of speech.

    Args:
        recognizer: tells emotions from sound.
        width: seconds of a window.
        hop: seconds between two windows.
        change: cost of a change of emotion within a turn, as a natural logarithm.
        longest: seconds of a turn that are looked at at once; bounds memory.
        least: seconds; of shorter turns nothing is said.
    """

    recognizer: Recognizer
    width: float = 2.0
    hop: float = 0.5
    change: float = 2.0
    longest: float = 20.0
    least: float = 0.25

    def __post_init__(self) -> None:
        if not (0 < self.hop <= self.width <= self.longest and self.change >= 0 and self.least >= 0.1):
            raise UsageError(
                "0 < hop ≤ width ≤ longest, change is a cost from zero, and least is seconds from 0.1; got "
                f"hop {self.hop}, width {self.width}, longest {self.longest}, change {self.change} and "
                f"least {self.least}"
            )

    def __call__(
        self,
        source: Source,
        turns: Diarization,
        *,
        channels: Literal["mix"] | int = "mix",
        progress: Report | None = None,
        name: str = "",
    ) -> EmotionDetection:
        """Tell the emotions of turns.

        Args:
            source: a path, bytes, a binary file, a `Waveform`, or an (array, sample rate) pair.
            turns: who speaks when in it.
            channels: "mix" the channels down, or take one by number, from 0.
            progress: called after each turn.
            name: of the recording; by default told by the source.

        Raises:
            AudioError: when the recording cannot be read.
        """
        rate = self.recognizer.sample_rate
        heard: dict[_Turn, list[_Part]] = {}
        with open_audio(source, sample_rate=rate, channels=channels, name=name) as recording:
            sound = _Forward(recording, rate)
            for turn, start, end in self._parts(turns):
                speech = sound.cut(start, end)
                if len(speech) >= self.least * rate:
                    heard.setdefault(turn, []).append(self._part(speech))
                if progress:
                    progress(Progress(end, recording.duration))
            end = sound.to_the_end()
            called, messages = recording.name, recording.messages
        usual = _usual(heard)
        told = []
        for turn, parts in heard.items():
            cells = [p.sees @ self.recognizer.judge(p.described, usual[turn[2]]) for p in parts]
            told.append(self._told(turn, np.concatenate(cells), end))
        return EmotionDetection(
            tuple(sorted((moment for moments, _ in told for moment in moments), key=_order)),
            tuple(sorted((turn for _, turn in told), key=_order)),
            end,
            Path(called).stem,
            self._provenance(turns, messages),
        )

    def _parts(self, turns: Diarization) -> list[tuple[_Turn, float, float]]:
        """Turns, the long ones in parts of equal length, in order of their beginning."""
        parts = []
        for turn in turns:
            count = max(1, int(np.ceil(turn.duration / self.longest)))
            # Parts are whole cells long, so that cells of a turn lie on one grid.
            cells = np.linspace(0, Grid(self.hop).count(turn.duration), count + 1).astype(int)
            edges = [*(turn.start + cells[:-1] * self.hop).tolist(), turn.end]
            key = (turn.start, turn.end, turn.speaker)
            parts += [(key, start, end) for start, end in itertools.pairwise(edges)]
        return sorted(parts, key=lambda part: part[1])

    def _part(self, speech: Array) -> _Part:
        """Describe windows of speech, (n,), and say which of them see each cell; a cell is a hop long."""
        seconds = len(speech) / self.recognizer.sample_rate
        last = max(seconds - self.width, 0.0)
        starts = np.minimum(np.arange(int(np.ceil(last / self.hop - 1e-6)) + 1) * self.hop, last)
        spans = np.stack([starts, np.minimum(starts + self.width, seconds)], axis=1)
        grid = Grid(self.hop)
        middles = np.minimum(grid.middles(max(1, grid.count(seconds))), seconds)
        sees = (spans[:, 0] <= middles[:, None]) & (middles[:, None] <= spans[:, 1])  # (cells, windows)
        mean = (sees / sees.sum(axis=1, keepdims=True)).astype(np.float32)
        return _Part(self.recognizer.describe(speech, spans), mean, seconds)

    def _told(self, turn: _Turn, cells: Array, end: float) -> tuple[list[Emotion], Emotion]:
        """Decide of a turn with these probabilities, (cells, emotions): its moments, and all of it."""
        begin, until, speaker = turn[0], min(turn[1], end), turn[2]
        path = most_likely_path(np.log(np.maximum(cells, 1e-6)), self.change)
        borders = np.flatnonzero(np.diff(path)) + 1
        edges = [begin, *(begin + borders * self.hop).tolist(), until]
        moments = []
        for (start, stop), run in zip(itertools.pairwise(edges), np.split(cells, borders), strict=True):
            emotion = int(path[Grid(self.hop, begin).index(start)])
            moments.append(Emotion(start, stop, speaker, EMOTIONS[emotion], float(run[:, emotion].mean())))
        mean = cells.mean(axis=0)
        best = int(mean.argmax())
        return moments, Emotion(begin, until, speaker, EMOTIONS[best], float(mean[best]))

    def _provenance(self, turns: Diarization, messages: tuple[str, ...]) -> Provenance:
        networks = getattr(self.recognizer, "networks", {})
        parts: dict[str, Any] = {"emotions": settings(self)}
        recognizer: Any = self.recognizer
        if dataclasses.is_dataclass(recognizer):
            parts["recognizer"] = {"name": type(recognizer).__name__, **settings(recognizer)}
        if turns.provenance is not None:
            parts["turns"] = turns.provenance.system
        models = {name: network.sha256 for name, network in networks.items()}
        return Provenance(__version__, "emotions", models, parts, messages)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A part of a turn.

    Attributes:
        described: (windows, dim).
        sees: (cells, windows), by which the windows are averaged to cells.
        seconds: how long it is.
    """

    described: Array
    sees: Array
    seconds: float


def _usual(heard: Mapping[_Turn, list[_Part]]) -> dict[str, Array]:
    """Mean description of all that a speaker says, speaker → (dim,), by its length."""
    totals: dict[str, Array] = {}
    seconds: dict[str, float] = {}
    for (_, _, speaker), parts in heard.items():
        for part in parts:
            mine = part.described.mean(axis=0) * np.float32(part.seconds)
            totals[speaker] = totals[speaker] + mine if speaker in totals else mine
            seconds[speaker] = seconds.get(speaker, 0.0) + part.seconds
    return {speaker: total / np.float32(seconds[speaker]) for speaker, total in totals.items()}


def _order(emotion: Emotion) -> tuple[float, float, str]:
    return emotion.start, emotion.end, emotion.speaker


class _Forward:
    """Cuts stretches out of a recording that is read once; each begins no earlier than the one before."""

    def __init__(self, blocks: Iterator[Array], rate: int) -> None:
        self._blocks, self._rate = blocks, rate
        self._held: list[tuple[int, Array]] = []  # number of the first sample of each block
        self._end = 0  # samples read

    def cut(self, start: float, end: float) -> Array:
        """Return the samples between two times, (n,); fewer where the recording ends."""
        first, last = round(start * self._rate), round(end * self._rate)
        while True:
            self._held = [(at, block) for at, block in self._held if at + len(block) > first]
            if self._end >= last or (block := next(self._blocks, None)) is None:
                break
            self._held.append((self._end, block[0]))
            self._end += block.shape[1]
        parts = [block[max(first - at, 0) : max(last - at, 0)] for at, block in self._held]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def to_the_end(self) -> float:
        """Read what is left; returns the length of the recording in seconds."""
        self._end += sum(block.shape[1] for block in self._blocks)
        return self._end / self._rate
