"""Verification by adapted mixtures: norms by hand, recordings that hold too little or too many people."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tertulia.chains import Found
from tertulia.cli import main
from tertulia.errors import InputError, ModelMissingError, UsageError
from tertulia.gaussians import Statistics
from tertulia.gaussians.background import background
from tertulia.gaussians.ratios import sides, stacked
from tertulia.identity import VERIFIERS, gmm
from tertulia.identity.calibration import Calibration
from tertulia.identity.gmm import NORMS, GaussianVerifier, Impostors, speech_of, statistics_of

RANDOM = np.random.default_rng(0)
COHORT = Impostors(RANDOM.normal(size=(5, 4)), RANDOM.normal(size=(5, 4)))
MODELS, EVIDENCE = RANDOM.normal(size=(2, 4)), RANDOM.normal(size=(3, 4))


def standard(value: float, cohort: list[float]) -> float:
    return (value - np.mean(cohort)) / np.std(cohort)


def test_norms_by_hand():
    raw = COHORT.scores(MODELS, EVIDENCE, "none")
    z, t, zt = (COHORT.scores(MODELS, EVIDENCE, norm) for norm in ("z", "t", "zt"))
    for i in range(2):
        for j in range(3):
            assert raw[i, j] == pytest.approx(MODELS[i] @ EVIDENCE[j])
            speech = [float(MODELS[i] @ each) for each in COHORT.evidence]
            assert z[i, j] == pytest.approx(standard(raw[i, j], speech))
            tests = [float(each @ EVIDENCE[j]) for each in COHORT.models]
            assert t[i, j] == pytest.approx(standard(raw[i, j], tests))
            normed = []
            for k, score in enumerate(tests):
                others = [float(COHORT.models[k] @ COHORT.evidence[m]) for m in range(5) if m != k]
                normed.append(standard(score, others))
            assert zt[i, j] == pytest.approx(standard(z[i, j], normed))


def test_norms_undo_gain_and_offset_of_a_model_and_of_a_test():
    z = COHORT.scores(MODELS, EVIDENCE, "z")
    np.testing.assert_allclose(COHORT.scores(3 * MODELS, EVIDENCE, "z"), z)
    t = COHORT.scores(MODELS, EVIDENCE, "t")
    np.testing.assert_allclose(COHORT.scores(MODELS, 3 * EVIDENCE, "t"), t)


@pytest.mark.parametrize("norm", NORMS)
def test_what_says_nothing_is_a_finite_score(norm):
    scores = COHORT.scores(np.zeros((1, 4)), np.zeros((1, 4)), norm)
    assert np.isfinite(scores).all()
    equal = Impostors(np.ones((3, 4)), np.ones((3, 4)))
    assert np.isfinite(equal.scores(MODELS, EVIDENCE, norm)).all()
    assert COHORT.scores(np.empty((0, 4)), EVIDENCE, norm).shape == (0, 3)


def test_impossible_cohorts_and_norms():
    with pytest.raises(ValueError, match="three stretches or more"):
        Impostors(np.ones((2, 4)), np.ones((2, 4)))
    with pytest.raises(ValueError, match="three stretches or more"):
        Impostors(np.ones((3, 4)), np.ones((4, 4)))
    with pytest.raises(ValueError, match="a norm is one of none, z, t, zt; got 's'"):
        COHORT.scores(MODELS, EVIDENCE, "s")


# ── speech ───────────────────────────────────────────────────────────────────────────────────────────────


def test_quiet_frames_of_speech_are_left_out(monkeypatch):
    monkeypatch.setattr(gmm, "kinds_of_sound", lambda cepstra: np.full(len(cepstra), 3))
    cepstra = np.zeros((400, 13), np.float32)
    cepstra[:, 0] = RANDOM.normal(60, 3, 400)
    cepstra[100:200, 0] = RANDOM.normal(10, 3, 100)
    assert np.array_equal(np.flatnonzero(~speech_of(cepstra)), np.arange(100, 200))


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_level_speech_is_kept_whole(monkeypatch, count):
    monkeypatch.setattr(gmm, "kinds_of_sound", lambda cepstra: np.full(len(cepstra), 3))
    assert speech_of(np.full((count, 13), 5.0, np.float32)).sum() == count


def test_no_speech_is_no_frame():
    silence = np.zeros((300, 13), np.float32)
    assert statistics_of(silence, np.zeros(300, dtype=bool)).frames == 0


# ── recordings ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def verifier() -> GaussianVerifier:
    return GaussianVerifier.load()


@pytest.fixture(scope="module")
def halves(sound, reference) -> list[tuple[np.ndarray, int]]:
    """Two halves of what each of the two says alone."""
    found = []
    for timeline in dict(reference.items()).values():
        alone = timeline - reference.overlap
        parts = [sound[round(s.start * 16_000) : round(s.end * 16_000)] for s in alone]
        found += [(half, 16_000) for half in np.array_split(np.concatenate(parts), 2)]
    return found


def test_the_same_person_scores_more_than_another(verifier, halves):
    def score(i: int, j: int) -> float:
        return verifier(halves[i], halves[j], false_accept=0.1, one_speaker=True).decision.score.llr

    # Four seconds each, of one recording: its channel makes everybody alike, so single pairs may fail.
    assert score(0, 1) + score(2, 3) > score(0, 2) + score(1, 3)


def test_order_does_not_matter_and_decisions_follow_the_rate(verifier, halves):
    one, other = (
        verifier(*pair, false_accept=0.05, one_speaker=True) for pair in (halves[:2], halves[1::-1])
    )
    assert one.decision == other.decision
    assert one.seconds == other.seconds[::-1]
    strict = verifier(*halves[:2], false_accept=0.001, one_speaker=True)
    assert strict.decision.threshold > one.decision.threshold
    assert one.decision.accepted == (one.decision.score.llr >= one.decision.threshold)
    assert 0 < one.probability < 1


def test_the_score_is_that_of_the_two_directions(verifier, halves):
    cepstra = [gmm.cepstra_of(half) for half in halves[:2]]
    seen = [statistics_of(each, speech_of(each)) for each in cepstra]
    evidence, models = sides(*stacked(background().ubm, seen))
    table = verifier.impostors.scores(models, evidence, "t")
    score = verifier.score(*seen)
    assert score.normalised == pytest.approx((table[0, 1] + table[1, 0]) / 2)
    raw = models @ evidence.T
    assert score.raw == pytest.approx((raw[0, 1] + raw[1, 0]) / 2)


def test_nothing_seen_is_a_finite_score(verifier):
    nothing = Statistics.of(background().ubm, np.empty((0, 25)))
    assert np.isfinite(verifier.score(nothing, nothing).llr)


@pytest.mark.parametrize("seconds", [0.02, 3.0])
def test_silence_is_too_little(verifier, halves, seconds):
    silence = (np.zeros(round(16_000 * seconds), np.float32), 16_000)
    with pytest.raises(InputError, match=r"0\.0 s of speech is too little"):
        verifier(halves[0], silence, false_accept=0.01)


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, float("nan")])
def test_impossible_rates(verifier, halves, rate):
    with pytest.raises(UsageError, match="between 0 and 1"):
        verifier(halves[0], halves[1], false_accept=rate)


def test_several_people_are_refused(verifier, sound, reference):
    """Where the chain finds two and their ratio speaks for two; not where it speaks for one."""
    found = Found([timeline for _, timeline in reference.items()])
    for offset, refused in ((-1e3, True), (1e3, False)):
        certain = GaussianVerifier(
            verifier.impostors,
            Calibration(np.array([offset, 1.0, 0.0, 0.0])),
            verifier.points,
            chain=lambda features, speakers, stage: found,
        )
        if refused:
            with pytest.raises(InputError, match=r"more than one person speaks: somebody else at \d+\.\d–"):
                certain((sound, 16_000), (sound, 16_000), false_accept=0.1)
        else:
            assert certain((sound, 16_000), (sound, 16_000), false_accept=0.1).seconds[0] > 10


# ── the command, and the file ────────────────────────────────────────────────────────────────────────────


def test_the_command(recording, capsys):
    assert "gmm-ubm" in VERIFIERS
    arguments = ["verify", str(recording), str(recording), "--system", "gmm-ubm", "--one-speaker", "--json"]
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["same"] is True
    assert document["system"] == "gmm-ubm"
    assert document["score"] >= document["threshold"]


@pytest.mark.parametrize("content", [None, b"", b"no archive", {"count": 1}, {"background": "other"}])
def test_files_that_hold_no_cohort(tmp_path, monkeypatch, content):
    path = tmp_path / "cohort.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        np.savez(path, **content)
    monkeypatch.setattr(gmm, "PARAMETERS", path)
    with pytest.raises(ModelMissingError, match=r"cohort\.npz"):
        GaussianVerifier.load()
