"""`Waveform`: sound as a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tertulia.audio.limits import LIMITS
from tertulia.audio.resample import resampled
from tertulia.errors import UsageError

__all__ = ["BLOCK_SAMPLES", "Waveform", "downmix"]

# Samples of all channels together in one block of streamed sound: 1 MiB of float32.
BLOCK_SAMPLES = 1 << 18

# Full scale of the integer encodings arrays come in.
_FULL_SCALE = {"int8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31}


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """Sound: `samples` float32 of shape (channels, n), usually within ±1, at `sample_rate` Hz.

    The samples are a read-only view: no copy is made of an array that already is float32 and contiguous.
    Values are not looked at; `open_audio` replaces NaN and infinities when the waveform is analysed.

    Raises:
        UsageError: for another shape, no channel, or a sample rate outside the `Limits`.
    """

    samples: NDArray[np.float32]
    sample_rate: int

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):
            samples = np.ascontiguousarray(self.samples, dtype=np.float32).view()
        if samples.ndim != 2 or not 1 <= samples.shape[0] <= LIMITS.max_channels:
            raise UsageError(
                f"a waveform needs samples of shape (channels, n) with 1 to {LIMITS.max_channels} channels; "
                f"got {samples.shape}{', which looks transposed' if samples.ndim == 2 else ''}"
            )
        if not LIMITS.min_rate <= self.sample_rate <= LIMITS.max_rate or self.sample_rate % 1:
            raise UsageError(
                f"a sample rate is a whole number of {LIMITS.min_rate} to {LIMITS.max_rate} Hz; "
                f"got {self.sample_rate}"
            )
        samples.flags.writeable = False
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "sample_rate", int(self.sample_rate))

    @classmethod
    def from_array(cls, array: Any, sample_rate: int) -> Waveform:
        """Take any array of shape (n,) or (channels, n).

        Floats are taken as they are; int8, int16 and int32 are brought to ±1 by their full scale, uint8 also
        moved to its middle, 128. Raises `UsageError` for other types.
        """
        values = np.asarray(array)
        if values.dtype == np.uint8:
            values = (values.astype(np.float32) - 128) / 128
        elif str(values.dtype) in _FULL_SCALE:
            values = values.astype(np.float32) / np.float32(_FULL_SCALE[str(values.dtype)])
        elif values.dtype.kind != "f":
            raise UsageError(f"samples are floats, uint8, int8, int16 or int32; got {values.dtype}")
        return cls(values[np.newaxis] if values.ndim == 1 else values, sample_rate)

    def __len__(self) -> int:
        """Count the samples of one channel."""
        return int(self.samples.shape[1])

    @property
    def channels(self) -> int:
        """How many channels there are."""
        return int(self.samples.shape[0])

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self) / self.sample_rate

    def channel(self, index: int) -> Waveform:
        """One channel, counted from 0, as a waveform; `UsageError` when there is no such channel."""
        if not 0 <= index < self.channels:
            raise UsageError(f"no channel {index}; there is: 0 to {self.channels - 1}")
        return Waveform(self.samples[index : index + 1], self.sample_rate)

    def mono(self) -> Waveform:
        """The mean of the channels."""
        return self if self.channels == 1 else Waveform(downmix(self.samples), self.sample_rate)

    def resample(self, rate: int) -> Waveform:
        """Return the same sound at another rate in Hz."""
        if rate == self.sample_rate:
            return self
        empty = Waveform(np.zeros((self.channels, 0), np.float32), rate)  # refuses impossible rates
        blocks = resampled(self.blocks(), self.sample_rate, empty.sample_rate, self.channels)
        return Waveform(np.concatenate([empty.samples, *blocks], axis=1), rate)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield the samples in consecutive blocks (channels, m), the last one shorter."""
        step = max(1, BLOCK_SAMPLES // self.channels)
        for start in range(0, len(self), step):
            yield self.samples[:, start : start + step]


def downmix(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of the channels, (channels, n) → (1, n); scaled before adding, so large values cannot overflow."""
    if len(block) == 1:
        return block
    return np.add.reduce(block * np.float32(1 / len(block)), axis=0, keepdims=True)
