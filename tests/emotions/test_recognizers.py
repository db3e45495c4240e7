from __future__ import annotations

import json

import numpy as np
import pytest

from tertulia import inference
from tertulia.embedding.campplus import CAMPPlus
from tertulia.emotions import EMOTIONS, RECOGNIZERS, detect_emotions, load_recognizer
from tertulia.emotions.recognizers import voice_and_prosody
from tertulia.errors import ModelMissingError, UsageError
from tertulia.inference import WEIGHTS
from tertulia.prosody import STATISTICS


@pytest.fixture(scope="module")
def recognizer():
    return load_recognizer(threads=1)


SPANS = np.array([[0.0, 2.0], [1.0, 3.0], [2.9, 3.0]])


def test_a_contract(recognizer, sound):
    speech = sound[10 * 16_000 : 13 * 16_000]
    described = recognizer.describe(speech, SPANS)
    assert described.shape == (3, 1024 + len(STATISTICS))
    assert np.isfinite(described).all()
    probabilities = recognizer.judge(described, described.mean(axis=0))
    assert probabilities.shape == (3, len(EMOTIONS))
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)


@pytest.mark.parametrize("samples", [np.zeros(4000, np.float32), np.full(1600, 0.5, np.float32)])
def test_silence_and_direct_current_are_described(samples):
    found = voice_and_prosody(samples, np.array([[0.0, len(samples) / 16_000]]), CAMPPlus(threads=1))
    assert np.isfinite(found).all()


def test_spans_are_described_as_if_nothing_came_before_or_after(sound):
    speech, embedder = sound[10 * 16_000 : 16 * 16_000], CAMPPlus(threads=1)
    first, second = voice_and_prosody(speech, np.array([[0.0, 3.0], [3.0, 6.0]]), embedder)
    again = voice_and_prosody(speech, np.array([[3.0, 6.0], [0.0, 3.0]]), embedder)
    assert again == pytest.approx(np.stack([second, first]), abs=1e-5)
    assert np.abs(first - second).max() > 1


def test_the_registry():
    assert set(RECOGNIZERS) == {"voice-and-prosody", "spectral"}
    with pytest.raises(UsageError, match="unknown recognizer 'x'; there is: spectral, voice-and-prosody"):
        load_recognizer("x")


def test_without_the_weights_one_is_told_how_to_get_them(monkeypatch):
    monkeypatch.setattr(inference, "_COMPANION", "there_is_no_such_package")
    with pytest.raises(ModelMissingError, match=r"CC BY-NC-SA 4\.0.*pip install \./weights-nc") as caught:
        load_recognizer()
    assert caught.value.exit_code == 4


def test_non_commercial_weights_are_not_in_the_package():
    assert not list(WEIGHTS.glob("emotions*"))
    assert inference.weights("emotions").parent.name == "tertulia_weights_nc"
    assert inference.weights("emotions").stat().st_size < 1_000_000


def test_results_hold_no_vectors_of_voices(recording, reference):
    found = detect_emotions(recording, reference, threads=1)
    assert {turn.speaker for turn in found.turns} == set(reference.speakers)
    text = json.dumps({"settings": dict(found.provenance.settings), "models": dict(found.provenance.models)})
    assert len(text) < 2000
    assert "emotions" in found.provenance.models
