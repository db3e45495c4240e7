"""Diarization of every channel by itself, with any system: `--channels split`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tertulia.audio import Source, open_audio
from tertulia.audio.source import name_of, rereadable
from tertulia.progress import Progress, Report
from tertulia.speakers import Speakers
from tertulia.timeline import Diarization
from tertulia.traits import traits_of, with_traits

if TYPE_CHECKING:
    from tertulia.pipeline import Pipeline

__all__ = ["by_channel"]


def by_channel(
    system: Pipeline, source: Source, speakers: Speakers, progress: Report | None, name: str
) -> Diarization:
    """Run a system on each channel; speakers are numbered on, no two of different channels are the same.

    Arguments and errors are those of `Diarizer`; `speakers` is said of every channel.
    """
    source, name = rereadable(source), name or name_of(source)
    with open_audio(source, channels="split", name=name) as recording:
        channels = recording.channels
    results: list[Diarization] = []
    for channel in range(channels):
        report = progress and _after(progress, results, channels)
        results.append(system(source, speakers, channels=channel, progress=report, name=name))
    return _joined(results)


def _joined(results: list[Diarization]) -> Diarization:
    """One diarization of those of the channels, with all that they tell of their speakers."""
    voices = [(result, speaker) for result in results for speaker in result.speakers]
    named = {f"SPEAKER_{number:02d}": voice for number, voice in enumerate(voices)}
    first = results[0]
    about: dict[str, Any] = {"uri": first.uri, "duration": first.duration, "provenance": first.provenance}
    if any(result.has_exclusive for result in results):
        floors = [(floor, s) for r in results for floor in [r.exclusive()] for s in r.speakers]
        alone = {name: floor[s] for name, (floor, s) in zip(named, floors, strict=True) if s in floor}
        # Two channels may speak at once even when each is exclusive in itself.
        about["exclusive"] = Diarization(alone, **about).exclusive()
    joined = Diarization(
        {name: result[speaker] for name, (result, speaker) in named.items()},
        confidence={name: r.confidence[s] for name, (r, s) in named.items() if s in r.confidence},
        activity=_activity(results),
        **about,
    )
    traits = [known for result in results for known in traits_of(result).values()]
    return with_traits(joined, dict(zip(named, traits, strict=True)))


def _activity(results: list[Diarization]) -> NDArray[np.float64] | None:
    """Probabilities of all speakers in order of first speech, then of the outputs that are nobody's."""
    known = [(result, result.activity) for result in results if result.activity is not None]
    if len(known) < len(results):
        return None
    starts = [result[speaker].bounds[0].tolist() for result in results for speaker in result.speakers]
    order = sorted(range(len(starts)), key=starts.__getitem__)
    mine = np.concatenate([activity[:, : len(result.speakers)] for result, activity in known], axis=1)
    rest = [activity[:, len(result.speakers) :] for result, activity in known]
    return np.concatenate([mine[:, order], *rest], axis=1)


def _after(progress: Report, results: list[Diarization], channels: int) -> Report:
    """Report the progress of the channel after those that have results, as part of that of all."""
    before = sum(result.duration or 0.0 for result in results)

    def report(mine: Progress) -> None:
        progress(Progress(before + mine.done, None if mine.total is None else channels * mine.total))

    return report
