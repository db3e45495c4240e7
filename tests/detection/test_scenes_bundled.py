"""The bundled network of scenes, on sounds about which nobody disagrees."""

from __future__ import annotations

import numpy as np
import pytest

from tertulia.audio import Waveform
from tertulia.detection import SceneDetector, detect_scenes
from tertulia.segmentation.scenes import CLASSES

RATE = 16_000


def shares(samples):
    """Share of the time of each scene."""
    found = detect_scenes(Waveform(samples[None].astype(np.float32), RATE))
    assert sum(timeline.duration for timeline in found.scenes.values()) == pytest.approx(len(samples) / RATE)
    return {name: found.scenes[name].duration * RATE / len(samples) for name in CLASSES}


def melody(seconds, rng):
    """Notes of a scale with overtones that ring on, a third apart, two a second, over a held bass."""
    whole = np.zeros(round(seconds * RATE) + RATE)
    scale = 220 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
    time = np.arange(RATE) / RATE
    for number in range(int(2 * seconds)):
        degree = int(rng.integers(6))
        for pitch in (scale[degree], scale[degree + 2], scale[0] / 2):
            note = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 9))
            whole[number * RATE // 2 :][:RATE] += note * np.exp(-4 * time) * np.minimum(1, 100 * time)
    return 0.1 * whole[: round(seconds * RATE)] / whole.std()


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1.0, 25.0])
def test_silence_is_silence(seconds):
    assert shares(np.zeros(round(seconds * RATE)))["silence"] == 1


@pytest.mark.parametrize("seconds", [2.0, 25.0])
def test_music_is_music(seconds):
    assert shares(melody(seconds, np.random.default_rng(0)))["music"] > 0.9


def test_rushing_is_noise():
    rng = np.random.default_rng(0)
    assert shares(0.05 * rng.standard_normal(10 * RATE))["noise"] > 0.9


def test_a_second_of_anything_has_scenes(sound):
    found = shares(sound[8 * RATE : 9 * RATE])
    assert found["speech"] + found["speech over music"] > 0.5


def test_speech_is_found_and_no_music_in_it(sound, reference):
    found = SceneDetector()(Waveform(sound[None], RATE)).scenes
    spoken = found["speech"] | found["speech over music"]
    right = (spoken & reference.speech).duration
    assert right > 0.9 * reference.speech.duration
    assert found["music"].duration + found["speech over music"].duration < 0.1 * len(sound) / RATE


def test_speech_over_music_is_told_from_speech(sound, reference):
    music = melody(len(sound) / RATE, np.random.default_rng(1))
    level = np.sqrt(np.mean(sound[reference.speech.covers(np.arange(len(sound)) / RATE)] ** 2))
    found = SceneDetector()(Waveform((sound + 3 * level * music).astype(np.float32)[None], RATE)).scenes
    with_music = found["speech over music"] | found["music"]
    assert with_music.duration > 0.8 * len(sound) / RATE
    over = found["speech over music"] & reference.speech
    assert over.duration > 0.6 * reference.speech.duration
