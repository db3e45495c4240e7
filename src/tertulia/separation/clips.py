"""Every turn of every speaker as a sound file."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from tertulia.audio import Source
from tertulia.audio.recording import Channels
from tertulia.audio.writing import writing
from tertulia.errors import OutputError
from tertulia.separation.scratch import file_name, spooled
from tertulia.timeline import Diarization, Timeline

__all__ = ["export_clips", "solo"]

_BLOCK = 1 << 20  # samples


def export_clips(
    source: Source,
    diarization: Diarization,
    folder: str | Path,
    *,
    alone: bool = False,
    shortest: float = 0.0,
    longest: float | None = None,
    extension: str = "wav",
    channels: Channels = "mix",
) -> dict[str, list[Path]]:
    """Write the turns of every speaker, `folder/SPEAKER/NNNN_START-END.EXTENSION`, times in seconds.

    Clips keep the sample rate of the recording. What a turn goes beyond its end is left out.

    Args:
        source: the recording.
        diarization: who speaks when in it.
        folder: where to; created when missing.
        alone: leave out where somebody else speaks as well.
        shortest: seconds; shorter clips are not written.
        longest: seconds; longer turns are cut into clips of equal length.
        extension: `wav` or `flac`.
        channels: "mix", or the number of the channel.

    Returns:
        Speaker → files, in order of time.

    Raises:
        AudioError: when the recording cannot be read.
        OutputError: when a clip cannot be written.
    """
    files: dict[str, list[Path]] = {}
    with spooled(source, sample_rate=None, channels=channels) as (samples, rate, _):
        for speaker, timeline in (solo(diarization) if alone else dict(diarization.items())).items():
            place = Path(folder) / file_name(speaker)
            clips = [clip for clip in _cut(timeline, longest) if clip[1] - clip[0] >= shortest]
            clips = [(begin, end) for begin, end in clips if round(begin * rate) < len(samples)]
            if clips:
                _make(place)
            files[speaker] = []
            for number, (begin, end) in enumerate(clips, 1):
                path = place / f"{number:04d}_{begin:09.3f}-{end:09.3f}.{extension}"
                first, last = round(begin * rate), min(round(end * rate), len(samples))
                with writing(path, rate) as write:
                    for start in range(first, last, _BLOCK):
                        write(np.asarray(samples[None, start : min(start + _BLOCK, last)]))
                files[speaker].append(path)
    return files


def solo(diarization: Diarization) -> dict[str, Timeline]:
    """Speaker → when nobody else speaks."""
    found = {}
    for speaker, timeline in diarization.items():
        for other, theirs in diarization.items():
            if other != speaker:
                timeline = timeline - theirs
        found[speaker] = timeline
    return found


def _cut(timeline: Timeline, longest: float | None) -> list[tuple[float, float]]:
    clips = []
    for segment in timeline:
        parts = 1 if longest is None else int(np.ceil(segment.duration / longest - 1e-9))
        edges = np.linspace(segment.start, segment.end, parts + 1).tolist()
        clips += list(itertools.pairwise(edges))
    return clips


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from error
