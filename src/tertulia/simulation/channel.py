"""What lies between the microphone and the file: telephones and codecs, as streams of blocks (n,)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from tertulia.audio.resample import resampled
from tertulia.errors import unknown
from tertulia.simulation.sounds import Samples

__all__ = ["BLOCK_SECONDS", "TELEPHONE_RATE", "exactly", "mu_law", "telephone", "through"]

TELEPHONE_RATE = 8_000
BLOCK_SECONDS = 8

_BAND = (300.0, 3400.0)
_MU = 255.0
_STORED = {
    "opus": ("OGG", "OPUS"),
    "vorbis": ("OGG", "VORBIS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}


def telephone(blocks: Iterable[Samples], rate: int) -> Iterator[Samples]:
    """Yield the blocks as a telephone line gives them back: 8 kHz, 300 to 3400 Hz, mu-law."""
    from scipy.signal import ellip, sosfilt

    # 0.5 dB of ripple in the band; 40 dB down from 200 Hz below and 3.8 kHz above.
    band = ellip(5, 0.5, 40, _BAND, "bandpass", fs=TELEPHONE_RATE, output="sos")
    state = np.zeros((len(band), 2))
    for block in resampled((b[np.newaxis] for b in blocks), rate, TELEPHONE_RATE, 1):
        filtered, state = sosfilt(band, block[0], zi=state)
        yield mu_law(filtered.astype(np.float32))


def mu_law(samples: Samples) -> Samples:
    """Give back what is left after companding to 8 bits and expanding, both by the curve of μ = 255.

    The curve is the one that the segments of ITU-T G.711 follow.
    """
    limited = np.clip(samples, -1, 1)
    codes = np.rint(127 * np.sign(limited) * np.log1p(_MU * np.abs(limited)) / np.log1p(_MU)) / 127
    expanded: Samples = np.sign(codes) * np.expm1(np.abs(codes) * np.log1p(_MU)) / np.float32(_MU)
    return expanded.astype(np.float32)


def through(codec: str, blocks: Iterable[Samples], rate: int) -> Iterator[Samples]:
    """Yield the blocks as a codec gives them back; the lossy ones go through a temporary file.

    Raises:
        UsageError: for an unknown codec.
    """
    if codec == "none":
        return iter(blocks)
    if codec == "mulaw":
        return map(mu_law, blocks)
    if codec in _STORED:
        return _stored(codec, blocks, rate)
    raise unknown("codec", codec, ("none", "mulaw", *_STORED))


def _stored(codec: str, blocks: Iterable[Samples], rate: int) -> Iterator[Samples]:
    import soundfile

    form, subtype = _STORED[codec]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / codec
        with soundfile.SoundFile(path, "w", rate, 1, subtype, format=form) as file:
            for block in blocks:
                file.write(np.clip(block, -1, 1))
        with soundfile.SoundFile(path) as file:
            yield from file.blocks(BLOCK_SECONDS * rate, dtype="float32")


def exactly(blocks: Iterable[Samples], n: int) -> Iterator[Samples]:
    """Yield `n` samples in all: resamplers and codecs may give a few more or less."""
    left = n
    for block in blocks:
        yield block[:left]
        left -= min(left, len(block))
    if left:
        yield np.zeros(left, np.float32)
