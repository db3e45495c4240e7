"""Public wav2vec 2.0 weights, through `transformers` (extra `wav2vec`), with the calls of `Wav2Vec`."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from tertulia.errors import MissingExtraError, ModelMissingError

__all__ = ["PublicWav2Vec"]

_RATE = 16_000


class PublicWav2Vec(nn.Module):
    """A wav2vec 2.0 whose weights others have published.

    Args:
        source: a folder with `config.json` and `model.safetensors`, or a hub id such as
            `facebook/wav2vec2-base`; `HF_HOME` and `HF_HUB_OFFLINE` are honoured.

    Raises:
        MissingExtraError: when transformers is not installed.
        ModelMissingError: when there is no such model, or it is no wav2vec 2.0.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.model = _loaded(source)
        config = self.model.config
        self.step = math.prod(config.conv_stride) / _RATE
        self.channels = int(config.hidden_size)
        self.blocks = self.model.encoder.layers

    def states(self, waveforms: Tensor) -> list[Tensor]:
        """Return the input of the transformer and what comes out of each block, (batch, time, dim) each."""
        mean = waveforms.mean(dim=1, keepdim=True)
        deviation = (waveforms.var(dim=1, keepdim=True, correction=0) + 1e-7).sqrt()
        found = self.model((waveforms - mean) / deviation, output_hidden_states=True)
        return list(found.hidden_states)


def _loaded(source: str) -> Any:
    try:
        from transformers import Wav2Vec2Model
    except ImportError as error:
        raise MissingExtraError(
            f"the encoder {source} needs transformers: pip install 'tertulia[wav2vec]'"
        ) from error
    try:
        # Attention as plain operations: what an export to ONNX can follow.
        return Wav2Vec2Model.from_pretrained(source, attn_implementation="eager").eval()
    except (OSError, ValueError) as error:
        line = str(error).strip().splitlines()[0]
        raise ModelMissingError(f"no wav2vec 2.0 at {source!r}: {line}") from error
