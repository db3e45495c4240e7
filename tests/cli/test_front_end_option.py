from __future__ import annotations

import numpy as np

from tertulia.audio import Waveform, write_wav


def test_a_system_hears_what_leaves_the_front_end(cli, fake, tmp_path):
    write_wav(tmp_path / "talk.wav", Waveform(np.zeros((1, 16_000), np.float32), 16_000))
    outcome = cli("diarize", tmp_path / "talk.wav", "--front-end", "vocals", "--format", "json")
    assert outcome.code == 0
    assert '"front_end": {\n        "name": "vocals"' in outcome.stdout
    assert fake.calls[0]["source"].name == "prepared.rf64"
    assert fake.calls[0]["name"] == str(tmp_path / "talk.wav")


def test_unknown_front_ends_are_named(cli, fake, tmp_path):
    outcome = cli("diarize", tmp_path / "talk.wav", "--front-end", "x")
    assert outcome.code == 2
    assert "unknown front end 'x'; there is: vocals" in outcome.stderr


def test_what_cannot_be_read_is_an_error_of_the_recording(cli, fake, tmp_path):
    outcome = cli("diarize", tmp_path / "no.wav", "--front-end", "vocals")
    assert outcome.code == 3
    assert "no.wav: does not exist" in outcome.stderr
