"""One of two twin branches: sound in, a vector out whose distance from the other branch's tells voices apart.

Sources: J. Bromley et al., "Signature verification using a siamese time delay neural network" (NIPS 1993):
two branches with the same weights, compared by a distance; G. Koch, R. Zemel and R. Salakhutdinov, "Siamese
neural networks for one-shot image recognition" (ICML deep learning workshop 2015).

Branches differ in their *front*, which makes features of sound: learnt filters, cepstra, log-mel energies or
a wav2vec. The rest is the same for all, so that what is compared are the features. It looks at little around
each frame, hence frames are computed once for a whole recording and pooled over any stretch of it.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tertulia.networks.frontend import Cepstra, LogMel
from tertulia.networks.public_wav2vec import PublicWav2Vec
from tertulia.networks.sincnet import SincBands
from tertulia.networks.wav2vec import Wav2Vec

__all__ = ["Frozen", "MelFront", "Twin"]

_MEAN = 3.0  # seconds over which the mean of the features is taken
_TINY = 1e-6


class MelFront(nn.Module):
    """Log-mel energies, or cepstra of them, a frame every 10 ms.

    At run time the energies come from `tertulia.features.fbank(centred=False)`, so they are the input of what
    is exported.

    Args:
        bands: mel bands.
        cepstra: how many MFCC are made of them; none leaves the energies.
    """

    step = 0.01

    def __init__(self, bands: int, cepstra: int = 0) -> None:
        super().__init__()
        self.bands, self.channels = bands, cepstra or bands
        self.energies = LogMel(bands)
        self.cepstra = Cepstra(bands, cepstra) if cepstra else nn.Identity()

    def forward(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, samples) to features (batch, time, channels)."""
        features: Tensor = self.cepstra(self.energies(waveforms))
        return features


class Frozen(nn.Module):
    """A wav2vec that does not learn any more: a weighted mean of its layers, the weights learnt.

    Weights as in S. Yang et al., "SUPERB: Speech processing universal performance benchmark" (Interspeech
    2021): which layers know most about the voice is for the task to find out.

    Args:
        encoder: the network; its parameters are frozen.
    """

    def __init__(self, encoder: Wav2Vec | PublicWav2Vec) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False)
        self.step, self.channels = encoder.step, encoder.channels
        self.weights = nn.Parameter(torch.zeros(len(encoder.blocks) + 1))

    def train(self, mode: bool = True) -> Frozen:  # noqa: ARG002 — nothing in here behaves in two ways
        """Stay as it is."""
        return super().train(False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, samples) to features (batch, time, dim)."""
        with torch.no_grad():
            states = self.encoder.states(waveforms)
            stacked = torch.stack([F.layer_norm(x.float(), (self.channels,)) for x in states])
        return (stacked * self.weights.softmax(dim=0)[:, None, None, None]).sum(dim=0)


class _Unit(nn.Module):
    """Convolution over time, ReLU, batch normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.convolve = nn.Conv1d(inputs, outputs, kernel, padding=padding, dilation=dilation)
        self.normalize = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.normalize(F.relu(self.convolve(x)))
        return y


class Twin(nn.Module):
    """Features, convolutions, statistics, a vector.

    Args:
        front: makes features (batch, time, `front.channels`), one every `front.step` seconds.
        channels: of the convolutions.
        wide: channels of the frames that are pooled.
        dim: of the vectors.
    """

    def __init__(self, front: SincBands | MelFront | Frozen, channels: int, wide: int, dim: int) -> None:
        super().__init__()
        self.front, self.wide, self.dim, self.step = front, wide, dim, front.step
        self.mean = 2 * round(_MEAN / front.step / 2) + 1  # frames, odd
        stretch = round(0.02 / front.step)  # the same seconds whatever the step of the features
        self.layers = nn.Sequential(
            nn.BatchNorm1d(front.channels),
            _Unit(front.channels, channels, 5),
            _Unit(channels, channels, 3, stretch),
            _Unit(channels, channels, 3, 2 * stretch),
            _Unit(channels, wide, 1),
        )
        self.normalize = nn.BatchNorm1d(2 * wide)
        self.project = nn.Linear(2 * wide, dim)

    def features(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, samples) to features (batch, time, channels of the front)."""
        features: Tensor = self.front(waveforms)
        return features

    def frames(self, features: Tensor) -> Tensor:
        """Map features to frames (batch, time, wide); levels and channels are taken out of them first."""
        x = features - _sliding_mean(features, self.mean)
        y: Tensor = self.layers(x.transpose(1, 2))  # (batch, wide, time)
        return y.transpose(1, 2)

    def embed(self, statistics: Tensor) -> Tensor:
        """Map means and deviations of frames (batch, 2 · wide) to vectors (batch, dim)."""
        vectors: Tensor = self.project(self.normalize(statistics))
        return vectors

    def forward(self, waveforms: Tensor) -> Tensor:
        """Embed waveforms (batch, samples) → vectors of length 1 (batch, dim)."""
        # Magnitudes and energies span more than bfloat16 can tell apart; a wav2vec has its own normalisation.
        exact = torch.autocast(waveforms.device.type, enabled=False)
        with nullcontext() if isinstance(self.front, Frozen) else exact:
            features = self.features(waveforms)
        frames = self.frames(features).float().transpose(1, 2)  # (batch, wide, time)
        variance, mean = torch.var_mean(frames, dim=2)
        statistics = torch.cat([mean, (variance + _TINY).sqrt()], dim=1)
        return F.normalize(self.embed(statistics).float())


def _sliding_mean(x: Tensor, width: int) -> Tensor:
    """Mean over the `width` (odd) frames around each frame, fewer at the ends; (batch, time, channels)."""
    total = F.pad(x.cumsum(dim=1), (0, 0, 1, 0))  # (batch, time + 1, channels)
    frames = torch.arange(x.shape[1], device=x.device)
    first = (frames - width // 2).clamp_min(0)
    last = torch.minimum(frames + width // 2 + 1, torch.tensor(x.shape[1], device=x.device))
    return (total[:, last] - total[:, first]) / (last - first)[None, :, None]
