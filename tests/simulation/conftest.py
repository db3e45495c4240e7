"""Voices that are nothing but noise, so that every sample of speech is loud."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tertulia.audio import Waveform, write_wav

RATE = 16_000


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six speakers `a` to `f` with four utterances of a second or so each, silence at both ends."""
    folder = tmp_path_factory.mktemp("voices")
    rng = np.random.default_rng(0)
    for speaker in "abcdef":
        (folder / speaker).mkdir()
        for i in range(4):
            speech = 0.1 * rng.standard_normal(int(RATE * (0.8 + 0.2 * i)))
            silence = np.zeros(RATE // 5)
            samples = np.concatenate([silence, speech, silence]).astype(np.float32)
            write_wav(folder / speaker / f"{i}.wav", Waveform.from_array(samples, RATE))
    return folder


@pytest.fixture(scope="session")
def noises(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two noises of different level, 2 s each."""
    folder = tmp_path_factory.mktemp("noises")
    rng = np.random.default_rng(1)
    for i in range(2):
        samples = 0.02 * (i + 1) * rng.standard_normal(2 * RATE)
        write_wav(folder / f"{i}.wav", Waveform.from_array(samples.astype(np.float32), RATE))
    return folder
