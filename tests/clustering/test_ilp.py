"""Integer programming against exhaustive search."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.clustering.ilp import cluster_by_ilp
from tertulia.errors import UsageError
from tertulia.speakers import ANY, Speakers


def table_of(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def cost(table: np.ndarray, labels: np.ndarray, threshold: float) -> tuple[int, float]:
    """Number of clusters, and distances to the best of the centres that each of them may have."""
    total = 0.0
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        within = table[np.ix_(members, members)]
        allowed = (within <= threshold).all(axis=1)
        assert allowed.any(), "nobody in this cluster can be its centre"
        total += within[allowed].sum(axis=1).min()
    return len(np.unique(labels)), total


def exhaustive(table: np.ndarray, threshold: float, count: int | None = None) -> tuple[int, float]:
    """Fewest centres, and then the smallest total of distances, over all sets of centres."""
    items = len(table)
    for size in range(1, items + 1) if count is None else [count]:
        totals = []
        for centres in itertools.combinations(range(items), size):
            reach = np.where(table[list(centres)] <= threshold, table[list(centres)], np.inf)
            reach[np.arange(size), centres] = 0  # a centre is its own
            others = np.setdiff1d(np.arange(items), centres)
            totals.append(reach[:, others].min(axis=0).sum())
        if min(totals) < np.inf:
            return size, min(totals)
    raise AssertionError("unreachable: every item can be its own centre")


@settings(deadline=None, max_examples=60)
@given(items=st.integers(1, 8), threshold=st.floats(0.0, 2.0), seed=st.integers(0, 10_000))
def test_against_exhaustive_search(items, threshold, seed):
    table = table_of(np.random.default_rng(seed).uniform(0, 2, (items, 2)))
    partition = cluster_by_ilp(table, threshold)
    assert partition.messages == ()
    centres, total = cost(table, partition.labels, threshold)
    wanted, least = exhaustive(table, threshold)
    assert centres == wanted
    assert total == pytest.approx(least, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(items=st.integers(1, 7), data=st.data())
def test_a_number_of_centres_against_exhaustive_search(items, data):
    count = data.draw(st.integers(1, items))
    seed, threshold = data.draw(st.integers(0, 10_000)), data.draw(st.floats(0.0, 2.0))
    table = table_of(np.random.default_rng(seed).uniform(0, 2, (items, 2)))
    partition = cluster_by_ilp(table, threshold, Speakers(count))
    natural, _ = exhaustive(table, threshold)
    reach = threshold if count >= natural else np.inf
    centres, total = cost(table, partition.labels, reach)
    assert centres == count
    assert total == pytest.approx(exhaustive(table, reach, count)[1], abs=1e-6)


@pytest.mark.parametrize(
    ("speakers", "found"),
    [
        (ANY, 2),
        (Speakers(minimum=3), 3),
        (Speakers(maximum=1), 1),
        (Speakers(minimum=1, maximum=5), 2),
        (Speakers(5), 5),
    ],
)
def test_bounds(speakers, found):
    table = table_of(np.array([[0.0], [0.1], [0.2], [5.0], [5.1]]))
    labels = cluster_by_ilp(table, 0.3, speakers).labels
    assert labels.max() + 1 == len(np.unique(labels)) == found


def test_items_beyond_the_threshold_never_share_a_centre():
    random = np.random.default_rng(3)
    table = table_of(random.uniform(0, 10, (150, 2)))
    labels = cluster_by_ilp(table, 1.0).labels
    cost(table, labels, 1.0)  # asserts that every cluster has a centre


def test_out_of_time_it_is_agglomerative_and_says_so():
    random = np.random.default_rng(3)
    table = table_of(random.uniform(0, 3, (60, 2)))
    partition = cluster_by_ilp(table, 1.0, time_limit=1e-9)
    assert partition.messages == (
        "clustering of 60 items by integer programming ran out of time; agglomerative instead",
    )
    for label in np.unique(partition.labels):
        members = partition.labels == label
        assert table[np.ix_(members, members)].max() <= 1.0
    exact = cluster_by_ilp(table, 1.0, Speakers(4), time_limit=1e-9)
    assert exact.labels.max() + 1 == 4
    assert exact.messages


def test_equal_items_and_none_at_all():
    assert cluster_by_ilp(np.zeros((4, 4)), 0.0).labels.tolist() == [0, 0, 0, 0]
    assert cluster_by_ilp(np.zeros((4, 4)), 0.0, Speakers(3)).labels.max() == 2
    assert cluster_by_ilp(np.zeros((0, 0)), 0.5).labels.shape == (0,)
    assert cluster_by_ilp(np.zeros((1, 1)), 0.5).labels.tolist() == [0]


def test_more_speakers_than_items_are_refused():
    with pytest.raises(UsageError, match="exactly 3 speakers were asked for, but there are 2 stretches"):
        cluster_by_ilp(np.zeros((2, 2)), 0.5, Speakers(3))


@pytest.mark.parametrize(
    ("table", "threshold", "limit"),
    [
        (np.zeros((2, 3)), 0.5, 1.0),
        (np.full((2, 2), np.nan), 0.5, 1.0),
        (-np.ones((2, 2)), 0.5, 1.0),
        (np.zeros((2, 2)), -1.0, 1.0),
        (np.zeros((2, 2)), np.nan, 1.0),
        (np.zeros((2, 2)), 0.5, 0.0),
    ],
)
def test_what_cannot_be_clustered(table, threshold, limit):
    with pytest.raises(ValueError, match="got"):
        cluster_by_ilp(table, threshold, time_limit=limit)
