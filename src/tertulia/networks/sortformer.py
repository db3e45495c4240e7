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

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tertulia.networks.arrivals import Arrivals
from tertulia.networks.fastconformer import SUBSAMPLING, ConformerSize, FastConformer, alike, frame_mask

__all__ = ["SIZES", "ActivityHalf", "FramesHalf", "Sortformer", "SortformerSize"]


@dataclass(frozen=True, kw_only=True)
class SortformerSize(ConformerSize):
    """Numbers of a `Sortformer`; those of `ConformerSize`, and:

    Args:
        speakers: outputs.
        hidden, hidden_layers, hidden_heads: of the Transformer above the Conformer.
        voices: width of a second input, what a network that knows voices hears along the recording
            (`tertulia.embedding.track`): its frames, and embeddings around them; 0 for none.
        embedded: how many of these last columns are embeddings.
        places: whether frames tell how long after the beginning they are: who came first cannot be seen from
            distances alone, and learning it from what the edges do takes long.
        centre, spread: taken away from the features, and divided by; those that come normalised keep 0 and 1.

    Raises:
        ValueError: for heads that do not divide a width, or what `ConformerSize` refuses.
    """

    hidden: int
    hidden_layers: int
    hidden_heads: int
    speakers: int = 4
    voices: int = 0
    embedded: int = 0
    places: bool = False
    centre: float = 0.0
    spread: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden % self.hidden_heads or self.speakers < 1 or not self.spread > 0:
            raise ValueError("heads have to divide hidden, speakers go from 1, spread is above zero")


SIZES: dict[str, SortformerSize] = {
    # Kaldi's log-mel energies of samples in [-1, 1] lie around −8 with a standard deviation of 4.
    "tiny": SortformerSize(
        channels=16,
        dim=128,
        layers=2,
        heads=2,
        expansion=2,
        hidden=128,
        hidden_layers=3,
        hidden_heads=4,
        voices=704,
        embedded=192,
        places=True,
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
        self.voices = _Voices(size.voices, size.embedded, size.dim) if size.voices else None
        self.arrivals = Arrivals(size.dim, size.embedded, size.speakers) if size.embedded else None
        self.places = nn.Linear(len(_AGES), size.dim) if size.places else None
        self.transformer_encoder = _Transformer(size)
        self.sortformer_modules = _Head(size)

    def frames(self, features: Tensor, lengths: Tensor | None = None, voices: Tensor | None = None) -> Tensor:
        """Sub-sample features (batch, time, bands) to frames (batch, ⌈time / 8⌉, dim).

        Frame `t` is centred on feature `8 t`. Of an example, the first `lengths` (batch,) features count.
        A network that wants `voices` gets them as (batch, ⌈time / 8⌉, voices).
        """
        features = (features - self.size.centre) / self.size.spread
        frames: Tensor = self.encoder.pre_encode(features, lengths)
        if self.voices is None:
            return frames
        heard, embedded = self.voices(voices)
        return torch.cat([frames + heard, embedded], dim=2)

    def activity(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map frames (batch, frames, dim), of which `lengths` (batch,) count, to logits (…, speakers)."""
        mask = None if lengths is None else frame_mask(lengths, frames.shape[1])
        prior = None
        if self.arrivals is not None:
            frames, prior = self.arrivals(frames, mask)
        if self.places is not None:
            frames = frames + self.places(_ages(frames.shape[1], frames))
        x = self.encoder(frames, mask)
        x = self.sortformer_modules.encoder_proj(x)
        logits: Tensor = self.sortformer_modules(self.transformer_encoder(x, mask))
        return logits if prior is None else logits + prior

    def forward(
        self, features: Tensor, lengths: Tensor | None = None, voices: Tensor | None = None
    ) -> Tensor:
        """Map features (batch, time, bands) to logits (batch, ⌈time / 8⌉, speakers); see `frames`."""
        frames = self.frames(features, lengths, voices)
        return self.activity(frames, None if lengths is None else -(-lengths // SUBSAMPLING))


_AGES = (12.5, 50.0, 200.0, 800.0)  # frames: 1 to 64 s


def _ages(count: int, like: Tensor) -> Tensor:
    """How long after the beginning each frame is, on several scales; (count, scales) in (−1, 1]."""
    frame = torch.arange(count, device=like.device, dtype=torch.float32)[:, None]
    scale = torch.tensor(_AGES, device=like.device)
    return (2 * torch.exp(-frame / scale) - 1).to(like.dtype)


_SAID = 0.5  # deviation that frames add at first, where embeddings add 1


class _Voices(nn.Module):
    """Voices brought to the width of frames, their units and offsets learnt away."""

    def __init__(self, voices: int, embedded: int, dim: int) -> None:
        super().__init__()
        self.embedded = embedded
        self.norm = nn.BatchNorm1d(voices)
        self.linear = nn.Linear(voices, dim)
        # Embeddings that are alike stay so, and what is said weighs less than who says it.
        with torch.no_grad():
            nn.init.normal_(self.linear.weight, std=_SAID / max(voices - embedded, 1) ** 0.5)
            if embedded:
                nn.init.orthogonal_(self.linear.weight[:, voices - embedded :])

    def forward(self, voices: Tensor) -> tuple[Tensor, Tensor]:
        """Map (batch, frames, voices) to frames (batch, frames, dim) and unit vectors (…, embedded)."""
        x = self.norm(voices.transpose(1, 2)).transpose(1, 2)
        embedded = F.normalize(x[:, :, voices.shape[2] - self.embedded :].detach(), dim=2)
        return self.linear(x), embedded


class _Attention(nn.Module):
    """Plain attention: distances are known to the layers below."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_net, self.key_net = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.value_net, self.out_projection = nn.Linear(dim, dim), nn.Linear(dim, dim)
        alike(self.query_net, self.key_net)

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


class FramesHalf(nn.Module):
    """What is exported as the first half: features, and voices where the network wants them, to frames."""

    def __init__(self, network: Sortformer) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, voices: Tensor | None = None) -> Tensor:
        """Map (batch, time, bands) and (batch, ⌈time / 8⌉, voices) to (batch, ⌈time / 8⌉, dim)."""
        return self.network.frames(features, voices=voices)


class ActivityHalf(nn.Module):
    """What is exported as the second half: frames to probabilities."""

    def __init__(self, network: Sortformer) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        """Map (batch, frames, dim) to (batch, frames, speakers)."""
        return self.network.activity(frames).sigmoid()
