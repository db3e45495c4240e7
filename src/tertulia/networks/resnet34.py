"""ResNet34 speaker embeddings (WeSpeaker), with statistics pooling over time.

Sources: K. He et al., "Deep residual learning for image recognition" (CVPR 2016), with two-dimensional
convolutions over (bands, time) as in H. Zeinali et al., "BUT system description to VoxCeleb speaker
recognition challenge 2019"; H. Wang et al., "WeSpeaker: A research and production oriented speaker embedding
learning toolkit" (ICASSP 2023). Parameter names follow WeSpeaker's checkpoints; those of pyannote (as
`wespeaker-voxceleb-resnet34-LM`) put `resnet.` before each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ResNet34"]


class _BasicBlock(nn.Module):
    """Two 3 × 3 convolutions around which the input is carried."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet34(nn.Module):
    """Speaker embeddings from Kaldi log-mel features (10 ms); frames come out every 80 ms.

    Args:
        dim: of the embeddings.
        bands: mel bands, a multiple of 8.
        channels: of the first stage; each of the other three doubles them.

    Attributes:
        pooled: width of the statistics.
    """

    def __init__(self, dim: int = 256, bands: int = 80, channels: int = 32) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1 = _stage(channels, channels, blocks=3, stride=1)
        self.layer2 = _stage(channels, 2 * channels, blocks=4, stride=2)
        self.layer3 = _stage(2 * channels, 4 * channels, blocks=6, stride=2)
        self.layer4 = _stage(4 * channels, 8 * channels, blocks=3, stride=2)
        self.pooled = 2 * channels * bands
        self.seg_1 = nn.Linear(self.pooled, dim)

    def frames(self, features: Tensor) -> Tensor:
        """Map features (batch, time, bands) to frames (batch, ⌈time / 8⌉, channels · bands)."""
        x: Tensor = features.transpose(1, 2)[:, None]  # (batch, 1, bands, time)
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer2(self.layer1(x))
        x = self.layer4(self.layer3(x))  # (batch, 8 · channels, bands / 8, ⌈time / 8⌉)
        return x.flatten(1, 2).transpose(1, 2)

    def embed(self, statistics: Tensor) -> Tensor:
        """Project means and standard deviations (batch, 2 · channels · bands) to embeddings (batch, dim)."""
        embeddings: Tensor = self.seg_1(statistics)
        return embeddings

    def forward(self, features: Tensor) -> Tensor:
        """Embed features (batch, time, bands) → (batch, dim)."""
        frames = self.frames(features)
        return self.embed(torch.cat([frames.mean(dim=1), frames.std(dim=1)], dim=1))


def _stage(inputs: int, outputs: int, *, blocks: int, stride: int) -> nn.Sequential:
    rest = (_BasicBlock(outputs, outputs, 1) for _ in range(blocks - 1))
    return nn.Sequential(_BasicBlock(inputs, outputs, stride), *rest)
