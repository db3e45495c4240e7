"""X-vectors on SincNet filters (pyannote/embedding).

Sources: D. Snyder et al., "X-vectors: Robust DNN embeddings for speaker recognition" (ICASSP 2018), table 1;
M. Ravanelli and Y. Bengio, "Speaker recognition from raw waveform with SincNet" (SLT 2018) for the filters
that stand in for its features. Parameter names follow the published checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tertulia.networks.pyannet import SincNet

__all__ = ["XVector"]


class XVector(nn.Module):
    """Speaker embeddings from waveforms at 16 kHz; a frame every 270 samples that looks at 4771 of them.

    Args:
        dim: of the embeddings.
        channels: of the five time-delay layers.

    Attributes:
        pooled: width of the statistics.
    """

    KERNELS, DILATIONS = (5, 3, 3, 1, 1), (1, 2, 3, 1, 1)

    def __init__(self, dim: int = 512, channels: Sequence[int] = (512, 512, 512, 512, 1500)) -> None:
        super().__init__()
        self.sincnet = SincNet()
        self.tdnns = nn.ModuleList()
        inputs = 60
        for outputs, kernel, dilation in zip(channels, self.KERNELS, self.DILATIONS, strict=True):
            self.tdnns.append(nn.Conv1d(inputs, outputs, kernel, dilation=dilation))
            self.tdnns.append(nn.LeakyReLU())
            self.tdnns.append(nn.BatchNorm1d(outputs))
            inputs = outputs
        self.pooled = 2 * inputs
        self.embedding = nn.Linear(self.pooled, dim)

    def frames(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, 1, samples) to frames (batch, frames, channels)."""
        x: Tensor = self.sincnet(waveforms)  # (batch, 60, frames + 14)
        for layer in self.tdnns:
            x = layer(x)
        return x.transpose(1, 2)

    def embed(self, statistics: Tensor) -> Tensor:
        """Project means and standard deviations (batch, 2 · channels) to embeddings (batch, dim)."""
        embeddings: Tensor = self.embedding(statistics)
        return embeddings

    def forward(self, waveforms: Tensor) -> Tensor:
        """Embed waveforms (batch, 1, samples) → (batch, dim)."""
        frames = self.frames(waveforms)
        return self.embed(torch.cat([frames.mean(dim=1), frames.std(dim=1)], dim=1))
