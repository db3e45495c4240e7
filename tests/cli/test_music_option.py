from __future__ import annotations

import json

import pytest

import tertulia
from tertulia.audio import Waveform, write_wav
from tertulia.errors import UsageError
from tertulia.systems import ignoring_music


@pytest.fixture
def talk(tmp_path, sound):
    write_wav(tmp_path / "talk.wav", Waveform(sound[None, 6 * 16_000 : 12 * 16_000], 16_000))
    return tmp_path / "talk.wav"


def test_music_is_nobody(cli, talk, tells):
    tells("music")
    outcome = cli("diarize", talk, "--music", "ignore", "--format", "json")
    assert outcome.code == 0
    assert "nobody speaks" in outcome.stderr
    assert json.loads(outcome.stdout)["provenance"]["settings"]["segmentation"] == {"certain": 0.95}


def test_speech_over_music_is_somebody(cli, talk, tells):
    tells("speech over music")
    assert cli("diarize", talk, "--music", "ignore").stdout == cli("diarize", talk).stdout != ""


def test_other_values_are_refused(cli, talk):
    outcome = cli("diarize", talk, "--music", "play")
    assert outcome.code == 2
    assert "'play' is not one of" in outcome.stderr


def test_chains_hear_everything_at_once(tells):
    tells("music")
    with pytest.raises(UsageError, match="lium-clr hears a recording as a whole"):
        ignoring_music(tertulia.load("lium-clr"))
