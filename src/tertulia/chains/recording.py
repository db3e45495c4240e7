"""`WholeRecording`: diarization by a chain, which looks at all of a recording at once through its features.

The windows of `Diarizer` suit networks; classical systems compare whole stretches with each other instead.
What all chains share is here: reading, channels, speaker names, provenance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tertulia._version import __version__
from tertulia.audio import Channels, Recording, Source, open_audio
from tertulia.config import settings
from tertulia.featurefiles import Features, is_feature_file, read
from tertulia.mfcc import STEP, mfcc_of_blocks
from tertulia.progress import Progress, Report
from tertulia.speakers import ANY, Speakers
from tertulia.split import by_channel
from tertulia.timeline import Diarization, Provenance, Segment, Timeline
from tertulia.traits import Traits, with_traits

__all__ = ["Chain", "Found", "Stage", "WholeRecording", "cepstra"]

Stage = Callable[[float], None]
"""Called with the share of its work that a chain has done, 0 to 1."""

_SAMPLE_RATE = 16_000
_READING = 0.5  # share of the progress that is reading


@dataclass(frozen=True)
class Found:
    """What a chain finds.

    Attributes:
        turns: timelines of the speakers in any order; those without speech do not count.
        traits: gender and band of each, or nothing at all.
        confidence: of each turn of each speaker, (turns,), or nothing at all.
        exclusive: their timelines when only one person may speak at a time, or nothing at all.
        activity: probabilities (frames, outputs) every 0.08 s, a column for each of `turns`, or nothing.
        messages: what did not go as asked for, for the provenance.
    """

    turns: Sequence[Timeline]
    traits: Sequence[Traits] = ()
    confidence: Sequence[NDArray[np.float64]] = ()
    exclusive: Sequence[Timeline] = ()
    activity: NDArray[np.float32] | None = None
    messages: tuple[str, ...] = ()


class Chain(Protocol):
    """Finds the speakers in the features of a whole recording; a frozen dataclass of settings.

    It may have a property `models`: name of each bundled model → sha256 of its file, for the provenance; and
    a method `hear`, called like `cepstra`, when it wants other features than those.
    """

    def __call__(self, features: Features, speakers: Speakers, stage: Stage) -> Found:
        """Find the speakers.

        Args:
            features: cepstra c₀, c₁ … of the recording, as `tertulia.mfcc` makes them, possibly no frame.
            speakers: what is known about their number.
            stage: to be called now and then.

        Raises:
            UsageError: when the number of speakers asked for cannot be had, with the reason.
        """
        ...


@dataclass(frozen=True)
class WholeRecording:
    """A diarization system made of a chain; called like a `Diarizer`."""

    chain: Chain
    name: str = "custom"

    def __call__(
        self,
        source: Source,
        speakers: Speakers = ANY,
        *,
        channels: Channels = "mix",
        progress: Report | None = None,
        name: str = "",
    ) -> Diarization:
        """Tell who speaks when in a recording; arguments and errors are those of `Diarizer`.

        A path may also lead to a file of features (see `tertulia.featurefiles`), which are taken as they are.
        """
        hear = getattr(self.chain, "hear", None)
        if hear is None and isinstance(source, str | Path) and is_feature_file(source):
            uri = Path(name or source).stem
            return self.diarize(read(source), speakers, uri=uri, progress=progress)
        if channels == "split":
            return by_channel(self, source, speakers, progress, name)
        with open_audio(source, sample_rate=_SAMPLE_RATE, channels=channels, name=name) as recording:
            features, seconds = (hear or cepstra)(recording, progress)
            return self.diarize(
                features,
                speakers,
                uri=Path(recording.name).stem,
                duration=seconds,
                messages=recording.messages,
                progress=progress,
            )

    def diarize(
        self,
        features: Features,
        speakers: Speakers = ANY,
        *,
        uri: str = "",
        duration: float | None = None,
        messages: tuple[str, ...] = (),
        progress: Report | None = None,
    ) -> Diarization:
        """Tell who speaks when from features alone, such as those of a feature file.

        Args:
            features: of the recording; which ones is up to the chain.
            speakers: what is known about their number.
            uri: name of the recording.
            duration: its length in seconds; by default that of the features.
            messages: what is to be in the provenance besides what the chain says.
            progress: called with the seconds of sound that are done, reading included.
        """
        seconds = len(features.values) * features.step if duration is None else duration

        def stage(share: float) -> None:
            if progress:
                progress(Progress(seconds * (_READING + (1 - _READING) * share), seconds))

        found = self.chain(features, speakers, stage)
        turns = [_inside(timeline, seconds) for timeline in found.turns]
        order = sorted((k for k in range(len(turns)) if len(turns[k])), key=lambda k: turns[k][0])
        names = {k: f"SPEAKER_{i:02d}" for i, k in enumerate(order)}
        about: dict[str, Any] = {
            "uri": uri,
            "duration": seconds,
            "provenance": self._provenance((*messages, *found.messages)),
        }
        if found.exclusive:
            alone = {name: _inside(found.exclusive[k], seconds) for k, name in names.items()}
            # Pauses that were filled may hold somebody else's turn.
            about["exclusive"] = Diarization(alone, **about).exclusive()
        if found.activity is not None:
            rest = [k for k in range(len(turns)) if k not in names]
            about["activity"] = found.activity[:, [*order, *rest]]
        if found.confidence:
            about["confidence"] = {name: found.confidence[k][: len(turns[k])] for k, name in names.items()}
        diarization = Diarization({name: turns[k] for k, name in names.items()}, **about)
        if not found.traits:
            return diarization
        return with_traits(diarization, {name: found.traits[k] for k, name in names.items()})

    def _provenance(self, messages: tuple[str, ...]) -> Provenance:
        about: dict[str, Any] = {"chain": settings(self.chain)}
        models: Mapping[str, str] = getattr(self.chain, "models", {})
        return Provenance(
            version=__version__, system=self.name, models=models, settings=about, messages=messages
        )


def _inside(turns: Timeline, seconds: float) -> Timeline:
    return turns.crop(Segment(0.0, seconds)) if seconds else Timeline()


def cepstra(recording: Recording, progress: Report | None = None) -> tuple[Features, float]:
    """Compute the cepstra of an open mono recording; also returns its length in seconds."""
    samples = 0

    def blocks() -> Iterator[NDArray[np.float32]]:
        nonlocal samples
        for block in recording:
            yield block[0]
            samples += block.shape[1]
            if progress:
                seconds = samples / recording.sample_rate
                progress(Progress(_READING * seconds, recording.duration))

    parts = list(mfcc_of_blocks(blocks(), recording.sample_rate))
    values = np.concatenate(parts) if parts else np.empty((0, 13), np.float32)
    return Features(values, STEP), samples / recording.sample_rate
