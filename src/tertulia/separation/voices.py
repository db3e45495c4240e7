"""One sound file a speaker: silence where others speak, and in overlaps what a separator makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise, permutations
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tertulia.audio import Source
from tertulia.audio.recording import Channels
from tertulia.audio.writing import writing
from tertulia.errors import OutputError
from tertulia.separation.base import Separator
from tertulia.separation.clips import solo
from tertulia.separation.scratch import file_name, spooled
from tertulia.timeline import Diarization, Segment, Timeline

__all__ = ["export_voices", "overlaps"]

Samples = NDArray[np.float32]

_FADE = 0.01  # seconds at both ends of whatever is heard, inside it
_BLOCK = 30.0  # seconds that are gated at once
_AROUND = 2.0  # seconds around an overlap in which it is seen whose voice is which
_LONGEST = 12.0  # seconds of overlap that are separated at once


def export_voices(
    source: Source,
    diarization: Diarization,
    folder: str | Path,
    *,
    overlap: Literal["keep", "mute"] | Separator = "keep",
    prefix: str = "",
    extension: str = "wav",
    channels: Channels = "mix",
) -> dict[str, Path]:
    """Write what each speaker says, `folder/PREFIX+SPEAKER.EXTENSION`, each as long as the recording.

    Args:
        source: the recording.
        diarization: who speaks when in it.
        folder: where to; created when missing.
        overlap: what is heard where several speak: all of them, nobody, or what this separator takes apart.
            Where it gives fewer voices than speak, or nobody involved speaks alone nearby, all are heard.
        prefix: what the names of the files begin with.
        extension: `wav` or `flac`.
        channels: "mix", or the number of the channel.

    Returns:
        Speaker → file.

    Raises:
        AudioError: when the recording cannot be read.
        OutputError: when a file cannot be written.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {target}: {error.strerror}") from error
    separator = None if isinstance(overlap, str) else overlap
    heard = solo(diarization) if overlap == "mute" else dict(diarization.items())
    wanted = None if separator is None else separator.sample_rate
    files = {speaker: target / f"{prefix}{file_name(speaker)}.{extension}" for speaker in heard}
    with spooled(source, sample_rate=wanted, channels=channels) as (samples, rate, scratch):
        voices = {}
        for number, (speaker, timeline) in enumerate(heard.items()):
            voices[speaker] = np.memmap(scratch / f"{number}.f32", np.float32, "w+", shape=samples.shape)
            _gate(samples, timeline, rate, voices[speaker])
        if separator is not None:
            _clean(samples, diarization, separator, voices)
        for speaker, voice in voices.items():
            with writing(files[speaker], rate) as write:
                for first in range(0, len(voice), int(_BLOCK * rate)):
                    write(np.asarray(voice[None, first : first + int(_BLOCK * rate)]))
    return files


def overlaps(diarization: Diarization, longest: float = np.inf) -> Iterator[tuple[Segment, tuple[str, ...]]]:
    """Yield where several people speak and who, in order of time; nothing longer than that many seconds."""
    edges = sorted({float(edge) for _, timeline in diarization.items() for edge in timeline.bounds.ravel()})
    for begin, end in pairwise(edges):
        middle = np.array([(begin + end) / 2])
        who = tuple(name for name, timeline in diarization.items() if timeline.covers(middle)[0])
        if len(who) > 1:
            parts = max(1, int(np.ceil((end - begin) / longest)))
            cuts = np.linspace(begin, end, parts + 1).tolist()
            yield from ((Segment(a, b), who) for a, b in pairwise(cuts))


def _gate(samples: Samples, timeline: Timeline, rate: int, voice: Samples) -> None:
    """Copy what lies in the timeline, faded in and out."""
    for begin, end in np.rint(timeline.bounds * rate).astype(int).tolist():
        end = min(end, len(samples))
        for first in range(begin, end, int(_BLOCK * rate)):
            at = np.arange(first, min(first + int(_BLOCK * rate), end))
            ramp = np.minimum(at - begin + 1, end - at) / (_FADE * rate)
            voice[at[0] : at[-1] + 1] = samples[at[0] : at[-1] + 1] * np.minimum(ramp, 1)


def _clean(
    samples: Samples, diarization: Diarization, separator: Separator, voices: Mapping[str, Samples]
) -> None:
    """Put separated voices where several people speak."""
    rate, alone = separator.sample_rate, solo(diarization)
    for where, who in overlaps(diarization, _LONGEST):
        if len(who) > separator.voices:
            continue
        around = Segment(max(0.0, where.start - _AROUND), where.end + _AROUND)
        first, last = round(around.start * rate), min(round(around.end * rate), len(samples))
        inside = slice(round(where.start * rate), min(round(where.end * rate), last))
        if inside.stop <= inside.start:
            continue
        streams = separator(np.asarray(samples[first:last]))  # (voices, n)
        times = (np.arange(first, last) + 0.5) / rate
        owners = _owners(streams, np.stack([alone[name].covers(times) for name in who]))
        if owners is None:
            continue
        cut = slice(inside.start - first, inside.stop - first)
        for name, stream in zip(who, owners, strict=True):
            voices[name][inside] = _faded(streams[stream, cut], samples[inside], rate)


def _owners(streams: Samples, alone: NDArray[np.bool_]) -> tuple[int, ...] | None:
    """Choose a stream for each person: the one that is loudest where that person speaks alone.

    Args:
        streams: (voices, n).
        alone: (people, n).

    Returns:
        Stream of each person, or None where nobody speaks alone.
    """
    if not alone.any():
        return None
    power = np.stack([np.square(streams[:, mask], dtype=np.float64).sum(axis=1) for mask in alone])
    choices = permutations(range(len(streams)), len(alone))
    return max(choices, key=lambda chosen: power[np.arange(len(alone)), chosen].sum())


def _faded(stream: Samples, mixture: Samples, rate: int) -> Samples:
    """Fade from the mixture over to the stream and back, so that neither end clicks."""
    at = np.arange(len(stream))
    share = np.minimum(np.minimum(at + 1, len(stream) - at) / (_FADE * rate), 1).astype(np.float32)
    return np.asarray(share * stream + (1 - share) * mixture, np.float32)
