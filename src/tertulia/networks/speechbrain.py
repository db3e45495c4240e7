"""SepFormer in the shape in which SpeechBrain publishes it, and its checkpoints as ONNX.

Source: C. Subakan et al., "Attention is all you need in speech separation" (ICASSP 2021), sections 2.1–2.3.
What differs from `networks.sepformer` is what published parameters want: names, normalisation over a whole
recording (one group), and positions in attention as interleaved sines and cosines.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tertulia.errors import InputError
from tertulia.networks.convert import fill, read, write_onnx

__all__ = ["PARTS", "PublishedSepFormer", "convert", "network_of"]

PARTS = ("encoder", "masknet", "decoder")
"""Checkpoints of a published separator, `encoder.ckpt` and so on."""

_TINY = 1e-8
_LAYER_TINY = 1e-6


class _Attention(nn.Module):
    """Attention of a sequence to itself, its three projections in one matrix."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) / math.sqrt(width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        all_three = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        split = all_three.reshape(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)  # (batch, heads, length, width / heads)
        weights = torch.softmax(query @ key.transpose(2, 3) / math.sqrt(width // self.heads), dim=3)
        joined: Tensor = self.out_proj((weights @ value).transpose(1, 2).reshape(batch, length, width))
        return joined


def _named(**modules: nn.Module) -> nn.ModuleDict:
    return nn.ModuleDict(modules)


class _Layer(nn.Module):
    """A transformer layer that normalises first."""

    def __init__(self, width: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.self_att = _named(att=_Attention(width, heads))
        ffn = nn.Sequential(
            nn.Linear(width, feedforward), nn.ReLU(), nn.Identity(), nn.Linear(feedforward, width)
        )
        self.pos_ffn = _named(ffn=ffn)
        self.norm1, self.norm2 = (_named(norm=nn.LayerNorm(width, eps=_LAYER_TINY)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_att["att"](self.norm1["norm"](x))
        added: Tensor = x + self.pos_ffn["ffn"](self.norm2["norm"](x))
        return added


class _Transformer(nn.Module):
    """Layers with their positions."""

    def __init__(self, width: int, heads: int, feedforward: int, layers: int) -> None:
        super().__init__()
        stack = nn.ModuleList(_Layer(width, heads, feedforward) for _ in range(layers))
        norm = _named(norm=nn.LayerNorm(width, eps=_LAYER_TINY))
        self.mdl = nn.ModuleDict({"layers": stack, "norm": norm})

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, width) to the same shape."""
        width = x.shape[2]
        turns = torch.exp(torch.arange(0, width, 2, device=x.device) * (-math.log(10_000.0) / width))
        angles = torch.arange(x.shape[1], device=x.device)[:, None] * turns  # (length, width / 2)
        x = x + torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
        for layer in self.mdl["layers"]:  # type: ignore[attr-defined]
            x = layer(x)
        normal: Tensor = self.mdl["norm"]["norm"](x)  # type: ignore[index]
        return normal


class _Block(nn.Module):
    """Attention within chunks, then between them (eq. 4 and 5)."""

    def __init__(self, width: int, heads: int, feedforward: int, layers: int) -> None:
        super().__init__()
        self.intra_mdl = _Transformer(width, heads, feedforward, layers)
        self.inter_mdl = _Transformer(width, heads, feedforward, layers)
        self.intra_norm, self.inter_norm = (nn.GroupNorm(1, width, eps=_TINY) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, width, frames, chunks) to the same shape."""
        batch, width, frames, chunks = x.shape
        rows = x.permute(0, 3, 2, 1).reshape(batch * chunks, frames, width)
        within = self.intra_mdl(rows).reshape(batch, chunks, frames, width).permute(0, 3, 2, 1)
        x = x + self.intra_norm(within)
        rows = x.permute(0, 2, 3, 1).reshape(batch * frames, chunks, width)
        between = self.inter_mdl(rows).reshape(batch, frames, chunks, width).permute(0, 3, 1, 2)
        joined: Tensor = x + self.inter_norm(between)
        return joined


class _Masks(nn.Module):
    """Frames of the encoder in, a mask for every voice out."""

    def __init__(
        self, voices: int, width: int, chunk: int, blocks: int, layers: int, heads: int, feedforward: int
    ) -> None:
        super().__init__()
        self.voices, self.chunk = voices, chunk
        self.norm = nn.GroupNorm(1, width, eps=_TINY)
        self.conv1d = nn.Conv1d(width, width, 1, bias=False)
        self.dual_mdl = nn.ModuleList(_Block(width, heads, feedforward, layers) for _ in range(blocks))
        self.prelu = nn.PReLU()
        self.conv2d = nn.Conv2d(width, width * voices, 1)
        self.output = nn.Sequential(nn.Conv1d(width, width, 1), nn.Tanh())
        self.output_gate = nn.Sequential(nn.Conv1d(width, width, 1), nn.Sigmoid())
        self.end_conv1x1 = nn.Conv1d(width, width, 1, bias=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Map (batch, width, frames) to (batch, voices, width, frames)."""
        batch, width, count = frames.shape
        half = self.chunk // 2
        x = self.conv1d(self.norm(frames))
        # Silence enough at the end for whole chunks, and half a chunk on either side of all.
        gap = self.chunk - (half + count % self.chunk) % self.chunk
        halves = F.pad(x, (half, gap + half)).reshape(batch, width, -1, half)
        chunks = torch.cat([halves[:, :, :-1], halves[:, :, 1:]], dim=3).transpose(2, 3)
        for block in self.dual_mdl:
            chunks = block(chunks)  # (batch, width, chunk, chunks)
        parted = self.conv2d(self.prelu(chunks)).reshape(batch * self.voices, width, self.chunk, -1)
        parted = parted.transpose(2, 3)
        joined = parted[:, :, :-1, half:] + parted[:, :, 1:, :half]
        joined = joined.reshape(batch * self.voices, width, -1)[:, :, :count]
        masks = F.relu(self.end_conv1x1(self.output(joined) * self.output_gate(joined)))
        return masks.reshape(batch, self.voices, width, count)


class PublishedSepFormer(nn.Module):
    """Waveforms of mixtures in, waveforms of voices out.

    Args:
        voices: how many come out.
        width: filters of the encoder, and width of all that follows.
        kernel: samples in a filter; the stride is half of it.
        chunk: frames in a chunk, even.
        blocks: dual-path blocks.
        layers: transformer layers within chunks, and as many between them, in a block.
        heads: of the attention.
        feedforward: width inside a transformer layer.
    """

    def __init__(
        self,
        voices: int,
        width: int,
        kernel: int,
        chunk: int,
        blocks: int,
        layers: int,
        heads: int,
        feedforward: int,
    ) -> None:
        super().__init__()
        self.encoder = _named(conv1d=nn.Conv1d(1, width, kernel, stride=kernel // 2, bias=False))
        self.masknet = _Masks(voices, width, chunk, blocks, layers, heads, feedforward)
        self.decoder = nn.ConvTranspose1d(width, 1, kernel, stride=kernel // 2, bias=False)

    def forward(self, mixtures: Tensor) -> Tensor:
        """Separate mixtures (batch, samples) into (batch, voices, samples); the last few may be silent."""
        frames = F.relu(self.encoder["conv1d"](mixtures[:, None]))
        masked = self.masknet(frames) * frames[:, None]  # (batch, voices, width, frames)
        batch, voices = masked.shape[:2]
        sound = self.decoder(masked.flatten(0, 1)).reshape(batch, voices, -1)
        heard: Tensor = F.pad(sound, (0, mixtures.shape[1] - sound.shape[2]))
        return heard


def network_of(parameters: Mapping[str, Tensor], hyperparameters: str, source: object) -> PublishedSepFormer:
    """Make the network that parameters belong to.

    Args:
        parameters: by name, `encoder.`, `masknet.` or `decoder.` before it.
        hyperparameters: text of the published `hyperparams.yaml`, of which the numbers of heads (`nhead`) and
            of frames in a chunk (`K`) are taken; all else shows in the shapes.
        source: what messages call it.

    Raises:
        InputError: when they are not those of a SepFormer.
    """
    try:
        filters = parameters["encoder.conv1d.weight"]
        parting = parameters["masknet.conv2d.weight"]
        inner = parameters["masknet.dual_mdl.0.intra_mdl.mdl.layers.0.pos_ffn.ffn.0.weight"]
    except KeyError as error:
        raise InputError(f"{source}: not the parameters of a SepFormer: {error} is missing") from error
    network = PublishedSepFormer(
        voices=parting.shape[0] // parting.shape[1],
        width=filters.shape[0],
        kernel=filters.shape[2],
        chunk=_number(hyperparameters, "K", source),
        blocks=_count(parameters, r"masknet\.dual_mdl\.(\d+)\."),
        layers=_count(parameters, r"masknet\.dual_mdl\.0\.intra_mdl\.mdl\.layers\.(\d+)\."),
        heads=_number(hyperparameters, "nhead", source),
        feedforward=inner.shape[0],
    )
    given = {name: value for name, value in parameters.items() if not name.endswith("pos_enc.pe")}
    return fill(network, given, source)


def convert(files: Mapping[str, Path], path: Path) -> None:
    """Write the ONNX file of a published separator.

    Args:
        files: checkpoint of each of `PARTS`, and `hyperparams`.
        path: where to.

    Raises:
        InputError: when a file is no checkpoint, carries code, or is of another network.
    """
    read_parts = {part: read(files[part]) for part in PARTS}
    parameters = {
        f"{part}.{name}": value for part, found in read_parts.items() for name, value in found.items()
    }
    text = files["hyperparams"].read_text(encoding="utf-8", errors="replace")
    network = network_of(parameters, text, files["masknet"].parent)
    axes = {"mixtures": {0: "batch", 1: "samples"}, "output": {0: "batch", 2: "samples"}}
    write_onnx(network, path, torch.randn(1, 8000), axes)


def _count(names: Mapping[str, Tensor], pattern: str) -> int:
    return 1 + max((int(match[1]) for name in names if (match := re.match(pattern, name))), default=-1)


def _number(text: str, key: str, source: object) -> int:
    match = re.search(rf"^\s*{key}:\s*(\d+)\s*(#.*)?$", text, re.M)
    if match is None:
        raise InputError(f"{source}: hyperparams.yaml does not say {key}")
    return int(match[1])
