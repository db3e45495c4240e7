"""CAM++ embeddings, per window as published or from frames that are computed once.

Source: H. Wang et al., "CAM++: A fast and efficient network for speaker verification using context-aware
masking" (Interspeech 2023). The bundled network is 3D-Speaker's zh-en common advanced model.

Windows overlap, so embedding each window by itself computes everything several times. `CAMPPlus` therefore
runs the frame-level part once over the whole batch, with what the network takes from the whole utterance
(mean of the features; global and 2 s means in its masks) replaced by sliding means, and then pools those
frames under the mask of each speaker. `CAMPPlusWindow` is the published network on each window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows
from tertulia.embedding.pooling import statistics
from tertulia.embedding.voices import Voices, unit
from tertulia.embedding.window import PerWindow
from tertulia.features import fbank, sliding_mean
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

    sample_rate = 16_000
    dim: ClassVar[int] = 192

    def __post_init__(self) -> None:
        for half in ("frames", "projection"):
            weights_path(f"{self.weights}-{half}")

    @cached_property
    def frames(self) -> Network:
        """Features (batch, time, 80), context, spread → frames (batch, ⌈time / 2⌉, 512)."""
        return Network(f"{self.weights}-frames", self.threads)

    @cached_property
    def projection(self) -> Network:
        """Statistics (batch, 1024) → embeddings (batch, 192)."""
        return Network(f"{self.weights}-projection", self.threads)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return {f"{self.weights}-frames": self.frames, f"{self.weights}-projection": self.projection}


@dataclass(frozen=True)
class CAMPPlus(_Parts):
    """CAM++ on frames computed once, one embedding for each piece of each local speaker.

    Args:
        piece: seconds in a piece; the time resolution of speaker labels. Divides the window.
        reach: seconds that the support of a piece goes beyond it on either side.
        least: seconds of one speaker alone below which there is no embedding.
        context: seconds of the sliding means that stand for the whole utterance.
        weights: bundled weights, or the path that two ONNX files of the same shapes begin with.
        threads: 0 takes one a core.
    """

    piece: float = 0.5
    reach: float = 0.5
    least: float = 0.25
    context: float = 3.0

    margin = 1.0
    # Seconds of frames computed at once, about: bounds memory and the cost of the context matrices.
    _chunk = 30.0
    # Frames that share a gate: 0.4 s, much less than the means behind it move in.
    _cell = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.piece > 0 and self.reach >= 0 and self.least > 0 and self.context > 0):
            raise ValueError("piece, least and context are seconds above zero, reach from zero")

    def __call__(self, windows: Windows, activity: Activity) -> Voices:
        """Embed every piece of every local speaker of a batch of windows."""
        frames = self._frames_of(windows.samples[: windows.sound])  # (frames, 512)
        rate = windows.sample_rate
        size = windows.size / rate
        pieces = Grid(self.piece).count(size)
        shape = (len(windows), activity.scores.shape[2], pieces)
        vectors = np.full((*shape, self.dim), np.nan, np.float32)
        support, solo, present = (np.zeros(shape, np.float32) for _ in range(3))
        for window in range(len(windows)):
            begin = (windows.lead + window * windows.hop) / rate
            first = Grid(_FRAME).index(begin)
            mine = frames[first : first + Grid(_FRAME).count(size)]
            times = Grid(_FRAME, first * _FRAME - begin).middles(len(mine))
            at = np.clip(activity.grid.indices(times), 0, activity.scores.shape[1] - 1)
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

    def _frames_of(self, samples: Array) -> Array:
        """Compute all frames of a stretch of sound, float32 (samples,) → (frames, 512)."""
        features = fbank(samples)
        features = features - sliding_mean(features, 2 * Grid(_FEATURE).count(self.context / 2) + 1)
        parts = [self._chunk_of(features, *where) for where in self._chunks(len(features))]
        return np.concatenate(parts) if parts else np.empty((0, 512), np.float32)

    def _chunks(self, features: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (begin, end, begin with margin, end with margin) in feature frames, about equally long."""
        margin = Grid(_FEATURE).count(self.margin)
        count = max(1, round(features * _FEATURE / self._chunk))
        size = 2 * -(-features // (2 * count))  # even: a frame of the network is two frames of features
        for begin in range(0, features, size or 1):
            end = min(begin + size, features)
            yield begin, end, max(begin - margin, 0), min(end + margin, features)

    def _chunk_of(self, features: Array, begin: int, end: int, first: int, last: int) -> Array:
        context, spread = _sliding_context((last - first + 1) // 2, self.context, self._cell)
        frames: Array = self.frames(features=features[None, first:last], context=context, spread=spread)[0]
        return frames[(begin - first) // 2 : (begin - first) // 2 + (end - begin + 1) // 2]


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
