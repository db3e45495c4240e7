"""`Listener`: from sound to voiceprints, in one way for enrolment, verification and diarized speakers.

The published network is run on the speech of one person with everything else cut out. Long speech is taken in
stretches, whose vectors are averaged by length: the network was trained on a few seconds at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tertulia.audio import Channels, Source, open_audio
from tertulia.audio.windows import Windows
from tertulia.embedding import Embedder
from tertulia.embedding.campplus import CAMPPlusWindow
from tertulia.errors import InputError
from tertulia.frames import Grid
from tertulia.identity.voiceprint import Voiceprint
from tertulia.segmentation import Activity
from tertulia.timeline import Diarization, Timeline

__all__ = ["Listener", "model_of", "same_space", "solo"]

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Listener:
    """Makes voiceprints.

    Args:
        embedder: embeds window by window (`PerWindow`); by default the bundled CAM++.
        stretch: seconds of speech that are embedded at once, at most.
        most: seconds of speech of one person that are looked at in one recording, the longest turns first.
        least: seconds of speech under which there is no voiceprint.
    """

    embedder: Embedder = field(default_factory=CAMPPlusWindow)
    stretch: float = 20.0
    most: float = 60.0
    least: float = 0.5

    sample_rate = 16_000

    @classmethod
    def load(cls, threads: int | None = None) -> Self:
        """Take the bundled network; one thread a core unless a number is given."""
        return cls(CAMPPlusWindow(threads=threads or 0))

    @cached_property
    def model(self) -> str:
        """Name of the network, made of the checksums of its files."""
        return model_of(self.embedder)

    def embed(self, speech: Samples) -> Voiceprint:
        """Embed speech of one person without pauses, float32 (samples,) at 16 kHz.

        Raises:
            InputError: when there is less of it than `least`.
        """
        seconds = len(speech) / self.sample_rate
        if seconds < self.least:
            raise InputError(f"a voice needs {self.least:g} s of speech or more; got {seconds:.2f} s")
        parts = np.array_split(speech, -(-len(speech) // round(self.stretch * self.sample_rate)))
        return Voiceprint.combine([self._vector(part) for part in parts])

    def speakers(
        self, source: Source, diarization: Diarization, *, channels: Channels = "mix"
    ) -> dict[str, Voiceprint]:
        """Embed every speaker of a recording from what each says alone; those with too little are left out.

        Args:
            source: the recording, read once.
            diarization: who speaks when in it.
            channels: "mix", or the number of one channel, from 0.
        """
        chosen = {name: self._chosen(timeline) for name, timeline in solo(diarization).items()}
        heard = _cut(source, chosen, self.sample_rate, channels)
        enough = round(self.least * self.sample_rate)
        return {name: self.embed(speech) for name, speech in heard.items() if len(speech) >= enough}

    def _chosen(self, turns: Timeline) -> Timeline:
        """The longest turns, up to the seconds that are wanted."""
        bounds = turns.bounds[np.argsort(turns.bounds[:, 0] - turns.bounds[:, 1], kind="stable")]
        lengths = bounds[:, 1] - bounds[:, 0]
        left = np.clip(self.most - (np.cumsum(lengths) - lengths), 0, lengths)
        taken = left > 0
        return Timeline.from_bounds(np.stack([bounds[:, 0], bounds[:, 0] + left], axis=1)[taken])

    def _vector(self, speech: Samples) -> Voiceprint:
        """Embed one stretch, as a window that one local speaker fills."""
        size = len(speech)
        window = Windows(speech, 0, size, size, 1, 0, size, self.sample_rate)
        seconds = size / self.sample_rate
        whole = np.ones((1, 1, 1), np.float32)
        activity = Activity(whole, whole > 0, whole, whole[..., 0], Grid(seconds), seconds)
        vector = self.embedder(window, activity).vectors[0, 0, 0]
        if not np.isfinite(vector).all():
            raise InputError(f"no voice can be made of these {seconds:.1f} s of sound")
        return Voiceprint(vector, seconds, self.model)


def model_of(embedder: Any) -> str:
    """Name the network of an embedder by the checksums of its files, 16 hexadecimal digits."""
    checksums = sorted(network.sha256 for network in embedder.networks.values())
    return hashlib.sha256("".join(checksums).encode()).hexdigest()[:16]


def same_space(one: Any, other: Any) -> bool:
    """Whether vectors of two embedders can be compared by and large: the last of their networks is the same.

    What comes before it may be a smaller copy (of 8-bit numbers), whose vectors are nearly the same.
    """
    checksums = [[network.sha256 for network in each.networks.values()] for each in (one, other)]
    return bool(checksums[0][-1] == checksums[1][-1])


def solo(diarization: Diarization) -> dict[str, Timeline]:
    """What each speaker says while nobody else speaks; all that it says where it is never alone."""
    overlap = diarization.overlap
    alone = {name: timeline - overlap for name, timeline in diarization.items()}
    return {name: alone[name] if len(alone[name]) else timeline for name, timeline in diarization.items()}


def _cut(source: Source, wanted: Mapping[str, Timeline], rate: int, channels: Channels) -> dict[str, Samples]:
    """Read a recording once and keep, for each name, the samples inside its timeline, joined."""
    spans = sorted(
        (round(start * rate), round(end * rate), name)
        for name, timeline in wanted.items()
        for start, end in timeline.bounds.tolist()
    )
    kept: dict[str, list[Samples]] = {name: [] for name in wanted}
    position = 0
    with open_audio(source, sample_rate=rate, channels=channels) as recording:
        for block in recording:
            end = position + block.shape[1]
            spans = [span for span in spans if span[1] > position]
            for start, stop, name in spans:
                if start >= end:
                    break
                kept[name].append(block[0, max(start - position, 0) : stop - position].copy())
            position = end
    return {name: np.concatenate(parts) if parts else np.zeros(0, np.float32) for name, parts in kept.items()}
