"""Resemblyzer's voice encoder and the spectral clusterer of `spectralcluster`, with that paper's settings.

The two packages hold no diarizer; this is the usual way to join them: silences cut out by Resemblyzer, an
embedding of 1.6 s several times a second, one label for each (`icassp2018_clusterer`, from Q. Wang et al.,
"Speaker Diarization with LSTM", ICASSP 2018). Resemblyzer gives back shortened sound without saying what was
cut, so its rule is followed here to put the turns where they belong. Weights are in its wheel.

Settings: `rate`, embeddings a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from worker import Diarize, Turn, serve

if TYPE_CHECKING:
    import numpy as np


def load(threads: int, settings: Mapping[str, str]) -> Diarize:
    import numpy as np
    import soundfile
    import torch
    from resemblyzer import VoiceEncoder, audio, hparams
    from spectralcluster import configs

    torch.set_num_threads(threads)
    encoder = VoiceEncoder("cpu", verbose=False)
    rate = float(settings["rate"])

    def diarize(path: Path) -> list[Turn]:
        samples, _ = soundfile.read(path, dtype="float32")
        samples = audio.normalize_volume(samples, hparams.audio_norm_target_dBFS, increase_only=True)
        speech = voiced(samples)
        if not speech.any():
            return []
        _, embeddings, slices = encoder.embed_utterance(samples[speech], return_partials=True, rate=rate)
        # The clusterer takes two embeddings or more, and always finds two speakers or more.
        labels = configs.icassp2018_clusterer.predict(embeddings) if len(embeddings) > 1 else np.zeros(1, int)
        centres = np.array([(part.start + part.stop) / 2 for part in slices])
        return turns(np.flatnonzero(speech), labels, centres, hparams.sampling_rate)

    return diarize


def voiced(samples: np.ndarray) -> np.ndarray:
    """Which samples `resemblyzer.audio.trim_long_silences` would keep, (samples,)."""
    import numpy as np
    import webrtcvad
    from resemblyzer import hparams
    from scipy.ndimage import binary_dilation

    size = hparams.vad_window_length * hparams.sampling_rate // 1000
    windows = samples[: len(samples) // size * size].reshape(-1, size)
    pcm = np.round(windows * 32767).clip(-32768, 32767).astype(np.int16)
    vad = webrtcvad.Vad(mode=3)
    flags = np.array([vad.is_speech(window.tobytes(), hparams.sampling_rate) for window in pcm], float)
    width = hparams.vad_moving_average_width
    padded = np.pad(flags, ((width - 1) // 2, width // 2))
    smooth = np.convolve(padded, np.full(width, 1 / width), "valid") > 0.5
    kept = binary_dilation(smooth, np.ones(hparams.vad_max_silence_length + 1))
    mask = np.zeros(len(samples), bool)
    mask[: windows.size] = np.repeat(kept, size)
    return mask


def turns(kept: np.ndarray, labels: np.ndarray, centres: np.ndarray, rate: int) -> list[Turn]:
    """Give every kept sample the label of the nearest embedding, and join neighbours of one label.

    Args:
        kept: numbers of the samples that were embedded, (kept,).
        labels: of the embeddings, (embeddings,).
        centres: of the embeddings, in kept samples, ascending, (embeddings,).
        rate: samples a second.
    """
    import numpy as np

    borders = (centres[1:] + centres[:-1]) / 2
    speaker = labels[np.searchsorted(borders, np.arange(len(kept)))]
    changes = np.flatnonzero((np.diff(kept) > 1) | (np.diff(speaker) != 0)) + 1
    firsts, lasts = np.r_[0, changes], np.r_[changes, len(kept)] - 1
    return [
        (kept[first] / rate, (kept[last] + 1) / rate, f"speaker{speaker[first]}")
        for first, last in zip(firsts, lasts, strict=True)
    ]


if __name__ == "__main__":
    serve(load)
