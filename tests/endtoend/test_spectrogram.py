from __future__ import annotations

import numpy as np
import pytest

from tertulia.endtoend.spectrogram import Spectrogram, mel_filters
from tertulia.errors import ModelMissingError


def test_a_tone_is_in_its_band():
    filters = mel_filters(80)
    assert filters.shape == (80, 257)
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    features = Spectrogram(np.hanning(400).astype(np.float32), filters, False)(tone)
    assert features.shape == (100, 80)
    centres = (filters * np.linspace(0, 8000, 257)).sum(axis=1) / filters.sum(axis=1)
    assert abs(centres[features[50].argmax()] - 1000) < 40


def test_filters_have_equal_areas():
    """By hand: each triangle has area 1 over Hz, and 1 kHz is mel 15 on Slaney's scale."""
    filters = mel_filters(40)
    widths = filters.sum(axis=1) * 8000 / 256
    np.testing.assert_allclose(widths[10:], 1, atol=0.1)
    assert (np.diff((filters * np.arange(257)).sum(axis=1) / filters.sum(axis=1)) > 0).all()


def test_bands_are_normalised_and_shapes_bounded():
    rng = np.random.default_rng(0)
    kind = Spectrogram(np.hanning(400).astype(np.float32), mel_filters(80), True)
    features = kind(rng.standard_normal(16_000).astype(np.float32))
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(features.std(axis=0, ddof=1), 1, atol=1e-3)
    assert kind(np.zeros(159, np.float32)).shape == (0, 80)
    assert np.isfinite(kind(np.zeros(160, np.float32))).all()


def test_it_is_kept_in_a_file(tmp_path):
    kind = Spectrogram(np.hanning(400).astype(np.float32), mel_filters(80), True)
    kind.write(tmp_path / "f.npz")
    again = Spectrogram.read(tmp_path / "f.npz")
    np.testing.assert_array_equal(again.filters, kind.filters)
    assert again.normalised
    (tmp_path / "g.npz").write_bytes(b"nothing")
    with pytest.raises(ModelMissingError, match="no features"):
        Spectrogram.read(tmp_path / "g.npz")
