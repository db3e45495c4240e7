"""Two small networks that name an emotion: one on statistics that are given, one on log-mel energies.

Source of the pooling of the second: K. Okabe et al., "Attentive statistics pooling for deep speaker
embedding" (Interspeech 2018).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["DenseEmotions", "SpectralEmotions"]

_TINY = 1e-5
_FAR = 5.0  # deviations beyond which a statistic says no more


class DenseEmotions(nn.Module):
    """Statistics of a stretch of speech, and those usual for its speaker, in; logits of emotions out.

    Args:
        mean, deviation: of the statistics, (dim,); they are brought to mean 0 and deviation 1 first.
        classes: emotions.
        hidden: units of the hidden layer; without any, it is logistic regression.
        dropout: share of statistics, and of hidden units, that a step of training does without.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor, classes: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        layers: list[nn.Module] = [nn.Dropout(dropout), nn.Linear(2 * len(mean), hidden or classes)]
        if hidden:
            layers += [nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes)]
        self.layers = nn.Sequential(*layers)

    def forward(self, statistics: Tensor, usual: Tensor) -> Tensor:
        """Map statistics (batch, dim) and usual ones (batch, dim) to logits (batch, classes)."""
        here, before = (
            ((values - self.mean) / self.deviation).clamp(-_FAR, _FAR) for values in (statistics, usual)
        )
        logits: Tensor = self.layers(torch.cat([here - before, here], dim=1))
        return logits


class SpectralEmotions(nn.Module):
    """Log-mel energies in, dilated convolutions, attentive statistics pooling, logits of emotions out.

    Args:
        bands: of the log-mel energies.
        classes: emotions.
        channels: width of every layer.
        dilations: of the convolutions, in steps of 20 ms.
        dropout: share of the pooled statistics that a step of training does without.
    """

    def __init__(
        self, bands: int, classes: int, channels: int, dilations: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        first = nn.Conv1d(bands, channels, 5, stride=2, padding=2)
        rest = [nn.Conv1d(channels, channels, 3, padding=d, dilation=d) for d in dilations]
        self.layers = nn.Sequential(
            *(nn.Sequential(c, nn.ReLU(), nn.BatchNorm1d(channels)) for c in [first, *rest])
        )
        self.attend = nn.Sequential(nn.Conv1d(channels, 32, 1), nn.Tanh(), nn.Conv1d(32, channels, 1))
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * channels, classes))

    def forward(self, features: Tensor) -> Tensor:
        """Map log-mel energies (batch, frames, bands) to logits (batch, classes)."""
        # How loud a recording is, is no emotion.
        centred = features - features.mean(dim=(1, 2), keepdim=True)
        frames = self.layers(centred.transpose(1, 2))  # (batch, channels, frames / 2)
        weights = torch.softmax(self.attend(frames), dim=2)
        mean = (weights * frames).sum(dim=2)
        variance = (weights * frames.square()).sum(dim=2) - mean.square()
        pooled = torch.cat([mean, variance.clamp_min(_TINY).sqrt()], dim=1)
        logits: Tensor = self.classify(pooled)
        return logits
