"""Clustering by distances alone, on tables small enough to follow."""

from __future__ import annotations

import numpy as np
import pytest

from tertulia.clustering.distances import cluster_by_distance
from tertulia.errors import UsageError
from tertulia.speakers import Speakers


def table(points: list[float]) -> np.ndarray:
    """Distances of points on a line."""
    at = np.array(points)
    return np.abs(at[:, None] - at)


def same(labels: np.ndarray, expected: list[int]) -> bool:
    """Whether two labellings are one partition."""
    return (
        len({*zip(labels.tolist(), expected, strict=True)}) == len(set(expected)) == len(set(labels.tolist()))
    )


def test_merging_stops_at_the_threshold():
    points = [0.0, 0.1, 5.0, 5.1, 9.0]
    seconds = np.ones(5)
    assert same(cluster_by_distance(table(points), seconds, 1.0), [0, 0, 1, 1, 2])
    assert same(cluster_by_distance(table(points), seconds, 4.5), [0, 0, 1, 1, 1])
    assert same(cluster_by_distance(table(points), seconds, 0.01), [0, 1, 2, 3, 4])


def test_means_are_weighted_by_seconds():
    # {0, 2} is 1.9 away from 3 by seconds, and 2 by count; 4.92 lies between
    points, seconds = [0.0, 2.0, 4.92], np.array([1.0, 9.0, 1.0])
    near, far = (cluster_by_distance(table(points), seconds, t) for t in (3.2, 3.0))
    # mean distance of the last from the first two: 0.1 · 4.92 + 0.9 · 2.92 = 3.12
    assert same(near, [0, 0, 0])
    assert same(far, [0, 0, 1])


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_the_count_is_kept(count):
    labels = cluster_by_distance(table([0, 0.1, 5, 5.1, 9]), np.ones(5), 1.0, Speakers(count))
    assert sorted(set(labels.tolist())) == list(range(count))


def test_short_stretches_join_what_is_nearest():
    labels = cluster_by_distance(table([0, 0.1, 5, 5.1, 4.0]), np.array([2, 2, 2, 2, 0.3]), 0.5, least=1.0)
    assert same(labels, [0, 0, 1, 1, 1])


def test_a_cluster_of_a_second_is_nobody_unless_it_is_needed():
    points, seconds = [0, 0.1, 5, 5.1, 40.0], np.array([9.0, 9, 9, 9, 1])
    assert same(cluster_by_distance(table(points), seconds, 0.5, smallest=3.0), [0, 0, 1, 1, 1])
    # of two who are asked for, the outlier is not one: that would leave one for everybody else
    assert same(cluster_by_distance(table(points), seconds, 0.5, Speakers(2), smallest=3.0), [0, 0, 1, 1, 1])
    assert same(
        cluster_by_distance(table(points), seconds, 0.5, Speakers(3), smallest=3.0), [0, 1, 2, 2, 2]
    ) or same(cluster_by_distance(table(points), seconds, 0.5, Speakers(3), smallest=3.0), [0, 0, 1, 2, 2])


def test_nothing_and_too_little():
    assert cluster_by_distance(np.empty((0, 0)), np.empty(0), 1.0).shape == (0,)
    with pytest.raises(UsageError, match="exactly 3 speakers were asked for"):
        cluster_by_distance(table([0, 1]), np.ones(2), 1.0, Speakers(3))
