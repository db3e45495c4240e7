"""What networks and models look at instead of samples."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["fbank", "sliding_mean"]

Array = NDArray[np.float32]


def fbank(
    samples: Array,
    bands: int = 80,
    sample_rate: int = 16_000,
    *,
    centred: bool = True,
    window: Literal["povey", "hamming"] = "povey",
) -> Array:
    """Log energies in mel bands as Kaldi computes them (windows of 25 ms every 10 ms, no dither).

    Args:
        samples: float32 (n,) in [-1, 1].
        bands: number of mel bands from 20 Hz to half the sample rate.
        sample_rate: in Hz.
        centred: frame `i` is centred on `(i + ½) · 10 ms` and there are ⌊n / 10 ms + ½⌋ of them; otherwise
            frame `i` begins at `i · 10 ms` and only whole frames count (Kaldi's `snip-edges`).
        window: shape of the windows.

    Returns:
        float32 (frames, bands).
    """
    import kaldi_native_fbank as kaldi

    options = kaldi.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = sample_rate
    options.frame_opts.snip_edges = not centred
    options.frame_opts.window_type = window
    options.mel_opts.num_bins = bands
    extractor = kaldi.OnlineFbank(options)
    extractor.accept_waveform(sample_rate, samples)
    extractor.input_finished()
    frames = [extractor.get_frame(i) for i in range(extractor.num_frames_ready)]
    return np.array(frames, dtype=np.float32).reshape(-1, bands)


def sliding_mean(values: Array, width: int) -> Array:
    """Mean over the `width` (odd) frames around each frame, fewer at the ends; (frames, bands) → the same."""
    frames = np.arange(len(values))
    first = np.maximum(frames - width // 2, 0)
    last = np.minimum(frames + width // 2 + 1, len(values))
    total = np.zeros((len(values) + 1, *values.shape[1:]))
    np.cumsum(values, axis=0, dtype=np.float64, out=total[1:])
    mean: Array = ((total[last] - total[first]) / (last - first)[:, None]).astype(np.float32)
    return mean
