"""What is heard when: speech, music, noise, silence, speech over music; and whose speech it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tertulia._version import __version__
from tertulia.audio import Source, open_audio
from tertulia.audio.source import rereadable
from tertulia.audio.windows import Windows
from tertulia.config import settings
from tertulia.detection.presenter import Presenter
from tertulia.frames import Frames, Grid
from tertulia.pipeline import Sliding
from tertulia.progress import Progress, Report
from tertulia.segmentation.scenes import CLASSES, GRID, SPOKEN, SceneSegmenter
from tertulia.timeline import Diarization, Provenance, Segment, Timeline

__all__ = ["LETTERS", "SceneDetection", "SceneDetector", "detect_scenes", "most_likely_path"]

Array = NDArray[np.float32]

LETTERS: Mapping[str, str] = MappingProxyType(
    {
        "music": "m",
        "speech": "s",
        "speech over music": "ms",
        "others": "p",
        "noise": "n",
        "silence": "-",
    }
)
"""Scene → label. Where a presenter is known, the speech of anybody else is `others`, over music or not."""


@dataclass(frozen=True, slots=True, eq=False)
class SceneDetection:
    """What is heard in a recording.

    Attributes:
        scenes: scene → when; together they fill the recording, and no two overlap.
        frames: (frames, classes), probability of each of `tertulia.segmentation.scenes.CLASSES`.
        duration: of the recording in seconds.
        uri: name of the recording.
        provenance: what told so.
    """

    scenes: Mapping[str, Timeline]
    frames: Frames
    duration: float
    uri: str = ""
    provenance: Provenance | None = None

    def to_diarization(self) -> Diarization:
        """Return the scenes as turns of "speakers" called as in `LETTERS`, for formats and metrics."""
        return Diarization(
            {LETTERS[scene]: timeline for scene, timeline in self.scenes.items()},
            uri=self.uri,
            duration=self.duration,
            provenance=self.provenance,
        )


@dataclass(frozen=True)
class SceneDetector:
    """Labels a recording.

    Args:
        segmenter: tells classes apart.
        change: cost of a change of scene, as a natural logarithm: scenes hold on until the network is sure.
        sliding: how windows go over the recording; memory is bounded by a batch of them.
        presenter: whose speech is told from that of others.
    """

    segmenter: SceneSegmenter = field(default_factory=SceneSegmenter)
    change: float = 6.0
    sliding: Sliding = field(default_factory=lambda: Sliding(batch=8))
    presenter: Presenter | None = None

    def __post_init__(self) -> None:
        if not self.change >= 0:
            raise ValueError(f"change is a cost from zero; got {self.change}")

    def __call__(
        self,
        source: Source,
        *,
        channels: Literal["mix"] | int = "mix",
        progress: Report | None = None,
        name: str = "",
    ) -> SceneDetection:
        """Label a recording.

        Args:
            source: a path, bytes, a binary file, a `Waveform`, or an (array, sample rate) pair.
            channels: "mix" the channels down, or take one by number, from 0.
            progress: called after each batch of windows.
            name: of the recording; by default told by the source.

        Raises:
            AudioError: when the recording cannot be read.
        """
        source = source if self.presenter is None else rereadable(source)
        rate, average = self.segmenter.sample_rate, _Average()
        with open_audio(source, sample_rate=rate, channels=channels, name=name) as recording:
            for windows in self.sliding((block[0] for block in recording), self.segmenter, 0.0):
                average.add(self.segmenter.probabilities(windows), windows)
                if progress:
                    progress(Progress(windows.end, recording.duration))
            end, called, messages = windows.end, recording.name, recording.messages
        frames = average.frames(end)
        path = most_likely_path(np.log(np.maximum(frames.scores, 1e-6)), self.change)
        scenes = _timelines(path, end)
        if self.presenter is not None:
            scenes = _told_apart(scenes, self.presenter(source, channels=channels, name=called))
        return SceneDetection(scenes, frames, end, Path(called).stem, self._provenance(messages))

    def _provenance(self, messages: tuple[str, ...]) -> Provenance:
        parts = {"segmentation": settings(self.segmenter), "scenes": {"change": self.change}}
        if self.presenter is not None:
            parts["presenter"] = settings(self.presenter)
        models = {name: network.sha256 for name, network in self.segmenter.networks.items()}
        return Provenance(__version__, "scenes", models, parts, messages)


def detect_scenes(source: Source, *, presenter: Source | None = None) -> SceneDetection:
    """Label one recording; `presenter` is a recording of the person whose speech is told from others'."""
    known = None if presenter is None else Presenter.enrol(presenter)
    return SceneDetector(presenter=known)(source)


def most_likely_path(log_probabilities: Array, change: float) -> NDArray[np.intp]:
    """Choose a class for every frame, changes costing something (the Viterbi algorithm); → (frames,).

    Args:
        log_probabilities: (frames, classes).
        change: what is subtracted for each change of class.
    """
    frames, classes = log_probabilities.shape
    came_from = np.empty((frames, classes), np.int8)
    stay = np.arange(classes)
    total = np.zeros(classes)
    for frame, here in enumerate(log_probabilities):
        best = int(total.argmax())
        moved = total[best] - change
        came_from[frame] = np.where(total >= moved, stay, best)
        total = np.maximum(total, moved) + here
    path = np.empty(frames, np.intp)
    state = int(total.argmax())
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        state = int(came_from[frame, state])
    return path


class _Average:
    """Mean of what overlapping windows say about a frame."""

    def __init__(self) -> None:
        self._parts: list[Array] = []  # (frames, classes) in order, complete
        self._open = np.zeros((0, len(CLASSES)), np.float32)  # sums of frames that more windows may see
        self._seen = np.zeros((0, 1), np.float32)
        self._first = 0  # frame at which those begin

    def add(self, probabilities: Array, windows: Windows) -> None:
        """Take the probabilities of a batch of windows, (windows, frames, classes)."""
        for number, frames in enumerate(probabilities):
            begin = GRID.count((windows.index + number) * windows.hop / windows.sample_rate)
            done = begin - self._first
            self._parts.append(self._open[:done] / self._seen[:done])
            missing = len(frames) - (len(self._open) - done)
            self._open = np.pad(self._open[done:], ((0, missing), (0, 0))) + frames
            self._seen = np.pad(self._seen[done:], ((0, missing), (0, 0))) + 1
            self._first = begin

    def frames(self, end: float) -> Frames:
        """Return the mean for all frames that begin before `end`, (frames, classes)."""
        whole = np.concatenate([*self._parts, self._open / self._seen])
        return Frames(whole[: max(1, int(np.ceil(end / GRID.step - 1e-6)))], GRID)


def _timelines(path: NDArray[np.intp], end: float) -> dict[str, Timeline]:
    """When each class is heard, up to the end of the recording."""
    grid, inside = Grid(GRID.step), Segment(0.0, end)
    return {name: grid.timeline(path == number).crop(inside) for number, name in enumerate(CLASSES)}


def _told_apart(scenes: Mapping[str, Timeline], presenter: Timeline) -> dict[str, Timeline]:
    """Part the speech of the presenter from that of others."""
    told = dict(scenes)
    for name in SPOKEN:
        told[name] = scenes[name] & presenter
    told["others"] = _union(scenes[name] - presenter for name in SPOKEN)
    return told


def _union(timelines: Iterable[Timeline]) -> Timeline:
    union = Timeline()
    for timeline in timelines:
        union = union | timeline
    return union
