"""`Diarizer`: the way of a recording through the parts. Read `Diarizer.diarize` first."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tertulia._version import __version__
from tertulia.audio import Channels, Recording, Source, open_audio
from tertulia.audio.windows import Windows, slide
from tertulia.binarize import Binarizer, TopCount
from tertulia.clustering import Clusterer, Labels
from tertulia.config import settings
from tertulia.counting import insist, reconcile
from tertulia.embedding import Embedder, Voices
from tertulia.frames import Grid
from tertulia.progress import Progress, Report
from tertulia.segmentation import Activity, Segmenter
from tertulia.segmentation.activity import Gathered
from tertulia.speakers import ANY, Speakers
from tertulia.split import by_channel
from tertulia.stitch import Stitched, stitch
from tertulia.timeline import Diarization, Provenance, Segment, Timeline

__all__ = ["Diarizer", "Pipeline", "Sliding", "Watch", "mean_scores"]

Samples = NDArray[np.float32]
T = TypeVar("T")


Watch = Callable[[Voices, Labels], None]


class Pipeline(Protocol):
    """What `tertulia.load` returns: anything that tells who spoke when, such as a `Diarizer`."""

    @property
    def name(self) -> str: ...  # noqa: D102

    def __call__(
        self,
        source: Source,
        speakers: Speakers = ANY,
        *,
        channels: Channels = "mix",
        progress: Report | None = None,
        name: str = "",
    ) -> Diarization:
        """Tell who speaks when in a recording; arguments and errors are those of `Diarizer`."""
        ...


@runtime_checkable
class Preparing(Protocol):
    """A part that has something to open or to load before its first use, a second or so of work."""

    def prepare(self) -> None:
        """Do so now."""
        ...


@dataclass(frozen=True)
class Sliding:
    """How windows go over a recording.

    Args:
        least: windows a recording should have at least. Long hops lose nothing where each moment is seen by
            several windows and each speaker by many; a short recording has neither, and can afford more.
        shortest: seconds to which the hop shrinks for that.
        batch: windows that are held in memory at once.
    """

    least: int = 1
    shortest: float = 1.0
    batch: int = 16

    def __post_init__(self) -> None:
        if self.least < 1 or self.batch < 1 or self.shortest <= 0:
            raise ValueError("least and batch are whole numbers from 1, shortest is above zero")

    def __call__(self, blocks: Iterable[Samples], segmenter: Segmenter, margin: float) -> Iterator[Windows]:
        """Cut a recording, mono blocks, into batches of windows."""
        rate, stream = segmenter.sample_rate, iter(blocks)
        head, seconds = [], 0.0
        while seconds < self.least * segmenter.hop and (block := next(stream, None)) is not None:
            head.append(block)
            seconds += len(block) / rate
        hop = min(segmenter.hop, max(self.shortest, seconds / self.least))
        return slide(
            itertools.chain(head, stream),
            rate,
            size=round(segmenter.window * rate),
            hop=round(hop * rate),
            batch=self.batch,
            margin=round(margin * rate),
        )


@dataclass(frozen=True)
class Diarizer:
    """A diarization system: parts that are run one after the other.

    Every part is any object with the right call; see the protocols `Segmenter`, `Embedder`, `Clusterer` and
    `Binarizer`. Systems that have a name are loaded by `tertulia.load`. `watch` is told the voices of every
    recording and how they are labelled.
    """

    segmenter: Segmenter
    embedder: Embedder
    clusterer: Clusterer
    binarize: Binarizer = field(default_factory=TopCount)
    sliding: Sliding = field(default_factory=Sliding)
    name: str = "custom"
    watch: Watch | None = None

    def __call__(
        self,
        source: Source,
        speakers: Speakers = ANY,
        *,
        channels: Channels = "mix",
        progress: Report | None = None,
        name: str = "",
    ) -> Diarization:
        """Tell who speaks when in a recording.

        Args:
            source: a path, bytes, a binary file, a `Waveform`, or an (array, sample rate) pair.
            speakers: what is known about their number.
            channels: "mix" the channels down, take one by number (from 0), or "split": diarize each by itself
                and call no two speakers of different channels the same.
            progress: called after each batch of windows.
            name: of the recording; by default told by the source.

        Raises:
            AudioError: when the recording cannot be read.
            UsageError: when the number of speakers asked for cannot be had.
        """
        if channels == "split":
            return by_channel(self, source, speakers, progress, name)
        with open_audio(
            source, sample_rate=self.segmenter.sample_rate, channels=channels, name=name
        ) as recording:
            return self.diarize(recording, speakers, progress)

    def diarize(self, recording: Recording, speakers: Speakers, progress: Report | None) -> Diarization:
        """Run the parts on an open mono recording."""
        return self.decide(*self.listen(recording, progress), recording, speakers)

    def decide(
        self, activity: Activity, voices: Voices, end: float, recording: Recording, speakers: Speakers
    ) -> Diarization:
        """Tell who speaks when from what `listen` returned: all that is kept of the sound."""
        labels = self.clusterer(voices, speakers)  # (windows, local speakers, pieces)
        if self.watch is not None:
            self.watch(voices, labels)
        stitched = stitch(activity, labels, end)  # (frames, speakers) and (frames,)
        stitched = reconcile(insist(stitched, self.binarize, speakers), speakers)
        return self._result(stitched, end, recording)

    def listen(self, recording: Recording, progress: Report | None) -> tuple[Activity, Voices, float]:
        """Run the networks on an open mono recording, batch by batch; also returns its length in seconds."""
        activities, voices, end = Gathered(Activity), Gathered(Voices), 0.0
        batches = self.sliding(_mono(recording), self.segmenter, self.embedder.margin)
        segmented = ((batch, self.segmenter(batch)) for batch in batches)
        for windows, activity in _ahead(segmented, meanwhile=self._prepare):
            activities.append(activity)  # (windows, frames, local speakers) in [0, 1]
            voices.append(self.embedder(windows, activity))  # (windows, local speakers, pieces, dim)
            end = windows.end
            if progress:
                progress(Progress(end, recording.duration))
        return activities.whole(), voices.whole(), end

    def _prepare(self) -> None:
        """Let the parts that come later open their networks and load their libraries."""
        for part in (self.embedder, self.clusterer):
            if isinstance(part, Preparing):
                part.prepare()

    def _result(self, stitched: Stitched, end: float, recording: Recording) -> Diarization:
        """Decide, name the speakers in order of first speech, and say where it all comes from."""
        scores, grid = stitched.frames.scores, stitched.frames.grid
        turns = self._turns(self.binarize(stitched), grid, end)
        order = sorted((k for k in turns if len(turns[k])), key=lambda k: turns[k].bounds[0].tolist())
        names = {k: f"SPEAKER_{i:02d}" for i, k in enumerate(order)}
        alone = self._turns(self.binarize(stitched, at_most=1), grid, end)
        about: dict[str, Any] = {
            "uri": Path(recording.name).stem,
            "duration": end,
            "provenance": self._provenance(recording.messages),
        }
        return Diarization(
            {name: turns[k] for k, name in names.items()},
            confidence={name: mean_scores(turns[k], scores[:, k], grid) for k, name in names.items()},
            # Pauses that were filled may hold somebody else's turn.
            exclusive=Diarization({name: alone[k] for k, name in names.items()}, **about).exclusive(),
            **about,
        )

    def _turns(self, masks: NDArray[np.bool_], grid: Grid, end: float) -> dict[int, Timeline]:
        """Timelines of the columns of a mask (frames, speakers), inside the recording."""
        inside = Segment(0.0, end)
        return {k: self.binarize.timeline(mask, grid).crop(inside) for k, mask in enumerate(masks.T)}

    def _provenance(self, messages: tuple[str, ...]) -> Provenance:
        parts = {
            "segmentation": self.segmenter,
            "embedding": self.embedder,
            "clustering": self.clusterer,
            "binarize": self.binarize,
            "sliding": self.sliding,
        }
        networks: Mapping[str, Any] = {}
        for part in parts.values():
            networks = {**networks, **getattr(part, "networks", {})}
        return Provenance(
            version=__version__,
            system=self.name,
            models={name: network.sha256 for name, network in networks.items()},
            settings={key: settings(part) for key, part in parts.items() if is_dataclass(part)},
            messages=messages,
        )


def _ahead(items: Iterator[T], meanwhile: Callable[[], None]) -> Iterator[T]:
    """Yield items while a thread already makes the next: stages that alternate would leave a core idle.

    Call `meanwhile` while the first is made.
    """
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, items, None)
        meanwhile()
        while (item := coming.result()) is not None:
            coming = worker.submit(next, items, None)
            yield item


def _mono(recording: Recording) -> Iterator[Samples]:
    """Blocks of the only channel, (n,)."""
    return (block[0] for block in recording)


def mean_scores(turns: Timeline, scores: NDArray[np.float32], grid: Grid) -> NDArray[np.float64]:
    """Mean score over each turn, scores (frames,) → (turns,)."""
    total = np.concatenate([[0.0], np.cumsum(scores, dtype=np.float64)])
    first = np.clip(np.rint((turns.bounds[:, 0] - grid.start) / grid.step), 0, len(scores)).astype(int)
    last = np.clip(np.rint((turns.bounds[:, 1] - grid.start) / grid.step), 0, len(scores)).astype(int)
    mean = (total[last] - total[first]) / np.maximum(last - first, 1)
    return np.asarray(np.clip(mean, 0.0, 1.0))
