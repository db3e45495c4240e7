"""CAM++: densely connected TDNN with context-aware masking.

Source: H. Wang, S. Zheng, Y. Chen, L. Cheng and Q. Chen, "CAM++: A fast and efficient network for speaker
verification using context-aware masking" (Interspeech 2023, arXiv 2303.00332). Parameter names follow the
checkpoints of 3D-Speaker, so that those load as they are.

**The context is data here.** Each of the 52 masked layers multiplies its output by a gate computed from two
means of its input: over the whole utterance, and over a block of 2 s (eq. 2–4). Both are linear in time, so
their sum is one matrix, `context` of shape (frames, spread), and `spread`, of shape (cells, frames), carries
the gates of the cells back to the frames. `block_context` gives the two matrices of the paper; sliding means
turn the same weights into a network that can run over an endless recording (see
`tertulia.embedding.campplus`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["CAMPPlus", "block_context"]


def block_context(frames: int, block: int = 100) -> tuple[Tensor, Tensor]:
    """Return the paper's `context` (frames, spread) and `spread` (cells, frames): one cell a block."""
    member = F.one_hot(torch.arange(frames) // block).float()  # (frames, spread)
    return member / member.sum(dim=0) + 1 / frames, member.T


class _ResBlock(nn.Module):
    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut.append(nn.Conv2d(channels, channels, 1, stride=(stride, 1), bias=False))
            self.shortcut.append(nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class _FrontEnd(nn.Module):
    """Two-dimensional convolutions that divide the frequency axis by eight and keep time."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1 = nn.Sequential(_ResBlock(channels, 2), _ResBlock(channels, 1))
        self.layer2 = nn.Sequential(_ResBlock(channels, 2), _ResBlock(channels, 1))
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor) -> Tensor:
        x = features.transpose(1, 2)[:, None]  # (batch, 1, bands, time)
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer2(self.layer1(x))
        x = F.relu(self.bn2(self.conv2(x)))  # (batch, 32, bands / 8, time)
        return x.flatten(1, 2)  # (batch, 4 · bands, time)


class _Activation(nn.Module):
    """Batch normalisation, then ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batchnorm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.batchnorm(x))


class _ContextMask(nn.Module):
    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(inputs, inputs // 2, 1)
        self.linear2 = nn.Conv1d(inputs // 2, outputs, 1)

    def forward(self, x: Tensor, context: Tensor, spread: Tensor) -> Tensor:
        pooled = x @ context  # (batch, inputs, spread)
        gate = torch.sigmoid(self.linear2(F.relu(self.linear1(pooled))))
        masked: Tensor = self.linear_local(x) * (gate @ spread)
        return masked


class _DenseLayer(nn.Module):
    def __init__(self, inputs: int, growth: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = _Activation(inputs)
        self.linear1 = nn.Conv1d(inputs, 4 * growth, 1, bias=False)
        self.nonlinear2 = _Activation(4 * growth)
        self.cam_layer = _ContextMask(4 * growth, growth, dilation)

    def forward(self, x: Tensor, context: Tensor, spread: Tensor) -> Tensor:
        y = self.nonlinear2(self.linear1(self.nonlinear1(x)))
        return torch.cat([x, self.cam_layer(y, context, spread)], dim=1)


class _DenseBlock(nn.ModuleDict):
    def __init__(self, layers: int, inputs: int, growth: int, dilation: int) -> None:
        super().__init__(
            {f"tdnnd{i + 1}": _DenseLayer(inputs + i * growth, growth, dilation) for i in range(layers)}
        )

    def forward(self, x: Tensor, context: Tensor, spread: Tensor) -> Tensor:
        for layer in self.values():
            x = layer(x, context, spread)
        return x


class _Unit(nn.Module):
    """A 1 × 1 (or wider) convolution before or after its activation."""

    def __init__(self, inputs: int, outputs: int, *, width: int = 1, stride: int = 1, first: bool) -> None:
        super().__init__()
        self.first = first
        self.linear = nn.Conv1d(inputs, outputs, width, stride=stride, padding=width // 2, bias=False)
        self.nonlinear = _Activation(outputs if first else inputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.nonlinear(self.linear(x)) if self.first else self.linear(self.nonlinear(x))
        return y


class _Projection(nn.Module):
    # The last layer is a batch normalisation without scale and *no* ReLU; a ReLU there doubles the EER.
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(inputs, outputs, 1, bias=False)
        self.nonlinear = nn.Sequential()
        self.nonlinear.add_module("batchnorm", nn.BatchNorm1d(outputs, affine=False))

    def forward(self, statistics: Tensor) -> Tensor:
        y: Tensor = self.nonlinear(self.linear(statistics[:, :, None]))
        return y.flatten(1)


class CAMPPlus(nn.Module):
    """Speaker embeddings from Kaldi log-mel features (80 bands, 10 ms); frames come out every 20 ms."""

    def __init__(self, dim: int = 192, bands: int = 80, growth: int = 32) -> None:
        super().__init__()
        self.head = _FrontEnd()
        channels = 128
        parts: dict[str, nn.Module] = {"tdnn": _Unit(4 * bands, channels, width=5, stride=2, first=True)}
        for number, (layers, dilation) in enumerate([(12, 1), (24, 2), (16, 2)], start=1):
            parts[f"block{number}"] = _DenseBlock(layers, channels, growth, dilation)
            channels += layers * growth
            parts[f"transit{number}"] = _Unit(channels, channels // 2, first=False)
            channels //= 2
        parts["out_nonlinear"] = _Activation(channels)
        parts["dense"] = _Projection(2 * channels, dim)
        self.xvector = nn.ModuleDict(parts)

    def frames(self, features: Tensor, context: Tensor, spread: Tensor) -> Tensor:
        """Map features (batch, time, bands) to frames (batch, ⌈time / 2⌉, 512) under a given context."""
        x: Tensor = self.xvector["tdnn"](self.head(features))
        for number in (1, 2, 3):
            x = self.xvector[f"block{number}"](x, context, spread)
            x = self.xvector[f"transit{number}"](x)
        y: Tensor = self.xvector["out_nonlinear"](x)
        return y.transpose(1, 2)

    def embed(self, statistics: Tensor) -> Tensor:
        """Project means and standard deviations (batch, 1024) to embeddings (batch, 192)."""
        embeddings: Tensor = self.xvector["dense"](statistics)
        return embeddings

    def forward(self, features: Tensor) -> Tensor:
        """Embed features (batch, time, bands) as the paper does → (batch, 192)."""
        context, spread = block_context((features.shape[1] + 1) // 2)
        frames = self.frames(features, context.to(features), spread.to(features))
        return self.embed(torch.cat([frames.mean(dim=1), frames.std(dim=1)], dim=1))
