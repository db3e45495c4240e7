"""FastConformer: Conformer layers above convolutions that make one frame of eight.

Sources: D. Rekesh et al., "Fast Conformer with linearly scalable attention for efficient speech
recognition" (ASRU 2023) for sub-sampling; A. Gulati et al., "Conformer: Convolution-augmented transformer
for speech recognition" (Interspeech 2020); Z. Dai et al., "Transformer-XL" (ACL 2019, section 3.3) for
relative positions.
Parameter names follow the published checkpoints of Sortformer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SUBSAMPLING", "ConformerSize", "FastConformer", "alike", "frame_mask"]

SUBSAMPLING = 8
"""Features in a frame."""


@dataclass(frozen=True, kw_only=True)
class ConformerSize:
    """Numbers of a `FastConformer`.

    Args:
        bands: of the features.
        channels: of the convolutions that sub-sample.
        dim: width of frames.
        layers, heads: depth, and heads of attention.
        expansion: how many times wider the feed-forward part is.
        kernel: taps of the convolutions over time.
        dropout: while training.
        scaled: whether frames are multiplied by √dim before the first layer.

    Raises:
        ValueError: for heads that do not divide the width, an odd width or an even kernel.
    """

    channels: int
    dim: int
    layers: int
    heads: int
    expansion: int
    bands: int = 80
    kernel: int = 9
    dropout: float = 0.0
    scaled: bool = False

    def __post_init__(self) -> None:
        if self.dim % self.heads or self.dim % 2 or not self.kernel % 2 or self.bands < SUBSAMPLING:
            raise ValueError("heads have to divide an even dim, kernel has to be odd, bands go from 8")


def frame_mask(lengths: Tensor, count: int) -> Tensor:
    """Tell which frames count, (batch, count)."""
    return torch.arange(count, device=lengths.device) < lengths[:, None]


class _Subsampling(nn.Module):
    """Three convolutions of stride 2 over time and bands, the last two depthwise separable."""

    def __init__(self, size: ConformerSize) -> None:
        super().__init__()
        channels, bands = size.channels, size.bands
        self.conv = nn.Sequential(nn.Conv2d(1, channels, 3, stride=2, padding=1), nn.ReLU())
        for _ in range(2):
            self.conv.append(nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels))
            self.conv.append(nn.Conv2d(channels, channels, 1))
            self.conv.append(nn.ReLU())
        self.out = nn.Linear(channels * -(-bands // SUBSAMPLING), size.dim)

    def forward(self, features: Tensor, lengths: Tensor | None) -> Tensor:
        x = features[:, None]  # (batch, 1, time, bands)
        for layer in self.conv:
            if lengths is not None:  # beyond the end there has to be nothing that a convolution could see
                x = x * frame_mask(lengths, x.shape[2])[:, None, :, None]
            if isinstance(layer, nn.Conv2d) and layer.groups > 1:
                # Processors take 2.5 times as long over a depthwise convolution in bfloat16 as in float32.
                with torch.autocast(x.device.type, enabled=False):
                    x = layer(x.float())
            else:
                x = layer(x)
            if lengths is not None and isinstance(layer, nn.Conv2d) and layer.stride[0] == 2:
                lengths = -(-lengths // 2)
        y: Tensor = self.out(x.transpose(1, 2).flatten(2))  # (batch, frames, channels · bands / 8) → dim
        return y


class _FeedForward(nn.Module):
    def __init__(self, dim: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.linear1 = nn.Linear(dim, inner)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(inner, dim)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear2(self.dropout(F.silu(self.linear1(x))))
        return y


class _Convolution(nn.Module):
    """Gated, depthwise over time, normalised over the batch (Conformer, figure 2)."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.pointwise_conv1 = nn.Conv1d(dim, 2 * dim, 1)
        self.depthwise_conv = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.batch_norm = nn.BatchNorm1d(dim)
        self.pointwise_conv2 = nn.Conv1d(dim, dim, 1)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        y = F.glu(self.pointwise_conv1(x.transpose(1, 2)), dim=1)  # (batch, dim, frames)
        if mask is not None:
            y = y * mask[:, None]
        y = F.silu(self.batch_norm(self.depthwise_conv(y)))
        mixed: Tensor = self.pointwise_conv2(y)
        return mixed.transpose(1, 2)


class _RelativeAttention(nn.Module):
    """Attention by content and distance (Transformer-XL section 3.3, terms a to d)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear_q, self.linear_k = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.linear_v, self.linear_out = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.linear_pos = nn.Linear(dim, dim, bias=False)
        alike(self.linear_q, self.linear_k)
        self.pos_bias_u = nn.Parameter(torch.zeros(heads, dim // heads))
        self.pos_bias_v = nn.Parameter(torch.zeros(heads, dim // heads))

    def forward(self, x: Tensor, distances: Tensor, mask: Tensor | None) -> Tensor:
        """Map x (batch, frames, dim) under encoded distances (2 · frames − 1, dim) to the same shape."""
        batch, count, dim = x.shape
        width = dim // self.heads
        q, k, v = (
            project(x).view(batch, count, self.heads, width).transpose(1, 2)
            for project in (self.linear_q, self.linear_k, self.linear_v)
        )  # (batch, heads, frames, width)
        p = self.linear_pos(distances).view(2 * count - 1, self.heads, width).transpose(0, 1)
        content = (q + self.pos_bias_u[:, None]) @ k.transpose(2, 3)  # (batch, heads, frames, frames)
        position = _aligned((q + self.pos_bias_v[:, None]) @ p.transpose(1, 2))
        scores = (content + position) / math.sqrt(width)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None], torch.finfo(scores.dtype).min)
        seen = scores.softmax(dim=3) @ v
        out: Tensor = self.linear_out(seen.transpose(1, 2).reshape(batch, count, dim))
        return out


def alike(query: nn.Linear, key: nn.Linear) -> None:
    """Begin with attention to frames that are like one's own: what speaks here is looked for elsewhere.

    Queries and keys that are drawn independently attend to anything; finding this out takes most of a short
    training.
    """
    with torch.no_grad():
        key.weight.copy_(query.weight)


def _aligned(scores: Tensor) -> Tensor:
    """Shift row `i` of scores (batch, heads, T, 2T − 1): column `j` of T becomes that of distance i − j."""
    batch, heads, count, _ = scores.shape
    padded = F.pad(scores, (1, 0)).view(batch, heads, 2 * count, count)
    return padded[:, :, 1:].reshape(batch, heads, count, 2 * count - 1)[..., :count]


def _distances(count: int, like: Tensor) -> Tensor:
    """Sines and cosines of the distances count − 1 … 1 − count, (2 · count − 1, dim)."""
    dim = like.shape[2]
    distance = torch.arange(count - 1, -count, -1, device=like.device, dtype=torch.float32)
    rate = torch.exp(torch.arange(0, dim, 2, device=like.device) * (-math.log(10_000.0) / dim))
    angle = distance[:, None] * rate  # (2 · count − 1, dim / 2)
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1).to(like.dtype)


class _ConformerLayer(nn.Module):
    def __init__(self, size: ConformerSize) -> None:
        super().__init__()
        dim, inner = size.dim, size.expansion * size.dim
        self.norm_feed_forward1 = nn.LayerNorm(dim)
        self.feed_forward1 = _FeedForward(dim, inner, size.dropout)
        self.norm_self_att = nn.LayerNorm(dim)
        self.self_attn = _RelativeAttention(dim, size.heads)
        self.norm_conv = nn.LayerNorm(dim)
        self.conv = _Convolution(dim, size.kernel)
        self.norm_feed_forward2 = nn.LayerNorm(dim)
        self.feed_forward2 = _FeedForward(dim, inner, size.dropout)
        self.norm_out = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, x: Tensor, distances: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.dropout(self.feed_forward1(self.norm_feed_forward1(x))) / 2
        x = x + self.dropout(self.self_attn(self.norm_self_att(x), distances, mask))
        x = x + self.dropout(self.conv(self.norm_conv(x), mask))
        x = x + self.dropout(self.feed_forward2(self.norm_feed_forward2(x))) / 2
        y: Tensor = self.norm_out(x)
        return y


class FastConformer(nn.Module):
    """Sub-sampling (`pre_encode`), and layers that look at all frames.

    Args:
        size: numbers of the network.
    """

    def __init__(self, size: ConformerSize) -> None:
        super().__init__()
        self.scale = math.sqrt(size.dim) if size.scaled else 1.0
        self.pre_encode = _Subsampling(size)
        self.layers = nn.ModuleList([_ConformerLayer(size) for _ in range(size.layers)])

    def forward(self, frames: Tensor, mask: Tensor | None) -> Tensor:
        """Map frames (batch, frames, dim), of which `mask` (batch, frames) count, to the same shape."""
        x, distances = frames * self.scale, _distances(frames.shape[1], frames)
        for layer in self.layers:
            x = layer(x, distances, mask)
        return x
