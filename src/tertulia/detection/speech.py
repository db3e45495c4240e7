"""Speech activity detection: where somebody speaks, whoever it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tertulia._version import __version__
from tertulia.audio import Source, open_audio
from tertulia.config import part, settings
from tertulia.detection.boundaries import Boundaries, means
from tertulia.frames import Frames, Grid
from tertulia.pipeline import Sliding
from tertulia.progress import Progress, Report
from tertulia.segmentation import SEGMENTERS, Activity, Segmenter
from tertulia.stitch import stitch
from tertulia.timeline import Diarization, Provenance, Segment, Timeline

__all__ = [
    "DEFAULT_METHOD",
    "SPEECH",
    "SpeechDetection",
    "SpeechDetector",
    "default_boundaries",
    "detect_speech",
    "load_detector",
]

Samples = NDArray[np.float32]

SPEECH = "SPEECH"
DEFAULT_METHOD = "powerset"

_LEVELS = Grid(0.01)

# Silero's probabilities are low for speech that is far from the microphone.
_BOUNDARIES = {"silero": Boundaries(onset=0.2, offset=0.1)}


@dataclass(frozen=True, slots=True, eq=False)
class SpeechDetection:
    """Where somebody speaks in a recording.

    Attributes:
        speech: when.
        frames: (frames, 1), probability of speech.
        duration: of the recording in seconds.
        uri: name of the recording.
        provenance: what told so.
    """

    speech: Timeline
    frames: Frames
    duration: float
    uri: str = ""
    provenance: Provenance | None = None

    def to_diarization(self) -> Diarization:
        """Return the speech as turns of one speaker called `SPEECH`, for formats and metrics."""
        return Diarization(
            {SPEECH: self.speech},
            uri=self.uri,
            duration=self.duration,
            confidence={SPEECH: np.clip(means(self.frames, self.speech), 0, 1)} if len(self.speech) else None,
            provenance=self.provenance,
        )

    def table(self) -> NDArray[np.float32]:
        """Middle of each frame in seconds and its probability of speech, (frames, 2)."""
        times = self.frames.grid.middles(len(self.frames))
        return np.column_stack([times, self.frames.scores[:, 0]]).astype(np.float32)


@dataclass(frozen=True)
class SpeechDetector:
    """Finds speech by any segmentation model: how many people it counts, cut at one, is the probability.

    Args:
        segmenter: tells in windows how many people speak.
        boundaries: makes decisions of probabilities.
        sliding: how windows go over the recording; memory is bounded by a batch of them.
        name: what provenance calls it.
    """

    segmenter: Segmenter
    boundaries: Boundaries = field(default_factory=Boundaries)
    sliding: Sliding = field(default_factory=Sliding)
    name: str = "custom"

    def __call__(
        self,
        source: Source,
        *,
        channels: Literal["mix"] | int = "mix",
        progress: Report | None = None,
        name: str = "",
    ) -> SpeechDetection:
        """Find speech in a recording.

        Args:
            source: a path, bytes, a binary file, a `Waveform`, or an (array, sample rate) pair.
            channels: "mix" the channels down, or take one by number, from 0.
            progress: called after each batch of windows.
            name: of the recording; by default told by the source.

        Raises:
            AudioError: when the recording cannot be read.
        """
        rate = self.segmenter.sample_rate
        levels: list[Samples] = []
        activities: list[Activity] = []
        end = 0.0
        with open_audio(source, sample_rate=rate, channels=channels, name=name) as recording:
            blocks = _measured((block[0] for block in recording), rate, levels)
            for windows in self.sliding(blocks, self.segmenter, 0.0):
                heard = self.segmenter(windows)
                activities.append(dataclasses.replace(heard, count=np.minimum(heard.count, 1)))
                end = windows.end
                if progress:
                    progress(Progress(end, recording.duration))
            speech = _averaged(Activity.join(activities), end)
            found = self.boundaries(speech, Frames(np.concatenate(levels)[:, None], _LEVELS))
            about = self._provenance(recording.messages)
            return SpeechDetection(
                found.crop(Segment(0.0, end)), speech, end, Path(recording.name).stem, about
            )

    def _provenance(self, messages: tuple[str, ...]) -> Provenance:
        networks = getattr(self.segmenter, "networks", {})
        parts: dict[str, Any] = {"segmentation": self.segmenter, "boundaries": self.boundaries}
        return Provenance(
            version=__version__,
            system=f"vad: {self.name}",
            models={name: network.sha256 for name, network in networks.items()},
            settings={k: settings(value) for k, value in parts.items() if dataclasses.is_dataclass(value)},
            messages=messages,
        )


def load_detector(
    method: str = DEFAULT_METHOD, *, boundaries: Boundaries | None = None, threads: int = 0, **options: Any
) -> SpeechDetector:
    """Load a detector by the name of its segmentation model.

    Args:
        method: one of `tertulia.segmentation.SEGMENTERS`.
        boundaries: how decisions are made; by default what suits the method.
        threads: threads within one operation; 0 takes one a core.
        options: settings of the segmentation model.

    Raises:
        UsageError: for an unknown method or setting.
        ModelMissingError: when its weights are not on this machine.
    """
    table = {"name": method, **options}
    if method in SEGMENTERS and "threads" in {f.name for f in dataclasses.fields(SEGMENTERS[method])}:
        table["threads"] = threads
    segmenter = part(SEGMENTERS, table, "vad", "method")
    return SpeechDetector(segmenter, boundaries or default_boundaries(method), name=method)


def default_boundaries(method: str) -> Boundaries:
    """Return how decisions are made of what this method says, unless anything else is asked for."""
    return _BOUNDARIES.get(method, Boundaries())


def detect_speech(
    source: Source,
    *,
    method: str = DEFAULT_METHOD,
    boundaries: Boundaries | None = None,
    channels: Literal["mix"] | int = "mix",
) -> SpeechDetection:
    """Find speech in one recording; see `load_detector` and `SpeechDetector`."""
    return load_detector(method, boundaries=boundaries)(source, channels=channels)


def _averaged(activity: Activity, end: float) -> Frames:
    """Average what overlapping windows count, (frames, 1)."""
    windows, _, local = activity.scores.shape
    stitched = stitch(activity, np.zeros((windows, local, 1), np.intp), end)
    return Frames(stitched.count[:, None], stitched.frames.grid)


def _measured(blocks: Iterable[Samples], rate: int, levels: list[Samples]) -> Iterator[Samples]:
    """Pass blocks (n,) on; append the level in decibels of every 10 ms to `levels`, (m,) each."""
    size, rest = round(_LEVELS.step * rate), np.empty(0, np.float32)
    for block in blocks:
        yield block
        whole = np.concatenate([rest, block])
        frames = whole[: len(whole) // size * size].reshape(-1, size)  # (m, samples)
        levels.append(_decibels(frames))
        rest = whole[frames.size :]
    if len(rest):
        levels.append(_decibels(rest[None]))


def _decibels(frames: Samples) -> Samples:
    power = np.square(frames, dtype=np.float32).mean(axis=1)
    return np.asarray(10 * np.log10(power + np.float32(1e-10)), np.float32)
