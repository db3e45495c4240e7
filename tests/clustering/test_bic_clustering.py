"""Hierarchical BIC against a brute force that computes every distance anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.clustering.bic import cluster_by_bic, hierarchical_bic
from tertulia.errors import UsageError
from tertulia.gaussians import Moments
from tertulia.speakers import ANY, Speakers

RIDGE = 1e-3


def shift(x: np.ndarray, y: np.ndarray, weight: float) -> float:
    def weighed(part):
        covariance = np.cov(part.T, bias=True) + RIDGE * np.eye(part.shape[1])
        return len(part) / 2 * np.linalg.slogdet(covariance)[1]

    both, dim = np.concatenate([x, y]), x.shape[1]
    penalty = 0.5 * (dim + dim * (dim + 1) / 2) * np.log(len(both))
    return weighed(both) - weighed(x) - weighed(y) - weight * penalty


def brute_force(parts: list[np.ndarray], weight: float) -> list[tuple[set[int], float]]:
    """Items of the cluster that each merge makes, and its ΔBIC."""
    clusters = [(frozenset([i]), part) for i, part in enumerate(parts)]
    merges = []
    while len(clusters) > 1:
        pairs = [(i, j) for i in range(len(clusters)) for j in range(i + 1, len(clusters))]
        values = [shift(clusters[i][1], clusters[j][1], weight) for i, j in pairs]
        i, j = pairs[int(np.argmin(values))]
        merged = (clusters[i][0] | clusters[j][0], np.concatenate([clusters[i][1], clusters[j][1]]))
        merges.append((set(merged[0]), min(values)))
        clusters = [c for k, c in enumerate(clusters) if k not in (i, j)] + [merged]
    return merges


@settings(deadline=None, max_examples=25)
@given(items=st.integers(1, 7), weight=st.floats(0.5, 4), seed=st.integers(0, 1000))
def test_merges_against_brute_force(items, weight, seed):
    random = np.random.default_rng(seed)
    parts = [
        random.normal(random.integers(0, 3) * 2, 1 + random.integers(0, 2), (random.integers(5, 30), 2))
        for _ in range(items)
    ]
    edges = np.cumsum([0, *map(len, parts)])
    stretches = Moments.of(np.concatenate(parts), np.stack([edges[:-1], edges[1:]], axis=1))
    tree = hierarchical_bic(stretches, weight)
    members = {i: {i} for i in range(items)}
    expected = brute_force(parts, weight)
    assert len(tree.pairs) == len(expected)
    for (a, b), similarity, (together, value) in zip(
        tree.pairs.tolist(), tree.similarities, expected, strict=True
    ):
        members[a] |= members.pop(b)
        assert members[a] == together
        assert -similarity == pytest.approx(value, abs=1e-6)


def clouds() -> Moments:
    random = np.random.default_rng(0)
    frames = np.concatenate([random.normal(5 * (i % 2), 1, (150, 3)) for i in range(6)])
    return Moments.of(frames, [(i * 150, (i + 1) * 150) for i in range(6)])


@pytest.mark.parametrize(
    ("speakers", "found"),
    [(ANY, 2), (Speakers(3), 3), (Speakers(minimum=4), 4), (Speakers(maximum=1), 1), (Speakers(6), 6)],
)
def test_numbers_of_speakers(speakers, found):
    labels = cluster_by_bic(clouds(), 3.0, speakers)
    assert len(np.unique(labels)) == found
    if speakers is ANY:
        assert labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_more_speakers_than_stretches_are_refused():
    with pytest.raises(UsageError, match="at least 7 speakers were asked for, but there are 6 stretches"):
        cluster_by_bic(clouds(), 3.0, Speakers(minimum=7))


def test_nothing_one_and_equal_stretches():
    none = Moments.of(np.zeros((4, 2)), np.empty((0, 2)))
    assert cluster_by_bic(none).shape == (0,)
    equal = Moments.of(np.zeros((4, 2)), [(0, 1), (1, 2), (2, 4)])
    assert cluster_by_bic(equal[:1]).tolist() == [0]
    assert cluster_by_bic(equal).tolist() == [0, 0, 0]
    assert len(np.unique(cluster_by_bic(equal, speakers=Speakers(3)))) == 3
