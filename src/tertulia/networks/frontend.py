"""Features as layers, so that networks train on waveforms, augmented a moment ago, on any device.

`LogMel` computes what `tertulia.features.fbank(centred=False)` does, which networks get at run time.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["Cepstra", "LogMel"]

_PRE_EMPHASIS = 0.97
_LOWEST = 20.0  # Hz
_WIDTH, _STEP = 0.025, 0.010  # seconds


class LogMel(nn.Module):
    """Kaldi's log-mel energies: windows of 25 ms every 10 ms, only whole ones, no dither.

    Args:
        bands: number of mel bands from 20 Hz to half the sample rate.
        rate: sample rate in Hz.
    """

    window: Tensor
    mel: Tensor

    def __init__(self, bands: int = 80, rate: int = 16_000) -> None:
        super().__init__()
        self.width, self.step = round(_WIDTH * rate), round(_STEP * rate)
        self.size = 1 << (self.width - 1).bit_length()
        hann = torch.hann_window(self.width, periodic=False)
        self.register_buffer("window", hann**0.85, persistent=False)
        self.register_buffer("mel", _triangles(bands, self.size, rate), persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, samples) to features (batch, frames, bands)."""
        frames = waveforms.unfold(1, self.width, self.step)  # (batch, frames, width)
        frames = frames - frames.mean(dim=2, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], dim=2)
        frames = (frames - _PRE_EMPHASIS * before) * self.window
        spectrum = torch.view_as_real(torch.fft.rfft(frames, self.size))
        power = spectrum.square().sum(dim=3)  # (batch, frames, size / 2 + 1); no square root to be undone
        return torch.log((power @ self.mel).clamp_min(torch.finfo(torch.float32).eps))


def _triangles(bands: int, size: int, rate: int) -> Tensor:
    """Weights (size / 2 + 1, bands) of triangles that are equally wide on the mel scale."""
    edges = torch.linspace(_mel(_LOWEST), _mel(rate / 2), bands + 2, dtype=torch.float64)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    bins = torch.tensor([_mel(i * rate / size) for i in range(size // 2 + 1)], dtype=torch.float64)[:, None]
    rising, falling = (bins - left) / (centre - left), (right - bins) / (right - centre)
    return torch.minimum(rising, falling).clamp_min(0).float()


def _mel(hertz: float) -> float:
    return 1127 * math.log(1 + hertz / 700)


class Cepstra(nn.Module):
    """MFCC of log-mel energies: the first coefficients of their orthonormal discrete cosine transform.

    Args:
        bands: of the log-mel energies.
        cepstra: coefficients that are kept.
    """

    transform: Tensor

    def __init__(self, bands: int, cepstra: int) -> None:
        super().__init__()
        k, n = torch.arange(cepstra)[None, :], torch.arange(bands)[:, None]
        transform = torch.cos(math.pi / bands * (n + 0.5) * k) * math.sqrt(2 / bands)  # (bands, cepstra)
        transform[:, 0] /= math.sqrt(2)
        self.register_buffer("transform", transform, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map log-mel energies (batch, time, bands) to cepstra (batch, time, cepstra)."""
        return features @ self.transform
