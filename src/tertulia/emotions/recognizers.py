"""From a stretch of one person's speech to how probable each emotion is.

That takes two steps, because how somebody sounds says little unless one knows how they usually do: speech is
described first, and judged when all that a person says in a recording has been described.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.campplus import CAMPPlus
from tertulia.embedding.pooling import statistics
from tertulia.features import fbank
from tertulia.frames import Grid
from tertulia.inference import Network
from tertulia.inference import weights as weights_path
from tertulia.prosody import STATISTICS, prosody, statistics_of

__all__ = ["EMOTIONS", "Recognizer", "Spectral", "VoiceAndProsody", "voice_and_prosody"]

Array = NDArray[np.float32]

EMOTIONS = ("neutral", "happy", "sad", "angry")
"""What is told apart, in the order of the columns of every array of probabilities."""

_FRAME = Grid(0.02)  # of the frames of CAM++
_TRACK = Grid(0.01)  # of the tracks of prosody and of log-mel energies
_SHORTEST = 2  # frames of CAM++ of which there is a deviation


class Recognizer(Protocol):
    """Tells emotions from sound.

    Attributes:
        sample_rate: of the sound it takes, in Hz.
    """

    @property
    def sample_rate(self) -> int: ...  # noqa: D102

    def describe(self, speech: Array, spans: NDArray[np.float64]) -> Array:
        """Return what is to be known of spans of speech, (spans, dim).

        Args:
            speech: float32 (n,), one person's.
            spans: (spans, 2), seconds from the beginning of it.
        """
        ...

    def judge(self, described: Array, usual: Array) -> Array:
        """Return probabilities (spans, emotions).

        Args:
            described: (spans, dim).
            usual: (dim,), the mean over all that this person says in the recording.
        """
        ...


@dataclass(frozen=True)
class _Learnt:
    """A network that ends in logits of emotions.

    Args:
        weights: name of weights, or the path of an ONNX file of the same shape.
        threads: 0 takes one a core.
    """

    weights: str = "emotions"
    threads: int = 0

    sample_rate = 16_000

    def __post_init__(self) -> None:
        weights_path(self.weights)

    @cached_property
    def network(self) -> Network:
        """Features → logits (batch, emotions)."""
        return Network(self.weights, self.threads)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return {self.weights: self.network}


@dataclass(frozen=True)
class VoiceAndProsody(_Learnt):
    """Statistics of the frames of CAM++, and of pitch, level, timbre and pace; then a small network.

    CAM++ was trained to tell voices apart, but the statistics before its last layer change with how a person
    speaks as well. The network is given them as they are, and less the mean over all that the person says.
    """

    @cached_property
    def embedder(self) -> CAMPPlus:
        """The bundled network, frozen."""
        return CAMPPlus(threads=self.threads)

    @property
    def networks(self) -> dict[str, Network]:
        """Networks by name, for provenance."""
        return {**super().networks, "campplus-frames-int8": self.embedder.frames}

    def describe(self, speech: Array, spans: NDArray[np.float64]) -> Array:
        """Return the statistics of spans of speech, (spans, dim)."""
        return voice_and_prosody(speech, spans, self.embedder)

    def judge(self, described: Array, usual: Array) -> Array:
        """Return probabilities (spans, emotions), given the usual statistics of the speaker, (dim,)."""
        same = np.broadcast_to(usual, described.shape).astype(np.float32)
        return softmax(self.network(statistics=described, usual=same))


def voice_and_prosody(speech: Array, spans: NDArray[np.float64], embedder: CAMPPlus) -> Array:
    """Return what emotions are told from, (spans, 1024 + len(STATISTICS)).

    Args:
        speech: float32 (n,) at 16 kHz.
        spans: (spans, 2), seconds from the beginning of it.
        embedder: computes frames.
    """
    frames, tracks = embedder.frames_of(speech), prosody(speech)
    masks = np.zeros((len(spans), len(frames)), np.float32)
    how = np.empty((len(spans), len(STATISTICS)), np.float32)
    for row, (start, end) in enumerate(spans.tolist()):
        masks[row, _FRAME.within(start, end, len(frames), _SHORTEST)] = 1
        how[row] = statistics_of(tracks, _TRACK.within(start, end, len(tracks), 1))
    return np.concatenate([statistics(frames, masks), how], axis=1)


@dataclass(frozen=True)
class Spectral(_Learnt):
    """A small network on log-mel energies, trained from nothing."""

    bands = 64

    def describe(self, speech: Array, spans: NDArray[np.float64]) -> Array:
        """Return logits of spans of speech, (spans, emotions): all that it needs of them."""
        features = fbank(speech, self.bands)
        rows = (features[_TRACK.within(start, end, len(features), 1)] for start, end in spans.tolist())
        return np.concatenate([self.network(features=row[None]) for row in rows])

    def judge(self, described: Array, usual: Array) -> Array:  # noqa: ARG002 — it goes by the span alone
        """Return probabilities (spans, emotions)."""
        return softmax(described)


def softmax(logits: Array) -> Array:
    """Turn logits (rows, classes) into probabilities."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)
