"""The LIUM chain: stages on made-up features, hints, degenerate recordings, traits and provenance."""

import dataclasses

import numpy as np
import pytest

import tertulia
from tertulia import Speakers
from tertulia.audio import open_audio
from tertulia.chains import lium
from tertulia.chains.lium import LIUMChain, Show
from tertulia.chains.recording import WholeRecording, cepstra
from tertulia.errors import UsageError
from tertulia.evaluation import diarization_error
from tertulia.featurefiles import Features
from tertulia.gaussians.background import background
from tertulia.segmentation.mixtures import KINDS
from tertulia.speakers import ANY
from tertulia.traits import traits_of

SYSTEMS = ["lium-clr", "lium-ilp"]


@pytest.fixture(scope="module")
def features(recording) -> Features:
    with open_audio(recording) as opened:
        return cepstra(opened)[0]


@pytest.fixture(scope="module")
def show(features) -> Show:
    return LIUMChain().listen(features, ANY)


def chain(clustering: str, **settings: float) -> LIUMChain:
    return dataclasses.replace(LIUMChain(clustering=clustering), **settings)


def test_clusters_tile_the_speech(show, features):
    assert show.labels.shape == (len(features.values),)
    heard = show.labels[show.labels >= 0]
    assert set(np.unique(heard)) == set(range(len(show)))
    assert sum(seen.frames for seen in show.statistics) == len(heard) == show.gaussians.count.sum()


@pytest.mark.parametrize("clustering", ["bic", "clr", "ilp"])
@pytest.mark.parametrize(
    "speakers", [Speakers(1), Speakers(2), Speakers(5), Speakers(minimum=4), Speakers(maximum=1)], ids=str
)
def test_hints_are_obeyed_exactly(features, clustering, speakers):
    found = WholeRecording(chain(clustering)).diarize(features, speakers)
    assert len(found.speakers) in speakers


@pytest.mark.parametrize("name", SYSTEMS)
def test_two_people_are_told_apart(name, sound, reference):
    """What each of the two says, one after the other."""
    parts = [
        np.concatenate([sound[round(16_000 * s.start) : round(16_000 * s.end)] for s in timeline])
        for _, timeline in reference.exclusive().items()
    ]
    edge, end = len(parts[0]) / 16_000, sum(map(len, parts)) / 16_000
    truth = tertulia.Diarization([(0.0, edge, "a"), (edge, end, "b")])
    result = tertulia.load(name)((np.concatenate(parts), 16_000), Speakers(2))
    error = diarization_error(truth, result)
    assert error.confusion_rate < 0.1
    assert error.der < 0.25


def test_collapsing_is_merging(show):
    labels = np.arange(len(show)) % 2
    half = show.collapsed(labels)
    assert len(half) == min(2, len(show))
    np.testing.assert_array_equal(half.labels, show.merged(labels))
    assert half.gaussians.count.sum() == show.gaussians.count.sum()
    np.testing.assert_allclose(
        sum(seen.first for seen in half.statistics), sum(seen.first for seen in show.statistics)
    )
    again = half.collapsed(np.zeros(len(half), dtype=np.intp))
    assert len(again) == 1


# ── recordings that hold little ──────────────────────────────────────────────────────────────────────────

SILENCE = (np.zeros(32_000, np.float32), 16_000)
CLICK = (np.r_[np.zeros(160), 1.0, np.zeros(159)].astype(np.float32), 16_000)
HISS = (np.random.default_rng(0).normal(0, 0.01, 48_000).astype(np.float32), 16_000)
TONE = (0.5 * np.sin(np.arange(48_000) / 9).astype(np.float32), 16_000)


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("source", [SILENCE, CLICK, HISS, TONE], ids=["silence", "click", "hiss", "tone"])
def test_little_to_hear_is_a_short_result_or_none(name, source):
    result = tertulia.load(name)(source)
    assert result.duration == pytest.approx(len(source[0]) / 16_000)
    for turn in result:
        assert 0 <= turn.start < turn.end <= result.duration


def test_nobody_cannot_be_somebody():
    with pytest.raises(UsageError, match="exactly 2 speakers were asked for, but the recording holds"):
        tertulia.load("lium-clr")(CLICK, Speakers(2))


@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_equal_features_never_give_a_number_that_is_none(count, monkeypatch):
    """Though all of it is taken for speech."""
    speech = KINDS.index("speech")
    monkeypatch.setattr(lium, "kinds_of_sound", lambda cepstra: np.full(len(cepstra), speech))
    values = np.full((count, 13), 3.0, np.float32)
    for clustering in ("bic", "clr", "ilp"):
        show = chain(clustering).listen(Features(values, 0.01), ANY)
        assert np.isfinite(show.gaussians.log_determinant).all()
        partition = chain(clustering).speakers([show], ANY)
        assert len(partition.labels) == len(show) == min(count, 1)
    if count:
        labels = chain("ilp").listen(Features(values, 0.01), Speakers(minimum=min(count, 2))).labels
        assert len(np.unique(labels)) == min(count, 2)


@pytest.mark.parametrize(
    ("values", "step", "said"),
    [
        (np.zeros((9, 12), np.float32), 0.01, "at least 13 cepstra, c0 first, every 0.01 s; got 12"),
        (np.zeros((9, 13), np.float32), 0.02, "got 13 features every 0.02 s"),
    ],
)
def test_features_of_another_kind_are_refused(values, step, said):
    with pytest.raises(UsageError, match=said):
        WholeRecording(LIUMChain()).diarize(Features(values, step))


# ── around the chain ─────────────────────────────────────────────────────────────────────────────────────


def test_result_and_provenance(recording):
    seen = []
    result = tertulia.load("lium-ilp")(recording, progress=seen.append)
    assert result.uri == "conversation"
    assert result.duration == 30.0
    assert result.speakers == tuple(f"SPEAKER_{i:02d}" for i in range(len(result.speakers)))
    about = result.provenance
    assert (about.system, about.models) == ("lium-ilp", {"background": background().sha256})
    assert about.settings["chain"]["clustering"] == "ilp"
    assert {trait.band for trait in traits_of(result).values()} <= {"S", "T"}
    assert {trait.gender for trait in traits_of(result).values()} <= {"F", "M"}
    done = [step.done for step in seen]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(30.0)
    assert seen[-1].total == pytest.approx(30.0)


def test_out_of_time_the_result_says_so(features):
    late = WholeRecording(chain("ilp", time_limit=1e-9, threshold=1.9, purity=0.5))
    messages = late.diarize(features).provenance.messages
    assert any("ran out of time; agglomerative instead" in message for message in messages)


def test_channels_apart(sound):
    stereo = np.stack([sound, np.zeros_like(sound)])
    system = tertulia.load("lium-clr")
    mono, split = system((sound, 16_000)), system((stereo, 16_000), channels="split")
    assert split == mono
    assert system((stereo, 16_000), channels=0) == mono
    assert traits_of(split) == traits_of(mono)


def test_a_file_of_features_is_as_good_as_audio(features, tmp_path, recording):
    path = tmp_path / "conversation.txt"
    np.savetxt(path, features.values, fmt="%.6f")
    system = tertulia.load("lium-clr")
    from_file = system(path, Speakers(2))
    from_audio = system(recording, Speakers(2))
    assert from_file.uri == "conversation"
    assert diarization_error(from_audio, from_file).der < 0.02


def test_other_networks_cannot_be_put_in():
    with pytest.raises(UsageError, match="lium-clr has no networks that could be exchanged"):
        tertulia.load("lium-clr", embedding="campplus")


@pytest.mark.parametrize(
    "settings", [{"window": 0.01}, {"stay": 0.0}, {"components": 0}, {"purity": 0.0}, {"switch": 1.0}]
)
def test_impossible_settings(settings):
    with pytest.raises(ValueError, match="above zero"):
        LIUMChain(**settings)
