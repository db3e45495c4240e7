"""Single stages: segments by distance, speakers from segments, features in files."""

import numpy as np
import pytest

from tertulia import Diarization, Speakers, Timeline
from tertulia.chains.stages import CEPSTRAL, GROUPINGS, Regrouping, regroup, segment
from tertulia.clustering.ilp import cluster_by_ilp
from tertulia.errors import UsageError
from tertulia.featurefiles import Features
from tertulia.gaussians import Moments
from tertulia.segmentation.changes import BICChanges, CosineChanges, GLRChanges
from tertulia.traits import Traits, traits_of, with_traits

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Features of somebody for 6 s, somebody else for 4 s, and the first again for 5 s, in a text file."""
    sounds = RANDOM.normal(size=(2, 13, 13))
    parts = [
        RANDOM.normal(size=(frames, 13)) @ sounds[who] * 3 for who, frames in ((0, 600), (1, 400), (0, 500))
    ]
    path = tmp_path_factory.mktemp("features") / "show.txt"
    np.savetxt(path, np.concatenate(parts), fmt="%.5f")
    return path


@pytest.fixture(scope="module")
def cut(table) -> Diarization:
    return segment(table, GLRChanges())


# ── segments ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", [BICChanges(), GLRChanges()], ids=["bic", "glr"])
def test_segments_are_cut_where_the_source_changes(table, method):
    found = segment(table, method)
    assert found.uri == "show"
    assert found.speakers == ("S0", "S1", "S2")
    edges = [turn.start for turn in found]
    assert edges == pytest.approx([0.0, 6.0, 10.0], abs=0.1)
    assert found.speech.duration == pytest.approx(15.0)
    assert found.provenance.system == "segment"


def test_pauses_are_left_out_before_windows_are_compared(table):
    """The first pause hides the change: it lies where speech goes on."""
    speech = Timeline([(0.0, 5.5), (6.5, 9.0), (9.5, 15.0)])
    found = segment(table, GLRChanges(), speech)
    assert found.speech == speech
    assert [turn.start for turn in found] == pytest.approx([0.0, 6.5, 9.5, 10.0], abs=0.1)
    assert found.speakers == ("S0", "S1", "S2")


def test_no_speech_is_no_segment(table):
    assert len(segment(table, GLRChanges(), Timeline())) == 0
    silence = (np.zeros(16_000, np.float32), 16_000)
    assert len(segment(silence, GLRChanges())) == 0
    assert len(segment(silence, CosineChanges(), Timeline([(5.0, 9.0)]))) == 0


def test_speech_shorter_than_two_windows_is_one_segment(table):
    assert segment(table, GLRChanges(), Timeline([(5.0, 7.0)])).speakers == ("S0",)


def test_methods_that_need_sound_refuse_features(table):
    with pytest.raises(UsageError, match="needs audio, not a file of features"):
        segment(table, CosineChanges())


def test_networks_cut_sound(recording):
    found = segment(recording, CosineChanges())
    assert 3 < len(found.speakers) < 20
    assert found.duration == 30.0


# ── speakers ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", CEPSTRAL)
def test_stretches_of_one_person_are_one_speaker(table, cut, method):
    found = regroup(table, cut, Regrouping(method), Speakers(2))
    assert found.speakers == ("S0", "S1")
    assert found["S0"].bounds.ravel() == pytest.approx([0.0, 6.0, 10.0, 15.0], abs=0.1)


def test_bic_needs_no_number(table, cut):
    assert len(regroup(table, cut, Regrouping("bic")).speakers) == 2
    assert len(regroup(table, cut, Regrouping("bic", threshold=1000.0)).speakers) == 1


@pytest.mark.parametrize("method", ["duration", "agglomerative"])
def test_networks_group_stretches_of_sound(recording, reference, method):
    stretches = Diarization([(t.start, t.end, f"S{k}") for k, t in enumerate(reference)], uri="conversation")
    found = regroup(recording, stretches, Regrouping(method), Speakers(2))
    assert len(found.speakers) == 2
    assert found.speech.duration == pytest.approx(reference.speech.duration, abs=0.05)


def test_turns_of_one_name_are_stretches_by_themselves_when_asked_for(table):
    mixed = Diarization([(0.0, 5.9, "a"), (6.1, 10.0, "a"), (10.0, 15.0, "b")])
    whole = regroup(table, mixed, Regrouping("bic"), Speakers(2))
    single = regroup(table, mixed, Regrouping("bic"), Speakers(2), turns=True)
    assert whole.speakers == ("a", "b")
    assert single.speakers == ("S0", "S1")
    assert single["S1"].bounds.tolist() == [[6.1, 10.0]]


def test_speakers_keep_the_traits_that_all_their_stretches_have(table, cut):
    known = with_traits(
        cut, {"S0": Traits("F", "S"), "S1": Traits("M", "T"), "S2": Traits("F", "T", "music")}
    )
    found = regroup(table, known, Regrouping("bic"), Speakers(2))
    assert traits_of(found) == {"S0": Traits("F", "U"), "S1": Traits("M", "T")}


def test_stretches_beyond_the_end_are_left_out(table, cut):
    longer = Diarization(
        [*((t.start, t.end, t.speaker) for t in cut), (14.0, 99.0, "S9"), (50.0, 60.0, "S8")]
    )
    found = regroup(table, longer, Regrouping("bic"), Speakers(3))
    assert "S8" not in found.speakers
    assert found.duration == pytest.approx(15.0)


def test_nothing_is_nobody(table):
    for method in CEPSTRAL:
        assert len(regroup(table, Diarization([]), Regrouping(method))) == 0


def test_one_frame_stretches_and_overlapped_ones_are_grouped(table):
    tiny = Diarization([(1.0, 1.01, "a"), (2.0, 2.01, "b"), (0.0, 15.0, "c"), (3.0, 3.002, "d")])
    for method in CEPSTRAL:
        found = regroup(table, tiny, Regrouping(method), Speakers(2))
        assert len(found.speakers) == 2


def test_out_of_time_the_result_says_so(table):
    stretches = Diarization([(float(k), k + 1.0, f"S{k}") for k in range(15)])
    late = Regrouping("ivector-ilp", threshold=1.9, time_limit=1e-9)
    messages = regroup(table, stretches, late).provenance.messages
    assert any("ran out of time; agglomerative instead" in message for message in messages)


def test_methods_that_do_not_exist_and_features_that_do_not_fit(table, cut, tmp_path):
    with pytest.raises(UsageError, match="unknown method of clustering 'hac'"):
        Regrouping("hac")
    with pytest.raises(UsageError, match="embedding"):
        Regrouping("duration", embedding="nobody")
    with pytest.raises(UsageError, match="needs audio"):
        regroup(table, cut, Regrouping("duration"))
    narrow = tmp_path / "narrow.txt"
    np.savetxt(narrow, np.zeros((500, 3)))
    with pytest.raises(UsageError, match="needs 13 cepstra, c0 first; got 3"):
        regroup(narrow, cut, Regrouping("clr"))
    assert set(CEPSTRAL) < set(GROUPINGS)


def test_all_equal_features_are_one_speaker_and_no_nan(tmp_path, cut):
    flat = tmp_path / "flat.txt"
    np.savetxt(flat, np.full((1500, 13), 2.0))
    for method in CEPSTRAL:
        assert len(regroup(flat, cut, Regrouping(method)).speakers) == 1
    gaussians = Moments.of(np.full((10, 13), 2.0), [(0, 0), (0, 1), (1, 10)])
    assert np.isfinite(gaussians.log_determinant).all()
    assert cluster_by_ilp(np.zeros((0, 0)), 0.5).labels.shape == (0,)
    assert Features(np.zeros((3, 13), np.float32), 0.01).duration == pytest.approx(0.03)
