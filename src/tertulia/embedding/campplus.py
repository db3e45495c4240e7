"""CAM++ embeddings, per window as published or from frames that are computed once.

Source: H. Wang et al., "CAM++: A fast and efficient network for speaker verification using context-aware
masking" (Interspeech 2023). The bundled network is 3D-Speaker's zh-en common advanced model.

Windows overlap, so embedding each window by itself computes everything several times. `CAMPPlus` therefore
runs the frame-level part once over the whole batch, with what the network takes from the whole utterance
(mean of the features; global and 2 s means in its masks) replaced by sliding means, and then pools those
frames under the mask of each speaker. `CAMPPlusWindow` is the published network on each window.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows
from tertulia.embedding.pooling import statistics
from tertulia.embedding.voices import Voices, unit
from tertulia.embedding.window import PerWindow
from tertulia.features import fbank, frames_in, sliding_mean
from tertulia.frames import Grid
from tertulia.inference import Network
from tertulia.inference import weights as weights_path
from tertulia.segmentation.activity import Activity

__all__ = ["CAMPPlus", "CAMPPlusWindow"]

Array = NDArray[np.float32]

_FEATURE = 0.01  # seconds between feature frames
_FRAME = 0.02  # seconds between frames of the network
_BLOCK = 100  # frames of the network in a context block of the paper


@dataclass(frozen=True)
class _Parts:
    """The two halves of the network, statistics pooling left out."""

    weights: str = "campplus"
    threads: int = 0
    device: str = "cpu"

    sample_rate = 16_000
    dim: ClassVar[int] = 192

    def __post_init__(self) -> None:
        for half in (self._half, "projection"):
            weights_path(f"{self.weights}-{half}")

    @property
    def _half(self) -> str:
        """What the file of the frame-level half is called."""
        return "frames"

    @cached_property
    def frames(self) -> Network:
        """Features (batch, time, 80), context, spread → frames (batch, ⌈time / 2⌉, 512)."""
        return Network(f"{self.weights}-{self._half}", self.threads, self.device)

    @cached_property
    def projection(self) -> Network:
        """Statistics (batch, 1024) → embeddings (batch, 192)."""
        return Network(f"{self.weights}-projection", self.threads, self.device)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return {f"{self.weights}-{self._half}": self.frames, f"{self.weights}-projection": self.projection}


@dataclass(frozen=True)
class CAMPPlus(_Parts):
    """CAM++ on frames computed once, one embedding for each piece of each local speaker.

    Args:
        piece: seconds in a piece; the time resolution of speaker labels. Divides the window.
        reach: seconds that the support of a piece goes beyond it on either side.
        least: seconds of one speaker alone below which there is no embedding.
        context: seconds of the sliding means that stand for the whole utterance.
        precision: of the convolutions in the frame-level half; `int8` takes half the time and leaves vectors
            within a cosine of 0.99.
        weights: bundled weights, or the path that two ONNX files of the same shapes begin with.
        threads: 0 takes one a core.
        device: cpu or cuda.
    """

    piece: float = 0.5
    reach: float = 0.5
    least: float = 0.25
    context: float = 3.0
    precision: Literal["int8", "float32"] = "int8"

    margin = 1.0
    # Seconds of frames computed at once, about: bounds memory and the cost of the context matrices.
    _chunk = 20.0
    # Frames that share a gate: 0.4 s, much less than the means behind it move in.
    _cell = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.piece > 0 and self.reach >= 0 and self.least > 0 and self.context > 0):
            raise ValueError("piece, least and context are seconds above zero, reach from zero")
        if self.precision not in ("int8", "float32"):
            raise ValueError(f"precision is int8 or float32; got {self.precision!r}")

    @property
    def _half(self) -> str:
        # Graphics processors gain nothing from this kind of 8 bits.
        return "frames-int8" if self.precision == "int8" and self.device == "cpu" else "frames"

    def prepare(self) -> None:
        """Open the networks, and load what features are made with."""
        self._embed(self.frames_of(np.zeros(self.sample_rate // 10, np.float32)), np.ones((1, 5), np.float32))

    def __call__(self, windows: Windows, activity: Activity) -> Voices:
        """Embed every piece of every local speaker of a batch of windows."""
        rate = windows.sample_rate
        size = windows.size / rate
        samples = windows.samples[: windows.sound]
        frames = self._frames_of(samples, self._wanted(windows, activity))  # (frames, 512)
        pieces = Grid(self.piece).count(size)
        shape = (len(windows), activity.scores.shape[2], pieces)
        vectors = np.full((*shape, self.dim), np.nan, np.float32)
        support, solo, present = (np.zeros(shape, np.float32) for _ in range(3))
        for window in range(len(windows)):
            first, times, at = _frames_in(windows, window, activity, len(frames))
            mine = frames[first : first + len(times)]
            spans = self._spans(times, pieces)
            masks = []
            for speaker in np.flatnonzero(activity.active[window].any(axis=0)):
                here = window, speaker
                alone = activity.solo[window, at, speaker]  # (frames,)
                weights = spans.support * alone
                support[here] = weights.sum(axis=1) * _FRAME
                solo[here] = spans.core @ alone * _FRAME
                present[here] = spans.core @ activity.active[window, at, speaker] * _FRAME
                masks.append(weights[(support[here] >= self.least) & (present[here] > 0)])
            if sum(map(len, masks)):
                embedded = (support[window] >= self.least) & (present[window] > 0)
                vectors[window, embedded] = self._embed(mine, np.concatenate(masks))
        return Voices(vectors, support, solo, present, windows.hop / rate, self.piece)

    def _spans(self, times: NDArray[np.float64], pieces: int) -> _Spans:
        begins = np.arange(pieces)[:, None] * self.piece
        core = (times >= begins) & (times < begins + self.piece)
        support = (times >= begins - self.reach) & (times < begins + self.piece + self.reach)
        return _Spans(core.astype(np.float32), support.astype(np.float32))

    def _embed(self, frames: Array, weights: Array) -> Array:
        return unit(self.projection(statistics=statistics(frames, weights)))

    def _wanted(self, windows: Windows, activity: Activity) -> NDArray[np.bool_]:
        """Tell in which frames anybody speaks alone in any window; only those are pooled."""
        wanted = np.zeros(_frames_in_sound(windows.sound, windows.sample_rate), dtype=bool)
        for window in range(len(windows)):
            first, times, at = _frames_in(windows, window, activity, len(wanted))
            wanted[first : first + len(times)] |= (activity.solo[window, at] > 0).any(axis=1)
        return wanted

    def _frames_of(self, samples: Array, wanted: NDArray[np.bool_]) -> Array:
        """Compute the frames of a stretch of sound that are wanted; (samples,), (frames,) → (frames, 512).

        The others are zero, but for those in short pauses.
        """
        frames = np.zeros((len(wanted), 512), np.float32)
        if wanted.any():
            features = self._features(samples)
            for begin, end in self._chunks(wanted):
                frames[begin:end] = self._chunk_of(features, begin, end)
        return frames

    def _features(self, samples: Array) -> Array:
        features = fbank(samples)
        return features - sliding_mean(features, 2 * Grid(_FEATURE).count(self.context / 2) + 1)

    def _chunks(self, wanted: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
        """Yield stretches that hold all wanted frames, none much longer than a chunk."""
        at = np.flatnonzero(wanted)
        # Parting costs a margin on either side: shorter pauses are cheaper to go through.
        pauses = np.flatnonzero(np.diff(at) > 2 * Grid(_FRAME).count(self.margin))
        for begin, end in zip(at[np.append(0, pauses + 1)], at[np.append(pauses, -1)] + 1, strict=True):
            count = max(1, round((end - begin) * _FRAME / self._chunk))
            yield from itertools.pairwise(np.linspace(begin, end, count + 1).astype(int).tolist())

    def _chunk_of(self, features: Array, begin: int, end: int) -> Array:
        """Compute frames `begin` to `end`, looking a margin further on both sides."""
        margin = Grid(_FRAME).count(self.margin)
        first = max(begin - margin, 0)
        inputs = self._inputs(features[2 * first : 2 * (end + margin)])
        frames: Array = self.frames(**inputs)[0]
        return frames[begin - first : end - first]

    def frames_of(self, samples: Array) -> Array:
        """Compute the frames of a stretch of sound, one every 20 ms; (samples,) → (frames, 512)."""
        return self._frames_of(samples, np.ones(_frames_in_sound(len(samples), self.sample_rate), dtype=bool))

    def inputs(self, samples: Array) -> dict[str, Array]:
        """Return what the frame-level half gets for a stretch of sound, (samples,)."""
        return self._inputs(self._features(samples))

    def _inputs(self, features: Array) -> dict[str, Array]:
        context, spread = _sliding_context((len(features) + 1) // 2, self.context, self._cell)
        return {"features": features[None], "context": context, "spread": spread}


def _frames_in_sound(samples: int, rate: int) -> int:
    """Count the frames of the network in some samples: one for two features."""
    return (frames_in(samples, rate) + 1) // 2


def _frames_in(
    windows: Windows, window: int, activity: Activity, frames: int
) -> tuple[int, NDArray[np.float64], NDArray[np.intp]]:
    """Find a window in the frames of its batch.

    Returns:
        its first frame, the middles of its frames in seconds from its beginning, and the frame of `activity`
        at each.
    """
    begin = (windows.lead + window * windows.hop) / windows.sample_rate
    first = Grid(_FRAME).index(begin)
    count = min(Grid(_FRAME).count(windows.size / windows.sample_rate), max(frames - first, 0))
    times = Grid(_FRAME, first * _FRAME - begin).middles(count)
    return first, times, np.clip(activity.grid.indices(times), 0, activity.scores.shape[1] - 1)


@dataclass(frozen=True, slots=True, eq=False)
class _Spans:
    core: Array  # (pieces, frames)
    support: Array  # (pieces, frames)


def _sliding_context(frames: int, seconds: float, cell: int) -> tuple[Array, Array]:
    """Context of sliding means over `seconds` and over a block; (frames, cells) and (cells, frames)."""
    cells = -(-frames // cell)
    at = np.arange(frames)[:, None]
    middle = np.minimum(np.arange(cells) * cell + cell // 2, frames - 1)
    context = np.zeros((frames, cells), np.float32)
    for width in (Grid(_FRAME).count(seconds), _BLOCK):
        box = np.abs(at - middle) <= width // 2
        context += box / box.sum(axis=0)
    spread = np.arange(cells)[:, None] == np.arange(frames) // cell
    return context, spread.astype(np.float32)


@dataclass(frozen=True)
class CAMPPlusWindow(PerWindow, _Parts):
    """The published network on every window, one embedding for each local speaker, overlap excluded.

    Args:
        exclude_overlap: embed a speaker from the frames it has alone, when there are enough of them.
        least: seconds of the mask below which overlap is not excluded, or there is no embedding.
        weights: bundled weights, or the path that two ONNX files of the same shapes begin with.
        threads: 0 takes one a core.
        device: cpu or cuda.
    """

    _frame = _FRAME

    def _frames_of(self, samples: Array) -> Array:
        features = fbank(samples, centred=False)
        features = features - features.mean(axis=0)
        frames = (len(features) + 1) // 2
        member = np.arange(frames)[:, None] // _BLOCK == np.arange(-(-frames // _BLOCK))
        context = (member / member.sum(axis=0) + 1 / frames).astype(np.float32)
        spread = np.ascontiguousarray(member.T, np.float32)
        computed: Array = self.frames(features=features[None], context=context, spread=spread)[0]
        return computed

    def _project(self, pooled: Array) -> Array:
        return self.projection(statistics=pooled)
