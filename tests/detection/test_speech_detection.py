from __future__ import annotations

import numpy as np
import pytest

from tertulia.audio import Waveform
from tertulia.detection import Boundaries, SpeechDetector, detect_speech, load_detector
from tertulia.errors import AudioError, UsageError
from tertulia.evaluation import detection_error
from tertulia.frames import Grid
from tertulia.pipeline import Sliding
from tertulia.segmentation import SEGMENTERS, Activity

RATE = 16_000
METHODS = ["powerset", "silero", "crdnn", "scenes", "energy"]


@pytest.fixture(scope="module", params=METHODS)
def found(request, recording):
    return detect_speech(recording, method=request.param)


def test_speech_is_found(found, reference):
    limit = {"powerset": 0.06, "silero": 0.1, "crdnn": 0.06, "scenes": 0.07, "energy": 0.35}[
        found.provenance.system.removeprefix("vad: ")
    ]
    assert detection_error(reference, found.to_diarization()).error_rate < limit


def test_what_comes_back(found):
    assert found.uri == "conversation"
    assert found.duration == 30.0
    assert found.frames.scores.shape[1] == 1
    assert (found.frames.scores >= 0).all()
    assert (found.frames.scores <= 1).all()
    assert found.frames.extent.end <= 30.0 + found.frames.grid.step
    assert found.provenance.settings["boundaries"]["min_duration_off"] == 0.3
    table = found.table()
    assert table.shape == (len(found.frames), 2)
    assert table[1, 0] - table[0, 0] == pytest.approx(found.frames.grid.step, rel=1e-3)
    turns = found.to_diarization()
    assert set(turns.speakers) == {"SPEECH"}
    assert turns["SPEECH"] == found.speech
    assert turns.confidence["SPEECH"].shape == (len(found.speech),)


def test_every_segmentation_model_is_a_method():
    assert set(METHODS) <= set(SEGMENTERS)
    for name in METHODS:
        assert isinstance(load_detector(name).segmenter, SEGMENTERS[name])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seconds", [0.02, 1.0, 12.0])
def test_silence_holds_no_speech(method, seconds):
    found = detect_speech(Waveform(np.zeros((1, round(seconds * RATE)), np.float32), RATE), method=method)
    assert len(found.speech) == 0
    assert len(found.to_diarization()) == 0
    assert found.duration == pytest.approx(seconds)


def test_noise_is_no_speech_to_networks():
    noise = 0.05 * np.random.default_rng(0).standard_normal((1, 8 * RATE)).astype(np.float32)
    for method in ("powerset", "silero"):
        assert detect_speech(Waveform(noise, RATE), method=method).speech.duration < 0.5


class _Loud:
    """Calls loud samples speech; knows how many windows it was given at once."""

    sample_rate, window, hop = RATE, 2.0, 1.0

    def __init__(self) -> None:
        self.most = 0

    def __call__(self, windows):
        self.most = max(self.most, len(windows))
        frames = windows.stack().reshape(len(windows), -1, RATE // 10)
        count = (3.0 * (np.abs(frames).mean(axis=2) > 0.1)).astype(np.float32)  # three people at once
        active = count[..., None] > 0
        return Activity(active.astype(np.float32), active, active.astype(np.float32), count, Grid(0.1), 1.0)


def test_long_recordings_go_through_in_batches_and_any_count_is_speech():
    loud = np.zeros(60 * RATE, np.float32)
    loud[10 * RATE : 20 * RATE] = 0.5
    segmenter, seen = _Loud(), []
    detector = SpeechDetector(segmenter, Boundaries(0.5, 0.5, 0.0, 0.0), Sliding(batch=4))
    found = detector(Waveform(loud[None], RATE), progress=seen.append)
    assert found.speech.bounds.tolist() == [[10.0, 20.0]]
    assert found.frames.scores.max() == 1.0
    assert segmenter.most == 4
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert seen[-1].done == 60.0


def test_a_channel_can_be_chosen(sound):
    both = Waveform(np.stack([np.zeros_like(sound), sound]), RATE)
    assert len(detect_speech(both, method="energy", channels=0).speech) == 0
    assert len(detect_speech(both, method="energy", channels=1).speech) > 0


def test_mistakes_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"unknown method 'x'; there is: .*silero"):
        load_detector("x")
    with pytest.raises(UsageError, match="unknown key in vad 'loudness'"):
        load_detector("energy", loudness=1)
    with pytest.raises(AudioError, match="does not exist"):
        detect_speech(tmp_path / "no.wav", method="energy")
