"""Who spoke when: speaker diarization on a laptop, offline.

>>> import tertulia
>>> result = tertulia.diarize("meeting.mp3")  # doctest: +SKIP
>>> for turn in result:  # doctest: +SKIP
...     print(turn.start, turn.end, turn.speaker)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tertulia._version import __version__
from tertulia.errors import TertuliaError
from tertulia.speakers import Speakers
from tertulia.timeline import Diarization, Segment, Timeline, Turn

if TYPE_CHECKING:
    from pathlib import Path

    from tertulia.audio import Channels, Source, Waveform
    from tertulia.pipeline import Diarizer, Pipeline
    from tertulia.progress import Progress, Report
    from tertulia.systems import Quality

__all__ = [
    "Diarization",
    "Diarizer",
    "Progress",
    "Segment",
    "Speakers",
    "TertuliaError",
    "Timeline",
    "Turn",
    "Waveform",
    "__version__",
    "diarize",
    "load",
]

_LAZY = {"Diarizer": "pipeline", "Progress": "progress", "Waveform": "audio"}


def __getattr__(name: str) -> object:
    # Importing the package stays cheap; what only some programs need is imported when it is asked for.
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(
    system: str | Path | None = None,
    *,
    quality: Quality | None = None,
    embedding: str | None = None,
    segmentation: str | None = None,
    latency: str | None = None,
    threads: int | None = None,
    device: str = "cpu",
) -> Pipeline:
    """Load a named system, or one described by a file.

    Args:
        system: a name that `tertulia systems` lists, or the path of a `.toml` file, or of the `.yaml` file of
            a pipeline of pyannote.audio. By default the system of the quality.
        quality: "fast", "balanced" (the default) or "best".
        embedding: embedding model to take instead of the system's own, such as "campplus", "resnet34" or
            "resnet34=folder/of/its/weights"; see `tertulia.systems.override`.
        segmentation: path of an ONNX file to take instead of the system's own powerset segmentation; for an
            end-to-end system, the network to take instead: also a `.nemo` archive or a hub id.
        latency: "0.32", "1.04" or "10": seconds after which an end-to-end system decides; by default it
            waits for the end of a block.
        threads: threads within one operation; one a core when left out.
        device: "cpu", or "cuda" with `onnxruntime-gpu` installed.

    Raises:
        UsageError: for an unknown system, model or device, or a file that does not describe a system.
        ModelMissingError: when weights are not on this machine and cannot be downloaded.
        MissingExtraError: when an optional package is needed; says which.
        InputError: when weights are damaged, or are those of another network.
    """
    from tertulia import systems
    from tertulia.errors import UsageError

    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise UsageError(f"threads is a whole number from 1; got {threads!r}")
    described = systems.read(systems.chosen(system, quality))
    described = systems.override(described, embedding=embedding, segmentation=segmentation, latency=latency)
    return systems.build(described, threads=threads or 0, device=device)


def diarize(
    source: Source,
    *,
    system: str | Path | None = None,
    quality: Quality | None = None,
    embedding: str | None = None,
    segmentation: str | None = None,
    num_speakers: int | None = None,
    min_speakers: int | None = None,
    max_speakers: int | None = None,
    channels: Channels = "mix",
    threads: int | None = None,
    device: str = "cpu",
    progress: Report | None = None,
) -> Diarization:
    """Tell who speaks when in a recording.

    For several recordings, `load` a system once and call it.

    Args:
        source: a path, bytes, a binary file, a `Waveform`, or an (array, sample rate) pair.
        system, quality, embedding, segmentation, threads, device: as for `load`.
        num_speakers: how many people speak, if you know it.
        min_speakers: at least this many.
        max_speakers: at most this many.
        channels: "mix", "split", or the number of one channel, from 0.
        progress: called with a `Progress` every few minutes of sound.

    Raises:
        AudioError: when the recording cannot be read.
        UsageError: for an unknown system, or a number of speakers that cannot be had.
        ModelMissingError: when weights are not on this machine.
    """
    speakers = Speakers(num_speakers, min_speakers, max_speakers)
    diarizer = load(
        system,
        quality=quality,
        embedding=embedding,
        segmentation=segmentation,
        threads=threads,
        device=device,
    )
    return diarizer(source, speakers, channels=channels, progress=progress)
