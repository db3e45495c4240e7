"""The evolutive HMM: made-up voices, hints, degenerate recordings, provenance."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

import tertulia
from tertulia import Speakers
from tertulia.audio import open_audio
from tertulia.chains import ehmm
from tertulia.chains.ehmm import EvolutiveHMM
from tertulia.chains.recording import WholeRecording, cepstra
from tertulia.errors import UsageError
from tertulia.featurefiles import Features
from tertulia.gaussians.background import background
from tertulia.segmentation.mixtures import KINDS
from tertulia.speakers import ANY
from tertulia.traits import traits_of

CHAIN = EvolutiveHMM()


@pytest.fixture(scope="module")
def features(recording) -> Features:
    with open_audio(recording) as opened:
        return cepstra(opened)[0]


def voices(*turns: tuple[int, float]) -> np.ndarray:
    """Frames of two dozen sounds, which every person makes a little beside where the background has them.

    (person, seconds) for each turn.
    """
    random, ubm = np.random.default_rng(0), background().ubm
    common = np.argsort(-ubm.weights)[:24]
    aside = np.random.default_rng(1).normal(0, 0.9, size=(8, 24, ubm.dim))  # in deviations
    parts = []
    for person, seconds in turns:
        sounds = random.integers(24, size=round(100 * seconds))
        apart = aside[person][sounds] + random.normal(size=(len(sounds), ubm.dim))
        parts.append(ubm.means[common][sounds] + np.sqrt(ubm.variances[common][sounds]) * apart)
    return np.concatenate(parts).astype(np.float32)


def evolved(frames: np.ndarray, speakers: Speakers = ANY, chain: EvolutiveHMM = CHAIN) -> np.ndarray:
    return chain.evolve(frames, speakers, lambda _: None)


def test_people_are_added_until_nobody_is_left():
    turns = [(0, 12), (1, 9), (0, 8), (2, 10), (1, 6)]
    labels = evolved(voices(*turns))
    edges = np.cumsum([0, *(round(100 * seconds) for _, seconds in turns)])
    heard = [np.bincount(labels[a:b], minlength=3) for a, b in pairwise(edges.tolist())]
    assert min(counts.max() / counts.sum() for counts in heard) > 0.95
    said = [int(counts.argmax()) for counts in heard]
    assert said[0] == said[2]
    assert said[1] == said[4]
    assert sorted({*said}) == [0, 1, 2] == np.unique(labels).tolist()


def test_one_person_is_one():
    assert not evolved(voices((0, 40))).any()


@pytest.mark.parametrize("speakers", [Speakers(1), Speakers(2), Speakers(4), Speakers(6)], ids=str)
def test_a_number_is_obeyed_whatever_is_heard(speakers):
    labels = evolved(voices((0, 12), (1, 12)), speakers)
    assert np.array_equal(np.unique(labels), np.arange(speakers.num))


def test_turns_last_their_minimum():
    labels = evolved(voices((0, 10), (1, 10), (0, 10), (1, 10)), Speakers(2))
    changes = np.flatnonzero(np.diff(labels)) + 1
    lengths = np.diff(np.r_[0, changes, len(labels)])
    assert lengths.min() >= round(100 * CHAIN.stay) - 1


@pytest.mark.parametrize("count", [1, 2, 5, 30, 150, 299, 301])
@pytest.mark.parametrize("speakers", [ANY, Speakers(1), Speakers(2)], ids=str)
def test_few_frames_and_equal_ones_are_somebody(count, speakers):
    if count < speakers.least:
        return
    labels = evolved(np.full((count, 25), 0.7, np.float32), speakers)
    assert labels.shape == (count,)
    assert len(np.unique(labels)) in speakers


def test_frames_nobody_has_ever_heard_give_labels():
    labels = evolved(np.full((800, 25), 1e3, np.float32))
    assert labels.shape == (800,)


def test_no_frames_are_nobody():
    assert evolved(np.empty((0, 25), np.float32)).shape == (0,)


def test_fewer_frames_than_speakers_are_refused(monkeypatch):
    speech = KINDS.index("speech")
    monkeypatch.setattr(ehmm, "kinds_of_sound", lambda cepstra: np.full(len(cepstra), speech))
    few = Features(np.ones((2, 13), np.float32), 0.01)
    with pytest.raises(UsageError, match="exactly 3 speakers were asked for"):
        WholeRecording(CHAIN).diarize(few, Speakers(3))


def test_hours_are_thinned_out_and_labelled_all_the_same(monkeypatch):
    monkeypatch.setattr(ehmm, "_MOST_FRAMES", 1000)
    labels = evolved(voices((0, 20), (1, 20)), Speakers(2))
    assert labels.shape == (4000,)
    assert np.bincount(labels).min() > 1500


# ── whole recordings ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "speakers", [Speakers(1), Speakers(3), Speakers(minimum=4), Speakers(maximum=1)], ids=str
)
def test_hints_are_obeyed_exactly(features, speakers):
    assert len(WholeRecording(CHAIN).diarize(features, speakers).speakers) in speakers


@pytest.mark.parametrize("seconds", [0.01, 2.0])
def test_silence_is_nobody(seconds):
    found = tertulia.load("alize-ehmm")((np.zeros(round(16_000 * seconds), np.float32), 16_000))
    assert len(found) == 0
    assert found.duration == pytest.approx(seconds)


def test_result_and_provenance(recording):
    seen = []
    result = tertulia.load("alize-ehmm")(recording, progress=seen.append)
    assert result.speakers == tuple(f"SPEAKER_{i:02d}" for i in range(len(result.speakers)))
    assert (result.provenance.system, result.provenance.models) == (
        "alize-ehmm",
        {"background": background().sha256},
    )
    assert {trait.gender for trait in traits_of(result).values()} <= {"F", "M"}
    done = [step.done for step in seen]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(30.0)


@pytest.mark.parametrize(
    ("values", "step", "said"),
    [
        (np.zeros((9, 12), np.float32), 0.01, "at least 13 cepstra, c0 first, every 0.01 s; got 12"),
        (np.zeros((9, 13), np.float32), 0.02, "got 13 features every 0.02 s"),
    ],
)
def test_features_of_another_kind_are_refused(values, step, said):
    with pytest.raises(UsageError, match=said):
        WholeRecording(CHAIN).diarize(Features(values, step))


@pytest.mark.parametrize(
    "settings", [{"seed": 0.0}, {"stay": -1.0}, {"switch": 1.0}, {"rounds": 0}, {"most": 0}, {"least": 0.0}]
)
def test_impossible_settings(settings):
    with pytest.raises(ValueError, match="above zero"):
        dataclasses.replace(CHAIN, **settings)
