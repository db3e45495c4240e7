"""ResNet50 speaker embeddings: the image network on a log-mel spectrogram of one channel.

Source: K. He et al., "Deep residual learning for image recognition" (CVPR 2016), table 1, the column of 50
layers, with the stride of a bottleneck in its 3 × 3 convolution as is usual since. The system that is rebuilt
here changes the first convolution to one channel and puts in place of the classifier a linear layer from 2048
to 512, batch normalisation, dropout and vectors of length 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ResNet50"]

_BLOCKS = (3, 4, 6, 3)
_WIDER = 4  # channels that leave a bottleneck, over those inside it
_TINY = 1e-5


class _Bottleneck(nn.Module):
    """Three convolutions, 1 × 1, 3 × 3 and 1 × 1, around which the input is carried."""

    def __init__(self, inputs: int, inside: int, stride: int) -> None:
        super().__init__()
        outputs = _WIDER * inside
        self.layers = nn.Sequential(
            *_convolution(inputs, inside, 1),
            nn.ReLU(inplace=True),
            *_convolution(inside, inside, 3, stride),
            nn.ReLU(inplace=True),
            *_convolution(inside, outputs, 1),
        )
        # The branch begins as nothing, so that a deep network begins as a shallow one.
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Sequential() if same else nn.Sequential(*_convolution(inputs, outputs, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.layers(x) + self.shortcut(x))


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    """Convolution and batch normalisation."""
    layer = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer, nn.BatchNorm2d(outputs)


class ResNet50(nn.Module):
    """Speaker embeddings of length 1 from Kaldi log-mel features (10 ms) whose mean over time was removed.

    Args:
        dim: of the embeddings.
        channels: of the first convolution; a bottleneck of the last stage ends in 32 times as many.
        dropout: share of the embedding that is left out in training.

    Attributes:
        width: channels of the last stage.
    """

    def __init__(self, dim: int = 512, channels: int = 64, dropout: float = 0.3) -> None:
        super().__init__()
        self.dim, self.width = dim, 8 * _WIDER * channels
        self.first = nn.Sequential(
            *_convolution(1, channels, 7, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1)
        )
        blocks, inputs = [], channels
        for stage, count in enumerate(_BLOCKS):
            inside = channels << stage
            for i in range(count):
                blocks.append(_Bottleneck(inputs, inside, 2 if stage and i == 0 else 1))
                inputs = _WIDER * inside
        self.stages = nn.Sequential(*blocks)
        self.project = nn.Linear(self.width, dim)
        self.normalize = nn.BatchNorm1d(dim)
        self.dropout = nn.Dropout(dropout)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def frames(self, features: Tensor) -> Tensor:
        """Map features (batch, time, bands) to frames (batch, ⌈time / 32⌉, width): means over the bands.

        The spectrogram gets a standard deviation of one first.
        """
        spread = features.square().mean(dim=(1, 2), keepdim=True).clamp_min(_TINY).sqrt()
        x = (features / spread).transpose(1, 2)[:, None]  # (batch, 1, bands, time)
        x = self.stages(self.first(x.contiguous(memory_format=torch.channels_last)))
        y: Tensor = x.mean(dim=2)  # (batch, width, frames)
        return y.transpose(1, 2)

    def embed(self, pooled: Tensor) -> Tensor:
        """Project means of frames (batch, width) to embeddings (batch, dim) of length 1."""
        return F.normalize(self.dropout(self.normalize(self.project(pooled))))

    def forward(self, features: Tensor) -> Tensor:
        """Embed features (batch, time, bands) → (batch, dim)."""
        return self.embed(self.frames(features).mean(dim=1))
