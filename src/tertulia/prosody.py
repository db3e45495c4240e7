"""How something is said: pitch, level, timbre and pace of speech, and their statistics over stretches of it.

Tracks are float32 (frames,), one frame every `STEP` seconds, frame `i` centred on `(i + ½) · STEP`, like
those of `features.fbank`.

Source of the pitch: P. Boersma, "Accurate short-term analysis of the fundamental frequency and the
harmonics-to-noise ratio of a sampled sound" (Proceedings of the Institute of Phonetic Sciences 17, Amsterdam
1993), whose equation numbers are cited and whose constants are taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tertulia.mfcc import mfcc

__all__ = ["STATISTICS", "STEP", "Prosody", "prosody", "statistics_of"]

Array = NDArray[np.float32]

STEP = 0.01
"""Seconds between two frames."""

_RATE = 16_000
_HOP = round(STEP * _RATE)
_LOWEST, _HIGHEST = 65.0, 500.0  # Hz
_PERIODS = 3  # of the lowest pitch in a window
_CANDIDATES = 4  # pitches of a frame that are weighed against each other
_CHUNK = 1000  # frames whose autocorrelations are computed at once
_REFERENCE = 55.0  # Hz from which semitones are counted

# Boersma's constants, in his order.
_SILENCE, _VOICING, _OCTAVE, _VOICED_UNVOICED, _OCTAVE_JUMP = 0.03, 0.45, 0.01, 0.14, 0.35

_SPLIT = 1000.0  # Hz; what is louder above it sounds tense
_CEPSTRA = 13
_SYLLABLE = 7  # frames over which the level is averaged before its peaks are counted
_PEAK = 2.0  # dB by which a syllable stands out


@dataclass(frozen=True, slots=True, eq=False)
class Prosody:
    """Tracks of a stretch of sound, (frames,) each.

    Attributes:
        pitch: semitones over 55 Hz; NaN where there is none.
        voicing: how periodic a frame is, from 0 to 1.
        level: in decibels under full scale.
        tilt: level above 1 kHz over the level below, in decibels.
        cepstra: (frames, 13), see `mfcc`.
    """

    pitch: Array
    voicing: Array
    level: Array
    tilt: Array
    cepstra: Array

    def __len__(self) -> int:
        return len(self.pitch)


def prosody(samples: Array) -> Prosody:
    """Measure sound at 16 kHz, float32 (n,); there are ⌊n / 10 ms + ½⌋ frames."""
    cepstra = mfcc(samples, _RATE, _CEPSTRA)
    frames = len(cepstra)
    size = int(_PERIODS / _LOWEST * _RATE) | 1
    before = size // 2 - _HOP // 2
    padded = np.pad(samples, (before, size + _HOP))
    windows = sliding_window_view(padded, size)[::_HOP][:frames]  # (frames, size)
    peak = float(np.abs(samples).max(initial=0.0))
    lags, strengths = np.zeros((frames, _CANDIDATES), np.float32), np.zeros((frames, _CANDIDATES), np.float32)
    silent, level, tilt = (np.zeros(frames, np.float32) for _ in range(3))
    for begin in range(0, frames, _CHUNK):
        part = slice(begin, begin + _CHUNK)
        cut = windows[part] - windows[part].mean(axis=1, keepdims=True)
        silent[part] = _unvoiced(np.abs(cut).max(axis=1), peak)
        level[part], tilt[part] = _spectrum(cut)
        lags[part], strengths[part] = _candidates(_autocorrelation(cut))
    chosen = _path(lags, strengths, silent)  # (frames,), −1 without a pitch
    rows = np.arange(frames)
    with np.errstate(divide="ignore", invalid="ignore"):
        semitones = 12 * np.log2(_RATE / lags[rows, chosen] / _REFERENCE)
    pitch = np.where(chosen >= 0, semitones, np.nan).astype(np.float32)
    return Prosody(pitch, strengths.max(axis=1, initial=0.0), level, tilt, cepstra)


def _unvoiced(peaks: Array, loudest: float) -> Array:
    """Strength of "no pitch here" (eq. 23) of frames with these peaks, (frames,)."""
    share = peaks / max(loudest, 1e-9)
    return np.asarray(_VOICING + np.maximum(0, 2 - share * (1 + _VOICING) / _SILENCE), np.float32)


def _spectrum(windows: Array) -> tuple[Array, Array]:
    """Level and tilt of windows (frames, size)."""
    power = np.abs(np.fft.rfft(windows * np.hanning(windows.shape[1]), 1024)) ** 2 + 1e-10
    split = round(_SPLIT / _RATE * 1024)
    level = 10 * np.log10(np.mean(np.square(windows), axis=1) + 1e-10)
    tilt = 10 * np.log10(power[:, split:].sum(axis=1) / power[:, :split].sum(axis=1))
    return level.astype(np.float32), tilt.astype(np.float32)


def _autocorrelation(windows: Array) -> Array:
    """Autocorrelation of what was windowed, (frames, lags), that of the window divided out (eq. 9)."""
    size = windows.shape[1]
    shape = np.hanning(size)
    length = 1 << (2 * size - 1).bit_length()
    longest = int(_RATE / _LOWEST) + 2

    def correlated(values: NDArray[np.float64]) -> NDArray[np.float64]:
        spectrum = np.abs(np.fft.rfft(values, length)) ** 2
        return np.fft.irfft(spectrum)[..., :longest]

    sound, window = correlated(windows * shape), correlated(shape)
    normalized = sound / np.maximum(sound[:, :1], 1e-12) / (window / window[0])
    return np.asarray(normalized, np.float32)


def _candidates(correlation: Array) -> tuple[Array, Array]:
    """Best peaks of autocorrelations (frames, lags): lags in samples and strengths, (frames, candidates).

    Lags are interpolated by a parabola. Strength is the height less a cost of low pitches (eq. 24); it is
    zero for candidates that are not there.
    """
    first = int(_RATE / _HIGHEST)
    left, here, right = (
        correlation[:, first + shift : correlation.shape[1] - 1 + shift] for shift in (-1, 0, 1)
    )
    peak = (here > left) & (here >= right)
    bend = np.where(peak, left - 2 * here + right, -1)
    offset = np.where(peak, 0.5 * (left - right) / bend, 0)
    height = np.clip(here - 0.25 * (left - right) * offset, 0, 1)
    lags = np.arange(first, correlation.shape[1] - 1) + offset
    strength = height - _OCTAVE * np.log2(_LOWEST * lags / _RATE)
    strength = np.where(peak & (height > 0), strength, 0)
    best = np.argsort(-strength, axis=1, kind="stable")[:, :_CANDIDATES]
    return (
        np.take_along_axis(lags, best, axis=1).astype(np.float32),
        np.take_along_axis(strength, best, axis=1).astype(np.float32),
    )


def _path(lags: Array, strengths: Array, unvoiced: Array) -> NDArray[np.intp]:
    """Choose a candidate for every frame, −1 for none, so that pitch seldom jumps (eqs. 26 and 27)."""
    frames, candidates = lags.shape
    none = candidates  # the state without a pitch
    scores = np.concatenate([strengths, unvoiced[:, None]], axis=1)
    scores[:, :none][strengths <= 0] = -1e3
    octaves = np.log2(np.maximum(lags, 1))
    came_from = np.zeros((frames, candidates + 1), np.intp)
    cost = np.full((candidates + 1, candidates + 1), _VOICED_UNVOICED, np.float32)
    cost[none, none] = 0
    total = scores[0] if frames else np.zeros(candidates + 1, np.float32)
    for frame in range(1, frames):
        cost[:none, :none] = _OCTAVE_JUMP * np.abs(octaves[frame - 1][:, None] - octaves[frame])
        routes = total[:, None] - cost  # (from, to)
        came_from[frame] = routes.argmax(axis=0)
        total = routes.max(axis=0) + scores[frame]
    path = np.empty(frames, np.intp)
    state = int(total.argmax())
    for frame in range(frames - 1, -1, -1):
        path[frame] = -1 if state == none else state
        state = int(came_from[frame, state])
    return path


STATISTICS = (
    *(f"pitch {name}" for name in ("mean", "deviation", "10 %", "90 %", "change", "slope")),
    *(f"level {name}" for name in ("deviation", "range", "change", "of voice over the rest")),
    *(f"tilt {name}" for name in ("mean", "deviation")),
    *(f"voicing {name}" for name in ("mean", "deviation", "share")),
    *(f"pace: {name}" for name in ("voiced stretches", "syllables", "length of voiced stretches")),
    *(f"cepstrum {number} {name}" for name in ("mean", "deviation") for number in range(1, _CEPSTRA)),
)
"""What `statistics_of` returns, in order. None of it is the level itself, which is the microphone's."""


def statistics_of(tracks: Prosody, part: slice = slice(None)) -> Array:
    """Return the statistics of a stretch of frames, (len(STATISTICS),)."""
    pitch, level, tilt = tracks.pitch[part], tracks.level[part], tracks.tilt[part]
    voicing, cepstra = tracks.voicing[part], tracks.cepstra[part]
    voiced = ~np.isnan(pitch)
    seconds = max(len(pitch), 1) * STEP
    spoken = voiced if voiced.any() else np.ones(len(pitch), bool)
    runs = np.diff(np.r_[0, voiced.astype(np.int8), 0]) == 1
    values = [
        *_pitch(pitch[voiced], np.flatnonzero(voiced)),
        *_level(level, voiced),
        *_moments(tilt[spoken]),
        *_moments(voicing[spoken]),
        voiced.mean() if len(voiced) else 0.0,
        runs.sum() / seconds,
        _syllables(level) / seconds,
        voiced.sum() * STEP / max(runs.sum(), 1),
        *(cepstra[spoken, 1:].mean(axis=0) if spoken.any() else np.zeros(_CEPSTRA - 1)),
        *(cepstra[spoken, 1:].std(axis=0) if spoken.any() else np.zeros(_CEPSTRA - 1)),
    ]
    return np.array(values, np.float32)


def _moments(values: Array) -> tuple[float, float]:
    return (float(values.mean()), float(values.std())) if len(values) else (0.0, 0.0)


def _pitch(pitch: Array, frames: NDArray[np.intp]) -> list[float]:
    """Statistics of the pitch at some frames."""
    if len(pitch) < 2:
        return [float(pitch[0]) if len(pitch) else 0.0, 0.0, *(2 * [float(pitch.sum())]), 0.0, 0.0]
    beside = np.diff(frames) == 1
    change = np.abs(np.diff(pitch))[beside]
    times = (frames - frames.mean()) * STEP
    slope = float(times @ (pitch - pitch.mean()) / (times @ times))
    low, high = np.percentile(pitch, [10, 90])
    return [*_moments(pitch), float(low), float(high), float(change.mean()) if len(change) else 0.0, slope]


def _level(level: Array, voiced: NDArray[np.bool_]) -> list[float]:
    """Statistics of the level that do not depend on how loud the recording is."""
    if not len(level):
        return [0.0] * 4
    low, high = np.percentile(level, [10, 95])
    change = float(np.abs(np.diff(level)).mean()) if len(level) > 1 else 0.0
    both = voiced.any() and not voiced.all()
    over = float(level[voiced].mean() - level[~voiced].mean()) if both else 0.0
    return [float(level.std()), float(high - low), change, over]


def _syllables(level: Array) -> int:
    """Count the peaks of the smoothed level that stand out from the valley before them."""
    if len(level) < _SYLLABLE:
        return 0
    smooth = np.convolve(level, np.ones(_SYLLABLE) / _SYLLABLE, mode="valid")
    from scipy.signal import find_peaks

    loud = smooth.max() - 25.0
    return len(find_peaks(smooth, height=loud, prominence=_PEAK)[0])
