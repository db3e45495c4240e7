import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.clustering import CLUSTERERS
from tertulia.clustering.kmeans import KMeansClusterer, kmeans, silhouette
from tertulia.embedding import Voices, unit
from tertulia.errors import UsageError
from tertulia.speakers import ANY, Speakers

EAST, NORTH, UP = np.eye(3)


def voices(vectors, support=3.0, hop=1.0) -> Voices:
    """One local speaker a window; None is silent, NaN has no vector."""
    silent = np.array([vector is None for vector in vectors])
    rows = np.array([np.full(3, np.nan) if v is None else v for v in vectors], np.float32)
    seconds = np.where(silent, 0.0, support).astype(np.float32)[:, None, None]
    return Voices(rows[:, None, None], seconds, seconds, seconds, hop, 10.0)


def near(vector, seed: int, count: int) -> list:
    return list(vector + np.random.default_rng(seed).normal(scale=0.05, size=(count, 3)))


def labels(given: Voices, speakers: Speakers = ANY, **settings) -> list:
    return KMeansClusterer(**settings)(given, speakers)[:, 0, 0].tolist()


def same(found, expected) -> bool:
    """Whether two labellings are one partition."""
    return len(set(zip(found, expected, strict=True))) == len(set(found)) == len(set(expected))


def test_it_is_registered():
    assert CLUSTERERS["kmeans"] is KMeansClusterer


@pytest.mark.parametrize("speakers", [ANY, Speakers(3), Speakers(minimum=2), Speakers(maximum=5)])
def test_three_people(speakers):
    given = voices(near(EAST, 0, 5) + near(NORTH, 1, 4) + near(UP, 2, 3))
    assert same(labels(given, speakers), [0] * 5 + [1] * 4 + [2] * 3)


def test_one_person_is_not_cut_unless_asked():
    given = voices(list(EAST + np.random.default_rng(0).normal(scale=0.3, size=(12, 3))))
    assert set(labels(given, width=0.9)) == {0}
    assert set(labels(given, Speakers(2))) == {0, 1}
    assert len(set(labels(given, Speakers(minimum=3), width=0.9))) >= 3


def test_silence_and_what_has_no_vector():
    nothing = np.full(3, np.nan)
    given = voices([EAST, None, nothing, NORTH, EAST, NORTH])
    found = labels(given, Speakers(2))
    assert found[1] == -1
    assert found[2] >= 0
    assert same([found[i] for i in (0, 3, 4, 5)], [0, 1, 0, 1])
    assert labels(voices([None, None])) == [-1, -1]
    assert labels(voices([nothing])) == [0]


def test_pieces_without_a_vector_go_with_their_neighbours():
    vectors = np.full((2, 1, 4, 3), np.nan, np.float32)
    vectors[0, 0, 0], vectors[0, 0, 3], vectors[1, 0, 1] = EAST, NORTH, NORTH
    seconds = np.ones((2, 1, 4), np.float32)
    found = KMeansClusterer(least=0.5)(Voices(vectors, seconds, seconds, seconds, 1.0, 0.5), Speakers(2))
    east, north = found[0, 0, 0], found[0, 0, 3]
    assert found[0, 0].tolist() == [east, east, north, north]
    assert found[1, 0].tolist() == [north] * 4


def test_short_voices_are_labelled_but_move_nothing():
    between = unit(np.array([1.0, 0.9, 0.0]))
    given = voices([EAST, EAST, NORTH, NORTH, between], support=np.array([3, 3, 3, 3, 0.2]))
    found = labels(given, Speakers(2))
    assert same(found[:4], [0, 0, 1, 1])
    assert found[4] == found[0]


@pytest.mark.parametrize("count", [3, 4])
def test_too_many_speakers_are_refused(count):
    with pytest.raises(UsageError, match=f"exactly {count} speakers were asked for, .* only 2 stretches"):
        labels(voices([EAST, NORTH]), Speakers(count))
    with pytest.raises(UsageError, match="no speech at all"):
        labels(voices([None]), Speakers(count))


@pytest.mark.parametrize("wrong", [{"least": -1}, {"restarts": 0}, {"most": 0}, {"width": 2}, {"slack": -1}])
def test_settings_out_of_range(wrong):
    with pytest.raises(ValueError, match="from 0"):
        KMeansClusterer(**wrong)


def test_the_same_every_time():
    given = voices(list(np.random.default_rng(3).normal(size=(40, 3))))
    assert labels(given, Speakers(5)) == labels(given, Speakers(5))


def test_restarts_find_the_best_partition_there_is():
    """Against all partitions: the sum of cosines to the centres is the sum of lengths of the parts' sums.

    No number of restarts makes that certain: a seed is always one of the vectors.
    """
    found, best = [], []
    for seed, (size, count) in enumerate(itertools.product((3, 4, 5, 6, 7), (2, 3)), start=100):
        for each in range(4):
            rng = np.random.default_rng((seed, each))
            vectors, weights = unit(rng.normal(size=(size, 3))).astype(float), rng.uniform(0.5, 2, size)
            best.append(tightest(vectors, weights, count))
            found.append(max(kmeans(vectors, weights, count, rng)[1] for _ in range(40)))
    equal = np.isclose(found, best, rtol=1e-6)
    assert (np.array(found) <= np.array(best) * (1 + 1e-6)).all()
    assert equal.mean() >= 0.95


def tightest(vectors, weights, count):
    """The most that any partition into as many parts reaches."""
    return max(
        sum(
            np.linalg.norm((weights[:, None] * vectors)[np.array(parts) == part].sum(axis=0))
            for part in set(parts)
        )
        for parts in itertools.product(range(count), repeat=len(vectors))
        if len(set(parts)) == count
    )


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 12))
@settings(deadline=None, max_examples=60)
def test_a_known_number_is_obeyed(seed, size, count):
    """Also where vectors coincide and cannot all be told apart."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(size, 3))
    rows[rng.random(size) < 0.3] = rows[0]
    given = voices(list(rows))
    if count > size:
        with pytest.raises(UsageError):
            labels(given, Speakers(count))
    else:
        assert set(labels(given, Speakers(count))) == set(range(count))


def test_silhouette_by_hand():
    """Two at one place and one opposite: the pair has width 1, who is alone 0."""
    vectors = np.array([EAST, EAST, -EAST])
    assert silhouette(vectors, np.array([0, 0, 1])) == pytest.approx(2 / 3)
    # The first has 2 to its mate and 0 to the other part: width −1; so has the last; the middle is alone.
    assert silhouette(np.array([EAST, EAST, -EAST]), np.array([0, 1, 0])) == pytest.approx((-1 + 0 + 0) / 3)
