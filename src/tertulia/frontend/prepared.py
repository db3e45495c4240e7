"""Any system behind a front end."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tertulia._version import __version__
from tertulia.audio import Channels, Source, open_audio
from tertulia.audio.writing import writing
from tertulia.config import settings
from tertulia.errors import unknown
from tertulia.frontend.repet import Vocals
from tertulia.pipeline import Pipeline
from tertulia.progress import Report
from tertulia.speakers import ANY, Speakers
from tertulia.timeline import Diarization, Provenance

__all__ = ["FRONT_ENDS", "FrontEnd", "Prepared", "behind", "prepared"]

Samples = NDArray[np.float32]

FRONT_ENDS: dict[str, type] = {"vocals": Vocals}


class FrontEnd(Protocol):
    """Makes of a recording another one of the same length, block by block.

    Attributes:
        sample_rate: of the blocks it takes and gives, in Hz.
    """

    @property
    def sample_rate(self) -> int: ...  # noqa: D102

    def __call__(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Take the blocks (n,) of one channel of a recording; give as many samples, in bounded memory."""
        ...


@dataclass(frozen=True)
class Prepared:
    """A system that hears every recording through a front end.

    What comes out of the front end is kept in a temporary file, so that the system may be any and may read it
    as often as it likes. Provenance says which front end it was.
    """

    system: Pipeline
    front_end: FrontEnd

    @property
    def name(self) -> str:
        """That of the system."""
        return self.system.name

    def __call__(
        self,
        source: Source,
        speakers: Speakers = ANY,
        *,
        channels: Channels = "mix",
        progress: Report | None = None,
        name: str = "",
    ) -> Diarization:
        """Tell who speaks when in a recording; arguments and errors are those of `Diarizer`."""
        with prepared(source, self.front_end, channels=channels, name=name) as (path, called, messages):
            kept: Channels = "split" if channels == "split" else "mix"
            result = self.system(path, speakers, channels=kept, progress=progress, name=called)
        told = result.provenance or Provenance(__version__, "unknown")
        front_end: Any = self.front_end
        names = [name for name, kind in FRONT_ENDS.items() if type(front_end) is kind]
        table: dict[str, Any] = {"name": names[0] if names else type(front_end).__name__}
        if dataclasses.is_dataclass(front_end):
            table |= settings(front_end)
        return result.replace(
            provenance=dataclasses.replace(
                told,
                settings={**told.settings, "front_end": table},
                messages=(*messages, *told.messages),
            )
        )


def behind(system: Pipeline, name: str) -> Prepared:
    """Put a system behind the front end called so; raises `UsageError` for an unknown one."""
    if name not in FRONT_ENDS:
        raise unknown("front end", name, FRONT_ENDS)
    return Prepared(system, FRONT_ENDS[name]())


@contextmanager
def prepared(
    source: Source, front_end: FrontEnd, *, channels: Channels = "mix", name: str = ""
) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Give a temporary file with a recording as it leaves a front end, its name, and what was repaired in it.

    Each channel that is kept goes through by itself, however long the recording is in bounded memory.

    Raises:
        AudioError: when the recording cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="tertulia-") as folder:
        path = Path(folder) / "prepared.rf64"
        rate = front_end.sample_rate
        with open_audio(source, sample_rate=rate, channels=channels, name=name) as recording:
            called, count = recording.name, recording.channels
            if count == 1:
                with writing(path, rate) as write:
                    for block in front_end(block[0] for block in recording):
                        write(block[None])
            else:
                _each(recording, front_end, path, rate, count)
            messages = recording.messages
        yield path, called, messages


def _each(blocks: Iterable[Samples], front_end: FrontEnd, path: Path, rate: int, count: int) -> None:
    """Send every channel of blocks (channels, n) through the front end, one after the other, to one file."""
    raw = [path.with_name(f"raw{channel}.rf64") for channel in range(count)]
    done = [path.with_name(f"done{channel}.rf64") for channel in range(count)]
    _write_each(blocks, raw, rate)
    for before, after in zip(raw, done, strict=True):
        with open_audio(before, sample_rate=rate) as recording, writing(after, rate) as write:
            for block in front_end(block[0] for block in recording):
                write(block[None])
    with writing(path, rate, count) as write:
        streams = [open_audio(file, sample_rate=rate) for file in done]
        for together in zip(*streams, strict=True):  # equally long, so cut into equal blocks
            write(np.concatenate(together))


def _write_each(blocks: Iterable[Samples], paths: list[Path], rate: int) -> None:
    from contextlib import ExitStack

    with ExitStack() as stack:
        writers = [stack.enter_context(writing(path, rate)) for path in paths]
        for block in blocks:
            for write, channel in zip(writers, block, strict=True):
                write(channel[None])
