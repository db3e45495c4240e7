"""How much a recording may ask for before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

from tertulia.errors import AudioError

__all__ = ["LIMITS", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one recording may cost; beyond them reading ends in `AudioError`.

    Args:
        channel_hours: decoded hours × channels, counted at the recording's own sample rate.
        max_channels: channels in the source, whatever is made of them.
        min_rate, max_rate: sample rates in Hz believed of a source.
        stall_seconds: how long a decoder process may give nothing while it is waited for.
        decoder_bytes: address space of a decoder process, where the platform can limit it.
        spool_bytes: size of a temporary copy of a stream that cannot be read in place.
    """

    channel_hours: float = 48.0
    max_channels: int = 1024
    min_rate: int = 1_000
    max_rate: int = 768_000
    stall_seconds: float = 6.0
    decoder_bytes: int = 2 << 30
    spool_bytes: int = 8 << 30

    def check(self, sample_rate: int, channels: int) -> None:
        """Raise `AudioError` for a sample rate or a channel count no recording may have."""
        if not self.min_rate <= sample_rate <= self.max_rate:
            raise AudioError(
                f"has a sample rate of {sample_rate} Hz; {self.min_rate} to {self.max_rate} Hz can be read"
            )
        if not 1 <= channels <= self.max_channels:
            raise AudioError(f"has {channels} channels; 1 to {self.max_channels} can be read")


LIMITS = Limits()
