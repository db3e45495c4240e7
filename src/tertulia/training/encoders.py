"""Files of pre-trained encoders: safetensors with their widths in the header."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tertulia.errors import InputError
from tertulia.networks.wav2vec import Wav2Vec
from tertulia.training.files import replacing

__all__ = ["EncoderWidths", "load_encoder", "save_encoder"]


@dataclass(frozen=True)
class EncoderWidths:
    """Widths of a `Wav2Vec`."""

    bands: int
    wide: int
    dim: int
    layers: int
    heads: int
    hidden: int

    def __call__(self) -> Wav2Vec:
        """Make the network."""
        return Wav2Vec(**asdict(self))


def save_encoder(encoder: Wav2Vec, widths: EncoderWidths, path: Path) -> None:
    """Write an encoder; raises `OutputError`."""
    from safetensors.torch import save_file

    tensors = {name: value.contiguous() for name, value in encoder.cpu().state_dict().items()}
    with replacing(path) as draft:
        save_file(tensors, draft, {"wav2vec": json.dumps(asdict(widths))})


def load_encoder(path: Path) -> Wav2Vec:
    """Read what `save_encoder` wrote.

    Raises:
        InputError: when there is no such file, or it holds something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            widths = json.loads((file.metadata() or {}).get("wav2vec", "null"))
            if not isinstance(widths, dict):
                raise InputError(f"{path} holds no encoder of the task wav2vec")
            encoder = EncoderWidths(**widths)()
            encoder.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (OSError, SafetensorError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} cannot be read as an encoder: {error}") from error
    return encoder
