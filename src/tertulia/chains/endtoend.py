"""End to end: one network tells who is active, and nothing is clustered.

A recording is heard in blocks, or chunk by chunk as if it were live; what comes out is a matrix of
probabilities, a row every 0.08 s and a column for each speaker in order of arrival, and turns are what rises
above a threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tertulia.audio import Recording
from tertulia.binarize import Hysteresis
from tertulia.chains.recording import Found, Stage
from tertulia.clustering.base import refuse_count
from tertulia.counting import insist
from tertulia.endtoend import LATENCIES, Blocks, Listener
from tertulia.endtoend.published import EndToEndNetwork, opened
from tertulia.errors import unknown
from tertulia.featurefiles import Features
from tertulia.frames import Frames, Grid
from tertulia.pipeline import mean_scores
from tertulia.progress import Progress, Report
from tertulia.speakers import Speakers
from tertulia.stitch import Stitched

__all__ = ["UNLIMITED", "EndToEnd"]

Array = NDArray[np.float32]

UNLIMITED = "unlimited"
"""The latency of a recording that is heard in blocks."""


@dataclass(frozen=True)
class EndToEnd:
    """A network that hears all speakers at once, and thresholds.

    Args:
        weights: bundled weights, the path that two ONNX files begin with, or a published checkpoint; see
            `tertulia.endtoend.published`.
        latency: seconds after which is decided who speaks, one of `LATENCIES`; or `unlimited`, which waits
            for the end of a block.
        window: seconds of a block.
        overlap: seconds that two blocks share, in which their speakers are matched.
        onset: probability from which a turn begins.
        offset: … below which it ends.
        min_duration_on: shorter turns are dropped.
        min_duration_off: shorter pauses are filled.
        pad_onset, pad_offset: seconds by which turns begin earlier and end later.
        threads: 0 takes one a core.
        device: cpu or cuda.
    """

    weights: str = "sortformer-tiny"
    latency: str = UNLIMITED
    window: float = 90.0
    overlap: float = 45.0
    onset: float = 0.5
    offset: float = 0.4
    min_duration_on: float = 0.0
    min_duration_off: float = 0.0
    pad_onset: float = 0.0
    pad_offset: float = 0.0
    threads: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.latency not in (UNLIMITED, *LATENCIES):
            raise unknown("latency", self.latency, (UNLIMITED, *LATENCIES))
        _ = self.binarize, self._blocks

    @cached_property
    def network(self) -> EndToEndNetwork:
        """What hears."""
        return opened(self.weights, self.threads, self.device)

    @cached_property
    def binarize(self) -> Hysteresis:
        """What makes turns of probabilities."""
        return Hysteresis(
            self.min_duration_on,
            self.min_duration_off,
            onset=self.onset,
            offset=self.offset,
            pad_onset=self.pad_onset,
            pad_offset=self.pad_offset,
        )

    @cached_property
    def _blocks(self) -> Blocks:
        return Blocks(self.network, self.window, self.overlap)

    @property
    def models(self) -> dict[str, str]:
        """Name of each model → sha256 of its file, for provenance."""
        return {name: network.sha256 for name, network in self.network.networks.items()}

    def hear(self, recording: Recording, progress: Report | None = None) -> tuple[Features, float]:
        """Compute the activity of an open mono recording; also returns its length in seconds."""
        samples = 0

        def blocks() -> Iterator[Array]:
            nonlocal samples
            for block in recording:
                yield block[0]
                samples += block.shape[1]
                if progress:
                    progress(Progress(samples / recording.sample_rate, recording.duration))

        parts = list(self._activity(blocks()))
        return Features(np.concatenate(parts), self.network.step), samples / recording.sample_rate

    def _activity(self, blocks: Iterator[Array]) -> Iterator[Array]:
        """Map sound in pieces (n,) to probabilities in pieces (frames, speakers)."""
        if self.latency == UNLIMITED:
            yield from self._blocks(blocks)
            return
        listener = Listener(self.network, LATENCIES[self.latency])
        for block in blocks:
            yield listener.push(block)
        yield listener.finish()

    def __call__(self, features: Features, speakers: Speakers, stage: Stage) -> Found:
        """Decide who speaks; `features` are the activity (frames, outputs) that `hear` computed."""
        outputs = features.values.shape[1]
        if speakers.least > outputs:
            raise refuse_count(speakers, outputs)
        grid, activity = Grid(features.step), features.values
        if speakers.most is not None:
            heard = np.asarray(self._masks(activity).any(axis=0))
            if heard.sum() > speakers.most:
                activity = folded(activity, heard, speakers.most)
        stitched = Stitched(Frames(activity, grid), activity.sum(axis=1))
        stitched = insist(stitched, self.binarize, speakers)
        activity = stitched.frames.scores
        turns = [self.binarize.timeline(mask, grid) for mask in self.binarize(stitched).T]
        alone = [self.binarize.timeline(mask, grid) for mask in self.binarize(stitched, at_most=1).T]
        stage(1.0)
        return Found(
            turns,
            confidence=[mean_scores(turn, activity[:, k], grid) for k, turn in enumerate(turns)],
            exclusive=alone,
            activity=activity,
        )

    def _masks(self, activity: Array) -> NDArray[np.bool_]:
        return self.binarize(Stitched(Frames(activity, Grid(self.network.step)), activity.sum(axis=1)))


def folded(activity: Array, heard: NDArray[np.bool_], most: int) -> Array:
    """Make fewer speakers of too many, (frames, outputs) → the same: one who was taken for two is one again.

    Whoever speaks least goes into the output that is active least while they speak: two outputs of one
    person do not speak at once.
    """
    activity, left = activity.copy(), set(np.flatnonzero(heard).tolist())
    while len(left) > most:
        least = min(sorted(left), key=lambda k: float(activity[:, k].sum()))
        left.remove(least)
        other = min(sorted(left), key=lambda k: float(activity[:, k] @ activity[:, least]))
        activity[:, other] = np.maximum(activity[:, other], activity[:, least])
        activity[:, least] = 0
    activity[:, [k for k in range(activity.shape[1]) if k not in left]] = 0
    return activity
