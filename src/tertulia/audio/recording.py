"""`open_audio`: any source as blocks of sound at the wanted sample rate; `read`: all of it."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.limits import LIMITS, Limits
from tertulia.audio.resample import resampled
from tertulia.audio.source import Sound, Source, name_of, open_source
from tertulia.audio.waveform import Waveform, downmix
from tertulia.errors import AudioError, UsageError

__all__ = ["Channels", "Recording", "Source", "open_audio", "read"]

Samples = NDArray[np.float32]
Channels = Literal["mix", "split"] | int


def open_audio(
    source: Source,
    *,
    sample_rate: int | None = 16_000,
    channels: Channels = "mix",
    name: str = "",
    limits: Limits = LIMITS,
) -> Recording:
    """Open a recording for reading in blocks, in bounded memory however long it is.

    Args:
        source: a path, bytes, a binary file (which stays open), a `Waveform` or an (array, sample rate) pair.
            Files are told apart by their content, never by their extension.
        sample_rate: what to resample to, in Hz; None keeps the source's own.
        channels: "mix" takes the mean of all channels, "split" keeps them apart, a number takes one alone,
            counted from 0.
        name: what to call the source in messages; by default its path.
        limits: what it may cost.

    Raises:
        AudioError: when the source cannot be read as sound; some of these come up only while reading.
        UsageError: for a channel that is not there, or arguments of the wrong kind.
    """
    if sample_rate is not None and not limits.min_rate <= sample_rate <= limits.max_rate:
        raise UsageError(f"sample rates go from {limits.min_rate} to {limits.max_rate} Hz; got {sample_rate}")
    if isinstance(channels, bool) or not (channels in ("mix", "split") or isinstance(channels, int)):
        raise UsageError(f"channels are 'mix', 'split' or a number from 0; got {channels!r}")
    return Recording(source, sample_rate, channels, name or name_of(source), limits)


def read(
    source: Source,
    *,
    sample_rate: int | None = 16_000,
    channels: Channels = "mix",
    name: str = "",
    limits: Limits = LIMITS,
) -> Waveform:
    """Read a whole recording; arguments and errors are those of `open_audio`."""
    with open_audio(
        source, sample_rate=sample_rate, channels=channels, name=name, limits=limits
    ) as recording:
        return Waveform(np.concatenate(list(recording), axis=1), recording.sample_rate)


class Recording(Iterator[Samples]):
    """An open recording: iterating yields blocks float32 (channels, n), once.

    It closes itself at its end; leave early through `close` or a `with` statement. Made by `open_audio`.

    Attributes:
        name: what messages call it.
        sample_rate: of the blocks, in Hz.
        channels: rows of the blocks.
        source_rate: sample rate of the source, in Hz.
        source_channels: channels of the source.
        duration: length in seconds as the source's header promises it, or None: a hint for progress, no more.
    """

    def __init__(
        self, source: Source, sample_rate: int | None, channels: Channels, name: str, limits: Limits
    ) -> None:
        self.name = name
        self._log: list[str] = []
        stack = ExitStack()
        self._close = weakref.finalize(self, stack.close)
        try:
            with _naming(name):
                sound = open_source(source, limits, stack)
                limits.check(sound.sample_rate, sound.channels)
                self.channels = _channels_kept(channels, sound.channels)
        except BaseException:
            self._close()
            raise
        if channels == "mix" and sound.channels > 1:
            self._log.append(f"mixing {sound.channels} channels down to one")
        self.sample_rate = sample_rate or sound.sample_rate
        self.source_rate, self.source_channels = sound.sample_rate, sound.channels
        self.duration = None if sound.frames is None else sound.frames / sound.sample_rate
        blocks = _selected(_repaired(_metered(sound, limits, self._log), self._log), channels)
        self._blocks = _some(resampled(blocks, sound.sample_rate, self.sample_rate, self.channels))

    @property
    def messages(self) -> tuple[str, ...]:
        """What was mixed, repaired or found missing; complete when the recording has been read."""
        return tuple(self._log)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Samples:
        try:
            with _naming(self.name):
                return next(self._blocks)
        except BaseException:  # its end, an error or an interruption: there is nothing more to read
            self.close()
            raise

    def close(self) -> None:
        """Stop reading: end the decoder, delete temporary files. Iterating further yields nothing."""
        self._blocks = iter(())
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Put the name of the recording before what is wrong with it."""
    try:
        yield
    except AudioError as error:
        raise AudioError(f"{name}: {error}") from error.__cause__
    except OSError as error:
        raise AudioError(f"{name}: cannot be read: {error.strerror or error}") from error


def _channels_kept(channels: Channels, available: int) -> int:
    if isinstance(channels, int) and not 0 <= channels < available:
        raise UsageError(f"no channel {channels}; there is: 0 to {available - 1}")
    return available if channels == "split" else 1


# ── what happens to the blocks, in order ─────────────────────────────────────────────────────────────────


def _metered(sound: Sound, limits: Limits, log: list[str]) -> Iterator[Samples]:
    """Pass the blocks on, refuse endless ones, and note at the end what was missing."""
    rate = sound.sample_rate
    most = limits.channel_hours * 3600 * rate / sound.channels
    decoded = 0
    for block in sound.blocks:
        decoded += block.shape[1]
        if decoded > most:
            raise AudioError(
                f"goes on past {most / rate / 3600:g} hours, the limit for {sound.channels} channels"
            )
        yield block
    if not decoded:
        raise AudioError("holds no samples")
    log.extend(sound.report())
    promised = sound.frames or 0
    slack = 0.0 if sound.exact else 0.1 * rate + 0.01 * promised  # lengths in compressed files are rounded
    if promised - decoded > slack:
        log.append(
            f"truncated: decoded {decoded / rate:.1f} s of the {promised / rate:.1f} s the header promises"
        )


def _repaired(blocks: Iterable[Samples], log: list[str]) -> Iterator[Samples]:
    """Replace NaN and infinities by zero; note how many of each."""
    nans = infinities = 0
    for block in blocks:
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = not np.isfinite(block.sum())  # any of them spoils the sum
        if suspicious:
            nans += int(np.isnan(block).sum())
            infinities += int(np.isinf(block).sum())
            block = np.where(np.isfinite(block), block, np.float32(0))
        yield block
    log.extend(
        f"{n} {what} samples replaced by zero" for n, what in [(nans, "NaN"), (infinities, "infinite")] if n
    )


def _selected(blocks: Iterable[Samples], channels: Channels) -> Iterator[Samples]:
    """Mix, split or take one channel; (channels, n) → (channels kept, n)."""
    for block in blocks:
        if channels == "mix":
            yield downmix(block)
        elif channels == "split":
            yield block
        else:
            yield block[channels : channels + 1]


def _some(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Pass the blocks on; a recording shorter than one sample at the wanted rate has none."""
    empty = True
    for block in blocks:
        empty = False
        yield block
    if empty:
        raise AudioError("is too short to hold one sample at the wanted sample rate")
