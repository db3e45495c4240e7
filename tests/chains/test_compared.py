"""Systems that compare segments: the steps on numbers made up for them, and the baselines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tertulia.chains.baselines import (
    GaussianChain,
    NeighbourChain,
    RandomChain,
    cepstral_cells,
    pair_features,
)
from tertulia.chains.compared import Compared, Heard, heard_cells
from tertulia.chains.siamese import SiameseChain
from tertulia.embedding.siamese import summed
from tertulia.errors import UsageError
from tertulia.featurefiles import Features
from tertulia.mfcc import STEP, mfcc
from tertulia.speakers import ANY, Speakers

CHAINS = [GaussianChain, NeighbourChain, RandomChain]


@dataclass(frozen=True)
class Numbers(Compared):
    """Voices are numbers: the first feature is speech or not, the second whose."""

    def heard(self, features: Features) -> Heard:
        values = features.values.astype(float)
        where = np.flatnonzero(values[:, 0] > 0)
        return Heard(where, summed(np.stack([np.ones(len(where)), values[where, 1]], axis=1)), features.step)

    def distances(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.abs(one[:, 1] / one[:, 0] - other[:, 1] / other[:, 0])

    def table(self, heard: Heard, bounds: np.ndarray) -> np.ndarray:
        sums = heard.sums(bounds[:, 0], bounds[:, 1])
        means = sums[:, 1] / sums[:, 0]
        return np.abs(means[:, None] - means)


def said(*parts: tuple[float, float | None]) -> Features:
    """Seconds and voice of each part; None is silence."""
    rows = [[(0, 0) if who is None else (1, who)] * round(10 * seconds) for seconds, who in parts]
    return Features(np.concatenate(rows).astype(np.float32), 0.1)


def found(features: Features, speakers: Speakers = ANY) -> list[list[list[float]]]:
    turns = Numbers()(features, speakers, lambda _: None).turns
    return [np.round(turn.bounds, 6).tolist() for turn in turns]


# ── the steps ────────────────────────────────────────────────────────────────────────────────────────────


def test_boundaries_are_where_two_windows_differ_most():
    assert found(said((4, 1.0), (3, 2.0), (5, 1.0))) == [[[0, 4], [7, 12]], [[4, 7]]]


def test_a_pause_ends_a_segment_and_silence_is_nobody_s():
    chain = Numbers()
    heard = chain.heard(said((2, 1.0), (1, None), (2, 1.0), (0.2, None), (2, 1.0)))
    assert chain.segments(heard).tolist() == [[0, 20], [20, 60]]
    assert found(said((2, 1.0), (1, None), (2, 1.0))) == [[[0, 2], [3, 5]]]


def test_one_number_more_or_less_of_speakers():
    conversation = said((4, 1.0), (4, 1.3), (4, 3.0))
    assert len(found(conversation)) == 2  # 0.3 apart is one voice
    assert len(found(conversation, Speakers(1))) == 1
    assert len(found(said((4, 1.0), (1, None), (4, 1.3), (1, None), (4, 3.0)), Speakers(3))) == 3


@pytest.mark.parametrize("features", [said((3, None)), Features(np.empty((0, 2), np.float32), 0.1)])
def test_silence_has_no_speakers(features):
    assert found(features) == []
    with pytest.raises(UsageError, match="no speech at all"):
        found(features, Speakers(2))


def test_cells_that_are_mostly_speech():
    speech = np.array([1, 1, 1, 0, 0, 1, 0, 0, 1, 1], bool)
    heard = heard_cells(np.arange(10.0)[:, None], speech, 3, 0.01)
    assert heard.where.tolist() == [0, 3]  # 0 to 2, and 9, which is short
    assert heard.total[:, 0].tolist() == [0, 3, 12]
    assert heard.step == pytest.approx(0.03)


# ── baselines ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def cepstra(sound: np.ndarray) -> Features:
    return Features(mfcc(sound), STEP)


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_at_random_everybody_speaks(cepstra, count):
    turns = RandomChain()(cepstra, Speakers(count), lambda _: None).turns
    assert sum(len(turn) > 0 for turn in turns) == count


def test_random_is_the_same_again_and_other_with_another_seed(cepstra):
    one, again, other = (RandomChain(seed=s)(cepstra, Speakers(2), lambda _: None).turns for s in (0, 0, 1))
    assert one[0].bounds.tolist() == again[0].bounds.tolist() != other[0].bounds.tolist()


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_count_is_kept(chain, cepstra, count):
    turns = chain()(cepstra, Speakers(count), lambda _: None).turns
    assert sum(len(turn) > 0 for turn in turns) == count


@pytest.mark.parametrize("chain", CHAINS)
def test_nothing_heard(chain):
    silence = Features(np.empty((0, 13), np.float32), STEP)
    assert not any(len(turn) for turn in chain()(silence, ANY, lambda _: None).turns)
    with pytest.raises(UsageError):
        chain()(silence, Speakers(2), lambda _: None)


@pytest.mark.parametrize("chain", [*CHAINS, SiameseChain])
def test_features_of_another_kind_are_refused(chain):
    with pytest.raises(UsageError, match=r"needs at least 13 cepstra|hears sound"):
        chain()(Features(np.zeros((100, 5), np.float32), 0.02), ANY, lambda _: None)


def test_neighbours_vote():
    chain = NeighbourChain(neighbours=3)
    known, different, scale, _ = chain.known
    # a known pair itself is so near that its vote decides
    votes = chain.votes(known[:200] * scale)
    assert ((votes > 0.5) == different[:200]).all()
    # … and far from everything all have nearly the same
    far = np.full((1, 24), 1e6)
    everybody = NeighbourChain(neighbours=len(known)).votes(far)[0]
    assert everybody == pytest.approx(different.mean(), abs=0.01)


def test_pairs_are_compared_by_means_and_deviations():
    rng = np.random.default_rng(0)
    one = np.concatenate([np.zeros((1000, 1)), rng.normal(1, 1, (1000, 12))], axis=1).astype(np.float32)
    other = np.concatenate([np.zeros((1000, 1)), rng.normal(3, 2, (1000, 12))], axis=1).astype(np.float32)
    speech = np.ones(1000, bool)
    differs = pair_features(*(cepstral_cells(x, speech).total[-1] for x in (one, other)))
    np.testing.assert_allclose(differs[:12], 2, atol=0.25)
    np.testing.assert_allclose(differs[12:], 10 * np.log(2), atol=1.0)


def test_gaussian_ratio_is_zero_for_one_distribution_and_not_for_two():
    rng, chain = np.random.default_rng(0), GaussianChain()
    frames = rng.normal(0, 1, (3, 2000, 13)).astype(np.float32) + np.array([0, 0, 2])[:, None, None]
    one, alike, other = (cepstral_cells(f, np.ones(2000, bool)).total[-1:] for f in frames)
    assert chain.distances(one, alike)[0] < 0.02
    # twelve dimensions, each with variance 1 alone and 2 together
    assert chain.distances(one, other)[0] == pytest.approx(12 * np.log(2) / 2, rel=0.1)


@pytest.mark.parametrize(
    "settings", [{"width": 0}, {"pause": 0}, {"smallest": 1.0}, {"least": -1}, {"apart": 0}]
)
def test_settings_that_cannot_be(settings):
    with pytest.raises(ValueError, match="above zero"):
        NeighbourChain(**settings)
