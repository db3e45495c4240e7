"""Band-pass filters that are learnt by their two edges, on the waveform itself.

Source: M. Ravanelli and Y. Bengio, "Speaker recognition from raw waveform with SincNet" (SLT 2018); equation
numbers are those of that paper. What follows its first layer there, the modulus and a pooling over time,
gives energies here; their logarithms take the place of log-mel energies.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SincBands", "SincFilters", "hertz", "mel"]

_TINY = 1e-4  # magnitude of a band below which its logarithm says nothing: −80 dB of full scale


class SincFilters(nn.Module):
    """Band-pass filters whose lower edge and width are parameters.

    Args:
        filters: how many; they begin equally wide on the mel scale.
        width: samples of each, odd.
        stride: samples between two outputs.
        lowest: lowest edge in Hz.
        narrowest: smallest distance between the edges in Hz.
        rate: sample rate in Hz.
    """

    times: Tensor
    window: Tensor

    def __init__(
        self,
        filters: int,
        width: int,
        stride: int,
        lowest: float = 30.0,
        narrowest: float = 50.0,
        rate: int = 16_000,
    ) -> None:
        super().__init__()
        if width % 2 == 0:
            raise ValueError(f"a filter has an odd number of samples; got {width}")
        self.stride, self.lowest, self.narrowest, self.rate = stride, lowest, narrowest, rate
        edges = hertz(torch.linspace(mel(lowest), mel(rate / 2 - narrowest), filters + 1))
        # In kilohertz: steps of an optimiser fit the scale of other parameters.
        self.low = nn.Parameter((edges[:-1] - lowest) / 1000)
        self.band = nn.Parameter((edges[1:] - edges[:-1]) / 1000)
        half = width // 2
        self.register_buffer("times", torch.arange(-half, half + 1) / rate, persistent=False)
        self.register_buffer("window", torch.hamming_window(width, periodic=False), persistent=False)

    def edges(self) -> tuple[Tensor, Tensor]:
        """Lower and upper edges in Hz, (filters,) each, below half the sample rate (eq. 5 and 6)."""
        low = self.lowest + 1000 * self.low.abs()
        high = low + self.narrowest + 1000 * self.band.abs()
        top = self.rate / 2
        return low.clamp(max=top - self.narrowest), high.clamp(max=top)

    def kernels(self) -> Tensor:
        """Impulse responses (filters, width) with a gain of about one in their band (eq. 4, 7 and 8)."""
        low, high = self.edges()
        passed = _lowpass(high, self.times) - _lowpass(low, self.times)  # (filters, width)
        return passed * self.window / self.rate

    def forward(self, waveforms: Tensor) -> Tensor:
        """Filter waveforms (batch, samples) → (batch, filters, ⌈samples / stride⌉)."""
        kernels = self.kernels()[:, None]
        return F.conv1d(waveforms[:, None], kernels, stride=self.stride, padding=kernels.shape[2] // 2)


class SincBands(nn.Module):
    """Log magnitudes of learnt bands, a frame every 10 ms.

    Args:
        filters: bands.
        width: samples of a filter.
        stride: samples between two outputs of a filter, a divisor of 160.
    """

    step = 0.01

    def __init__(self, filters: int, width: int, stride: int) -> None:
        super().__init__()
        if 160 % stride:
            raise ValueError(f"stride divides 160; got {stride}")
        self.channels = filters
        self.filters = SincFilters(filters, width, stride)
        self.hop = 160 // stride

    def forward(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, samples) to features (batch, ⌊samples / 160⌋, filters)."""
        magnitudes = self.filters(waveforms).abs()
        # The mean over 20 ms, every 10: half a hop beyond the frame on either side.
        padded = F.pad(magnitudes, (self.hop // 2, self.hop - self.hop // 2), mode="replicate")
        pooled = F.avg_pool1d(padded, 2 * self.hop, self.hop)  # (batch, filters, frames or one more)
        frames = waveforms.shape[1] // 160
        return torch.log(pooled[:, :, :frames] + _TINY).transpose(1, 2)


def _lowpass(cutoff: Tensor, times: Tensor) -> Tensor:
    """Ideal low-pass filters (filters, width): sin(2πft) / πt, which is 2f in the middle."""
    middle = times == 0
    safe = torch.where(middle, torch.ones_like(times), times)
    rest = torch.sin(2 * math.pi * cutoff[:, None] * times) / (math.pi * safe)
    return torch.where(middle, 2 * cutoff[:, None], rest)


def mel(frequency: float) -> float:
    """Mels of a frequency in Hz."""
    return 2595 * math.log10(1 + frequency / 700)


def hertz(mels: Tensor) -> Tensor:
    """Frequencies in Hz of mels, of any shape."""
    return 700 * (10 ** (mels / 2595) - 1)
