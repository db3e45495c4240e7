"""PyanNet: SincNet filters, bidirectional LSTMs and a powerset output (pyannote segmentation-3.0).

Sources: M. Ravanelli and Y. Bengio, "Speaker recognition from raw waveform with SincNet" (SLT 2018);
H. Bredin and A. Laurent, "End-to-end speaker segmentation for overlap-aware resegmentation" (Interspeech
2021); A. Plaquet and H. Bredin, "Powerset multi-class cross entropy loss for neural speaker diarization"
(Interspeech 2023). Parameter names follow the published checkpoints, so that those load as they are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["PyanNet", "SincFilters", "SincNet"]


class SincFilters(nn.Module):
    """Band-pass filters with learnable cut-offs, a cosine and a sine phase of each (SincNet eq. 4–7).

    A pass band from `low` to `high` has the impulse response (sin 2πn·high − sin 2πn·low) / πn; its sine
    counterpart replaces sin by −cos. Only the left half is computed, the right half is its mirror image.
    """

    window_: Tensor
    n_: Tensor

    def __init__(self, filters: int = 80, width: int = 251, stride: int = 10, rate: int = 16_000) -> None:
        super().__init__()
        half = width // 2
        self.stride, self.nyquist = stride, rate / 2
        self.min_low, self.min_band = 50.0, 50.0
        # Cut-offs start equally spaced on the mel scale between 30 Hz and just under Nyquist.
        low, high = (2595 * math.log10(1 + hz / 700) for hz in (30.0, self.nyquist - 100.0))
        hz = 700 * (10 ** (torch.linspace(low, high, filters // 2 + 1) / 2595) - 1)
        self.low_hz_ = nn.Parameter(hz[:-1, None])
        self.band_hz_ = nn.Parameter(hz.diff()[:, None])
        self.register_buffer("window_", torch.hamming_window(width, periodic=False)[:half])
        self.register_buffer("n_", 2 * torch.pi * torch.arange(-half, 0.0)[None, :] / rate)

    def filters(self) -> Tensor:
        """Impulse responses, shape (filters, 1, width): all cosine phases, then all sine phases."""
        low = self.min_low + self.low_hz_.abs()  # (pairs, 1)
        high = torch.clamp(low + self.min_band + self.band_hz_.abs(), self.min_low, self.nyquist)
        band = high - low
        low_t, high_t = low @ self.n_, high @ self.n_  # (pairs, half)
        even = (high_t.sin() - low_t.sin()) / (self.n_ / 2) * self.window_
        odd = (low_t.cos() - high_t.cos()) / (self.n_ / 2) * self.window_
        cosine = torch.cat([even, 2 * band, even.flip(1)], dim=1)
        sine = torch.cat([odd, torch.zeros_like(band), -odd.flip(1)], dim=1)
        return torch.cat([cosine / (2 * band), sine / (2 * band)])[:, None, :]

    def forward(self, waveforms: Tensor) -> Tensor:
        """Filter waveforms (batch, 1, samples) → (batch, filters, frames)."""
        return F.conv1d(waveforms, self.filters(), stride=self.stride)


class _FilterBank(nn.Module):
    # Only so that the parameter names are those of the checkpoint.
    def __init__(self) -> None:
        super().__init__()
        self.filterbank = SincFilters()

    def forward(self, waveforms: Tensor) -> Tensor:
        filtered: Tensor = self.filterbank(waveforms)
        return filtered


class SincNet(nn.Module):
    """SincNet filters and two convolutions, with pooling and normalisation after each."""

    def __init__(self) -> None:
        super().__init__()
        self.wav_norm1d = nn.InstanceNorm1d(1, affine=True)
        self.conv1d = nn.ModuleList([_FilterBank(), nn.Conv1d(80, 60, 5), nn.Conv1d(60, 60, 5)])
        self.norm1d = nn.ModuleList([nn.InstanceNorm1d(width, affine=True) for width in (80, 60, 60)])

    def forward(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, 1, samples) to (batch, 60, frames)."""
        x: Tensor = self.wav_norm1d(waveforms)
        for layer, (convolve, normalize) in enumerate(zip(self.conv1d, self.norm1d, strict=True)):
            x = convolve(x)
            if layer == 0:
                x = x.abs()
            x = F.leaky_relu(normalize(F.max_pool1d(x, 3)))
        return x  # (batch, 60, frames)


class PyanNet(nn.Module):
    """Local speaker activity as powerset classes: who of `speakers` speaks, at most `together` at once.

    A frame looks at 991 samples and the next frame begins 270 samples later; ten seconds at 16 kHz make 589.
    """

    def __init__(self, classes: int = 7) -> None:
        super().__init__()
        self.sincnet = SincNet()
        self.lstm = nn.LSTM(60, 128, num_layers=4, bidirectional=True, batch_first=True)
        self.linear = nn.ModuleList([nn.Linear(256, 128), nn.Linear(128, 128)])
        self.classifier = nn.Linear(128, classes)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, 1, samples) to log-probabilities (batch, frames, classes)."""
        x = self.sincnet(waveforms).transpose(1, 2)  # (batch, frames, 60)
        x, _ = self.lstm(x)  # (batch, frames, 256)
        for layer in self.linear:
            x = F.leaky_relu(layer(x))
        return F.log_softmax(self.classifier(x), dim=-1)
