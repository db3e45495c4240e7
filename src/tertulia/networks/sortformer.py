"""Sortformer: who is active in each frame of 0.08 s, speakers in the order in which they are first heard.

Source: T. Park et al., "Sortformer: Seamless integration of speaker diarization and ASR by bridging
timestamps and tokens" (2024, arXiv 2409.06656), on top of `FastConformer`. Parameter names follow the
published checkpoints, so that those load as they are.

The network has two halves, `frames` and `activity`, because streaming keeps frames of the first as what it
remembers of speakers and shows them to the second again (I. Medennikov et al., "Streaming Sortformer", 2025,
arXiv 2507.18446).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from tertulia.networks.fastconformer import SUBSAMPLING, ConformerSize, FastConformer, frame_mask

__all__ = ["SIZES", "Sortformer", "SortformerSize"]


@dataclass(frozen=True, kw_only=True)
class SortformerSize(ConformerSize):
    """Numbers of a `Sortformer`; those of `ConformerSize`, and:

    Args:
        speakers: outputs.
        hidden, hidden_layers, hidden_heads: of the Transformer above the Conformer.
        centre, spread: taken away from the features, and divided by; those that come normalised keep 0 and 1.

    Raises:
        ValueError: for heads that do not divide a width, or what `ConformerSize` refuses.
    """

    hidden: int
    hidden_layers: int
    hidden_heads: int
    speakers: int = 4
    centre: float = 0.0
    spread: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden % self.hidden_heads or self.speakers < 1 or not self.spread > 0:
            raise ValueError("heads have to divide hidden, speakers go from 1, spread is above zero")


SIZES: dict[str, SortformerSize] = {
    # Kaldi's log-mel energies of samples in [-1, 1] lie around −8 with a standard deviation of 4.
    "tiny": SortformerSize(
        channels=32,
        dim=128,
        layers=4,
        heads=4,
        expansion=2,
        hidden=96,
        hidden_layers=2,
        hidden_heads=4,
        centre=-8.0,
        spread=4.0,
    ),
    "small": SortformerSize(
        channels=128,
        dim=256,
        layers=4,
        heads=4,
        expansion=4,
        hidden=144,
        hidden_layers=4,
        hidden_heads=4,
        centre=-8.0,
        spread=4.0,
    ),
    "sortformer-4spk-v1": SortformerSize(
        channels=256,
        dim=512,
        layers=18,
        heads=8,
        expansion=4,
        hidden=192,
        hidden_layers=18,
        hidden_heads=8,
        scaled=True,
    ),
}
"""Sizes by name: ours, and that of `nvidia/diar_sortformer_4spk-v1`."""


class Sortformer(nn.Module):
    """Activity of speakers sorted by arrival.

    Args:
        size: numbers of the network.
    """

    def __init__(self, size: SortformerSize) -> None:
        super().__init__()
        self.size = size
        self.encoder = FastConformer(size)
        self.transformer_encoder = _Transformer(size)
        self.sortformer_modules = _Head(size)

    def frames(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Sub-sample features (batch, time, bands) to frames (batch, ⌈time / 8⌉, dim).

        Frame `t` is centred on feature `8 t`. Of an example, the first `lengths` (batch,) features count.
        """
        features = (features - self.size.centre) / self.size.spread
        frames: Tensor = self.encoder.pre_encode(features, lengths)
        return frames

    def activity(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map frames (batch, frames, dim), of which `lengths` (batch,) count, to logits (…, speakers)."""
        mask = None if lengths is None else frame_mask(lengths, frames.shape[1])
        x = self.encoder(frames, mask)
        x = self.sortformer_modules.encoder_proj(x)
        logits: Tensor = self.sortformer_modules(self.transformer_encoder(x, mask))
        return logits

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map features (batch, time, bands) to logits (batch, ⌈time / 8⌉, speakers)."""
        frames = self.frames(features, lengths)
        return self.activity(frames, None if lengths is None else -(-lengths // SUBSAMPLING))


class _Attention(nn.Module):
    """Plain attention: distances are known to the layers below."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_net, self.key_net = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.value_net, self.out_projection = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, count, dim = x.shape
        q, k, v = (
            project(x).view(batch, count, self.heads, dim // self.heads).transpose(1, 2)
            for project in (self.query_net, self.key_net, self.value_net)
        )
        seen = F.scaled_dot_product_attention(q, k, v, None if mask is None else mask[:, None, None])
        out: Tensor = self.out_projection(seen.transpose(1, 2).reshape(batch, count, dim))
        return out


class _Dense(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dense_in = nn.Linear(dim, 4 * dim)
        self.dense_out = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.dense_out(F.relu(self.dense_in(x)))
        return y


class _TransformerLayer(nn.Module):
    """Normalised after each part."""

    def __init__(self, size: SortformerSize) -> None:
        super().__init__()
        self.layer_norm_1 = nn.LayerNorm(size.hidden)
        self.first_sub_layer = _Attention(size.hidden, size.hidden_heads)
        self.layer_norm_2 = nn.LayerNorm(size.hidden)
        self.second_sub_layer = _Dense(size.hidden)
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.layer_norm_1(x + self.dropout(self.first_sub_layer(x, mask)))
        y: Tensor = self.layer_norm_2(x + self.dropout(self.second_sub_layer(x)))
        return y


class _Transformer(nn.Module):
    def __init__(self, size: SortformerSize) -> None:
        super().__init__()
        self.layers = nn.ModuleList([_TransformerLayer(size) for _ in range(size.hidden_layers)])

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        for layer in self.layers:
            x = layer(x, mask)
        return x


class _Head(nn.Module):
    def __init__(self, size: SortformerSize) -> None:
        super().__init__()
        self.encoder_proj = nn.Linear(size.dim, size.hidden)
        self.first_hidden_to_hidden = nn.Linear(size.hidden, size.hidden)
        self.single_hidden_to_spks = nn.Linear(size.hidden, size.speakers)
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first_hidden_to_hidden(self.dropout(F.relu(x)))
        logits: Tensor = self.single_hidden_to_spks(self.dropout(F.relu(x)))
        return logits
