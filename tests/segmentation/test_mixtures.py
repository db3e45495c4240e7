"""Kinds of sound and traits of voices: made-up models, and the bundled ones on the bundled conversation."""

import dataclasses

import numpy as np
import pytest

from tertulia.frames import Grid
from tertulia.gaussians import GMM
from tertulia.gaussians.background import background, scene_features
from tertulia.mfcc import mfcc
from tertulia.segmentation.mixtures import KINDS, SPEECH, kinds_of_sound, traits_of_voice
from tertulia.traits import Traits

SPREAD = np.ones((1, 26))
LEVELS = {"silence": -40.0, "noise": -20.0, "music": 200.0, "speech": 0.0}


def level(value: float) -> GMM:
    """A mixture that knows loudness alone."""
    mean = np.zeros((1, 26))
    mean[0, 0] = value
    return GMM([1.0], mean, SPREAD)


@pytest.fixture(scope="module")
def models():
    """Kinds told apart by how loud they are beside the loudest; women and men by the second cepstrum."""
    sounds = {kind: level(LEVELS.get(kind, 500.0)) for kind in KINDS}
    high = np.eye(1, 26, 1) * 3
    voices = {
        ("F", "S"): GMM([1.0], high, SPREAD),
        ("M", "S"): GMM([1.0], -high, SPREAD),
        ("F", "T"): GMM([1.0], high + 50, SPREAD),
        ("M", "T"): GMM([1.0], 50 - high, SPREAD),
    }
    return dataclasses.replace(background(), sounds=sounds, voices=voices)


def cepstra(*stretches: tuple[float, int]) -> np.ndarray:
    """Frames of so much loudness, so many each."""
    values = np.zeros((sum(frames for _, frames in stretches), 13), np.float32)
    values[:, 0] = np.repeat([loud for loud, _ in stretches], [frames for _, frames in stretches])
    return values


def test_speech_is_which_kinds():
    assert [kind for kind, speech in zip(KINDS, SPEECH, strict=True) if speech] == [
        "speech",
        "speech over music",
        "telephone speech",
    ]


def test_kinds_by_hand(models):
    found = kinds_of_sound(cepstra((60, 100), (20, 80), (40, 50), (60, 70)), models=models)
    assert [KINDS[k] for k in found[[0, 50, 120, 200, 299]]] == [
        "speech",
        "speech",
        "silence",
        "noise",
        "speech",
    ]
    assert abs(int((np.diff(found) != 0).sum())) == 3


def test_what_is_too_short_is_no_kind_of_its_own(models):
    found = kinds_of_sound(cepstra((60, 100), (45, 3), (60, 100)), models=models)
    assert (found == KINDS.index("speech")).all()


def test_without_frames_there_is_nothing(models):
    assert kinds_of_sound(np.empty((0, 13), np.float32), models=models).shape == (0,)
    assert traits_of_voice(np.empty((0, 26), np.float32), np.empty(0, np.intp), models) == Traits()


def test_traits_by_hand(models):
    frames = np.zeros((10, 26), np.float32)
    frames[:, 1] = 2.0
    speech, music = (np.full(10, KINDS.index(kind)) for kind in ("speech", "speech over music"))
    assert traits_of_voice(frames, speech, models) == Traits("F", "S", "U")
    assert traits_of_voice(-frames, music, models) == Traits("M", "S", "music")
    assert traits_of_voice(frames + 50, speech, models).band == "T"


def test_the_bundled_models_find_the_speech_of_the_conversation(sound, reference):
    values = mfcc(sound)
    found = SPEECH[kinds_of_sound(values)]
    truth = Grid(0.01).mask(reference.speech, len(values))
    assert (found == truth).mean() > 0.85
    silence = kinds_of_sound(mfcc(np.zeros(32_000, np.float32)))
    assert not SPEECH[silence].any()
    assert scene_features(values).shape == (len(values), 26)
