from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.audio import Waveform
from tertulia.audio.windows import slide
from tertulia.detection import LETTERS, SceneDetector
from tertulia.detection.scenes import most_likely_path
from tertulia.formats import FORMATS
from tertulia.frames import Grid
from tertulia.pipeline import Sliding
from tertulia.segmentation import Activity
from tertulia.segmentation.music import MusicIgnored
from tertulia.segmentation.scenes import CLASSES
from tertulia.timeline import Timeline

RATE = 16_000
LEVELS = np.array([0.0, 0.1, 0.2, 0.3, 0.4])  # of the samples; each stands for a class


@dataclass(frozen=True)
class ByLevel:
    """Tells the classes from the level of the samples, and is wrong in one frame of a hundred."""

    hop: float = 3.0
    wrong: bool = False

    sample_rate, window = RATE, 4.0
    networks = {}  # noqa: RUF012

    def probabilities(self, windows):
        frames = windows.stack().reshape(len(windows), -1, 160)
        level = np.abs(frames).mean(axis=2)
        found = np.abs(level[..., None] - LEVELS).argmin(axis=2)
        if self.wrong:
            found[:, ::100] = (found[:, ::100] + 1) % 5
        return np.where(np.arange(5) == found[..., None], 0.9, 0.025).astype(np.float32)


def strip(*scenes):
    """Sound of (class, seconds) after one another."""
    parts = [np.full(round(seconds * RATE), LEVELS[CLASSES.index(name)]) for name, seconds in scenes]
    return Waveform(np.concatenate(parts).astype(np.float32)[None], RATE)


PROGRAMME = [("music", 2.5), ("speech", 3.0), ("speech over music", 4.0), ("silence", 1.0), ("noise", 2.0)]


def detector(**options):
    return SceneDetector(ByLevel(wrong=True), sliding=Sliding(batch=2), **options)


def test_scenes_fill_the_recording():
    found = detector()(strip(*PROGRAMME), name="show.wav")
    lines = FORMATS["audioseg"].dumps(found.to_diarization()).splitlines()
    assert lines == [
        "0.0000000 2.5000000 m",
        "2.5000000 5.5000000 s",
        "5.5000000 9.5000000 ms",
        "9.5000000 10.5000000 -",
        "10.5000000 12.5000000 n",
    ]
    assert found.uri == "show"
    assert found.duration == 12.5
    assert found.frames.scores.shape == (1250, 5)
    assert found.frames.scores.sum(axis=1) == pytest.approx(np.ones(1250), abs=1e-5)
    assert found.provenance.settings["scenes"] == {"change": 6.0}


def test_without_a_cost_every_frame_counts():
    lines = FORMATS["audioseg"].dumps(detector(change=0.0)(strip(*PROGRAMME)).to_diarization()).splitlines()
    assert len(lines) > 15


@pytest.mark.parametrize("seconds", [0.008, 0.5, 3.999, 4.0, 7.0, 20.0])
@pytest.mark.parametrize("kind", ["silence", "music"])
def test_one_scene_is_one_line_however_long(kind, seconds):
    found = SceneDetector(ByLevel())(strip((kind, seconds)))
    (line,) = FORMATS["audioseg"].dumps(found.to_diarization()).splitlines()
    assert line.split()[2] == LETTERS[kind]
    assert float(line.split()[1]) == pytest.approx(seconds, abs=1e-6)


class Known:
    """A presenter who speaks from 3 to 6 s."""

    def __call__(self, source, *, channels="mix", name=""):
        return Timeline([(3.0, 6.0)])


@dataclass(frozen=True)
class KnownPresenter(Known):
    false_accept: float = 0.01


def test_the_presenter_is_told_from_others():
    found = detector(presenter=KnownPresenter())(strip(*PROGRAMME)).scenes
    assert found["speech"] == Timeline([(3.0, 5.5)])
    assert found["speech over music"] == Timeline([(5.5, 6.0)])
    assert found["others"] == Timeline([(2.5, 3.0), (6.0, 9.5)])
    assert sum(timeline.duration for timeline in found.values()) == pytest.approx(12.5)


def test_every_scene_has_its_letter():
    assert set(LETTERS) == {*CLASSES, "others"}
    assert len(set(LETTERS.values())) == len(LETTERS)


def test_the_path_is_the_best_of_all():
    rng = np.random.default_rng(0)
    for change in (0.0, 0.7, 3.0):
        logs = np.log(rng.dirichlet(np.ones(3), 6)).astype(np.float32)

        def score(path, logs=logs, change=change):
            moved = sum(a != b for a, b in itertools.pairwise(path))
            return logs[np.arange(6), list(path)].sum() - change * moved

        best = max(itertools.product(range(3), repeat=6), key=score)
        assert score(most_likely_path(logs, change)) == pytest.approx(score(best), abs=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(0, 1000))
def test_without_cost_the_path_is_the_likeliest_class(frames, seed):
    logs = np.log(np.random.default_rng(seed).dirichlet(np.ones(5), frames))
    assert most_likely_path(logs, 0.0).tolist() == logs.argmax(axis=1).tolist()


def test_a_negative_cost_is_refused():
    with pytest.raises(ValueError, match="change is a cost from zero; got -1"):
        SceneDetector(ByLevel(), change=-1.0)


# ── music that is nobody ─────────────────────────────────────────────────────────────────────────────────


class Everybody:
    """Hears two people all the time, on a grid of its own."""

    sample_rate, window, hop = RATE, 4.0, 2.0
    networks = {"everybody": None}  # noqa: RUF012

    def __call__(self, windows):
        ones = np.ones((len(windows), 200, 2), np.float32)
        return Activity(ones, ones > 0, ones, 2 * ones[..., 0], Grid(0.02), windows.hop / RATE)


def test_nobody_is_heard_where_only_music_plays():
    sound = strip(("music", 2.0), ("speech over music", 1.0), ("speech", 1.0)).samples[0]
    (windows,) = slide([sound], RATE, size=4 * RATE, hop=2 * RATE, batch=4)
    segmenter = MusicIgnored(Everybody(), ByLevel(), certain=0.8)
    heard = segmenter(windows)
    middles = heard.grid.middles(200)
    assert not heard.active[0, middles < 1.7].any()
    assert heard.active[0, middles > 2.3].all()
    assert (heard.count[0, middles < 1.7] == 0).all()
    assert (heard.count[0, middles > 2.3] == 2).all()
    assert not heard.scores[0, middles < 1.7].any()
    assert not heard.solo[0, middles < 1.7].any()
    assert (segmenter.window, segmenter.hop, segmenter.sample_rate) == (4.0, 2.0, RATE)
    assert set(segmenter.networks) == {"everybody"}


@pytest.mark.parametrize("certain", [0.0, 1.1])
def test_impossible_probabilities_are_refused(certain):
    with pytest.raises(ValueError, match="certain is a probability in"):
        MusicIgnored(Everybody(), ByLevel(), certain)


def test_rates_must_agree():
    other = Everybody()
    other.sample_rate = 8_000
    with pytest.raises(ValueError, match="music is told at 16000 Hz; this segmentation is at 8000 Hz"):
        MusicIgnored(other, ByLevel())
