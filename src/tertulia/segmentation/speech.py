"""Segmentation that only tells speech from the rest: one local speaker, whoever it is.

With these, telling people apart is left to the pieces of the embedding and to clustering; overlap is missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.windows import Windows
from tertulia.frames import Grid
from tertulia.inference import Network, weights
from tertulia.segmentation.activity import Activity

__all__ = ["EnergySegmenter", "SileroSegmenter", "WindowedSpeech"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class WindowedSpeech:
    """Windows, of ten seconds unless a kind has others, in which speech is one local speaker."""

    hop: float = 5.0
    threshold: float = 0.5

    sample_rate = 16_000
    window = 10.0

    def __post_init__(self) -> None:
        if not (0 < self.hop <= self.window and 0 < self.threshold < 1):
            raise ValueError(f"hop lies in (0, {self.window:g}] seconds and threshold in (0, 1)")

    def _activity(self, speech: Array, grid: Grid, hop: float) -> Activity:
        """Make activity of probabilities of speech (windows, frames)."""
        scores = speech[..., None]
        active = scores >= self.threshold
        # A score of one half means "speech" from here on, whatever the threshold was.
        level = np.float32(self.threshold)
        count = np.where(speech < level, speech / level / 2, 1 - (1 - speech) / (1 - level) / 2)
        return Activity(scores, active, (scores * active), count.astype(np.float32), grid, hop)


@dataclass(frozen=True)
class SileroSegmenter(WindowedSpeech):
    """Silero VAD: one probability of speech every 32 ms.

    Args:
        hop: seconds between two windows.
        threshold: probability from which a frame is speech.
        weights: bundled weights or the path of an ONNX file of the same shape.
        threads: 0 takes one a core.
        window: seconds in a window.
        remember: hear the windows of a batch as one stream, so that short ones know what came before them;
            otherwise each begins with an empty memory.
    """

    weights: str = "silero-vad-6"
    threads: int = 0
    window: float = 10.0
    remember: bool = False

    _frame, _context = 512, 64  # samples that are new to a step of the network, and that it sees again

    def __post_init__(self) -> None:
        super().__post_init__()
        weights(self.weights)

    @cached_property
    def network(self) -> Network:
        """The network: 576 samples and a state (2, windows, 128) → probability and the next state."""
        return Network(self.weights, self.threads)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return {self.weights: self.network}

    def __call__(self, windows: Windows) -> Activity:
        """Segment a batch of windows."""
        rate = windows.sample_rate
        if self.remember:
            last = windows.lead + (len(windows) - 1) * windows.hop + windows.size
            stream = self._speech(windows.samples[None, windows.lead : last])[0]
            begins = np.arange(len(windows))[:, None] * windows.hop / self._frame
            frames = begins + np.arange(-(-windows.size // self._frame))  # (windows, frames)
            speech = stream[np.minimum(np.rint(frames).astype(np.intp), len(stream) - 1)]
        else:
            speech = self._speech(windows.stack())
        return self._activity(speech, Grid(self._frame / self.sample_rate), windows.hop / rate)

    def _speech(self, samples: Array) -> Array:
        """Probabilities of speech, (streams, samples) → (streams, frames), all streams a step at a time."""
        steps = -(-samples.shape[1] // self._frame)
        padded = np.pad(samples, ((0, 0), (self._context, steps * self._frame - samples.shape[1])))
        state = np.zeros((2, len(samples), 128), np.float32)
        rate = np.array(self.sample_rate, np.int64)
        speech = np.empty((len(samples), steps), np.float32)
        for step in range(steps):
            begin = step * self._frame
            seen = np.ascontiguousarray(padded[:, begin : begin + self._frame + self._context])
            output, state = self.network.run(
                ["output", "stateN"], {"input": seen, "state": state, "sr": rate}
            )
            speech[:, step] = output[:, 0]
        return speech


@dataclass(frozen=True)
class EnergySegmenter(WindowedSpeech):
    """Energy between the quiet and the loud of a window: needs no network, and takes any sound for speech.

    Args:
        hop: seconds between two windows.
        threshold: share of the way from the quiet to the loud, in decibels, from which a frame is speech.
        floor: level in decibels under full scale below which nothing is speech.
        range: decibels that the loud must be above the quiet, else the whole window is one or the other.
    """

    floor: float = -60.0
    range: float = 10.0

    _frame = 320

    def __call__(self, windows: Windows) -> Activity:
        """Segment a batch of windows."""
        samples = windows.stack()
        frames = samples.shape[1] // self._frame
        cut = samples[:, : frames * self._frame].reshape(len(samples), frames, self._frame)
        level = 10 * np.log10(np.mean(np.square(cut, dtype=np.float32), axis=2) + 1e-12)
        level = np.maximum(level, self.floor)
        quiet, loud = np.percentile(level, [10, 95], axis=1, keepdims=True)
        varied = loud - quiet >= self.range
        share = np.where(varied, (level - quiet) / np.maximum(loud - quiet, 1e-6), level > self.floor)
        speech = np.clip(_smoothed(share, 5), 0, 1).astype(np.float32)
        grid = Grid(self._frame / self.sample_rate)
        return self._activity(speech, grid, windows.hop / windows.sample_rate)


def _smoothed(values: Array, width: int) -> NDArray[np.float64]:
    """Running mean over `width` frames, (windows, frames) → the same."""
    kernel = np.ones(width) / width
    return np.stack([np.convolve(row, kernel, mode="same") for row in values])
