"""The tool that makes recordings in which nobody speaks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import tertulia
from tertulia.corpora import open_corpus

TOOL = Path(__file__).parents[2] / "tools" / "make_sounds_without_speech.py"
RATE = 16_000


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for kind, name, level in (("noise", "kept", 0.1), ("noise", "left", 0.9), ("music", "track", 0.2)):
        (folder / kind).mkdir(exist_ok=True)
        tone = level * np.sin(np.arange(5 * RATE) * {"kept": 0.1, "left": 0.7, "track": 0.3}[name])
        soundfile.write(folder / kind / f"{name}.wav", tone + 1e-3 * rng.normal(size=5 * RATE), RATE)
    command = [
        sys.executable,
        str(TOOL),
        str(folder / "out"),
        "--count",
        "3",
        "--noise",
        str(folder / "noise"),
    ]
    command += ["--music", str(folder / "music"), "--without", "left"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "out"


def test_minutes_with_references_in_which_nobody_speaks(made):
    (recordings,) = open_corpus(made).splits.values()
    assert len(recordings) == 3
    for recording in recordings:
        sound, rate = soundfile.read(recording.audio)
        assert (rate, len(sound)) == (RATE, 60 * RATE)
        assert 1e-3 < np.sqrt(np.square(sound).mean()) < 0.3
        assert recording.audio.with_suffix(".rttm").read_text() == ""
    assert tertulia.Diarization.read(made / "nobody_0_0000.rttm").speakers == ()


def test_what_is_left_out_is_not_heard(made):
    noise, _ = soundfile.read(made / "nobody_0_0000.flac")
    spectrum = np.abs(np.fft.rfft(noise[: 5 * RATE]))
    frequency = np.fft.rfftfreq(5 * RATE) * 2 * np.pi
    loud = [spectrum[np.abs(frequency - at) < 0.01].max() for at in (0.1, 0.7)]
    assert loud[0] > 30 * loud[1]
