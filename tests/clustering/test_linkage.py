import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.clustering.linkage import agglomerate, collect, premerge


def similarity(sum_a, weight_a, sum_b, weight_b, attenuation: float) -> float:
    """Cosine over what noise leaves of it, as the docstring of `agglomerate` says."""
    cosine = sum_a @ sum_b / (np.linalg.norm(sum_a) * np.linalg.norm(sum_b))
    expected = 1 / np.sqrt((1 + attenuation / weight_a) * (1 + attenuation / weight_b))
    return cosine / expected


def brute_force(sums, weights, attenuation: float, stop: float = -np.inf):
    """Compare all pairs at every step; clusters as sets of items, with similarities."""
    clusters = [(frozenset([i]), sums[i], weights[i]) for i in range(len(sums))]
    history = []
    while len(clusters) > 1:
        pairs = [(i, j) for i in range(len(clusters)) for j in range(i)]
        found = [similarity(*clusters[i][1:], *clusters[j][1:], attenuation) for i, j in pairs]
        if max(found) <= stop:
            break
        i, j = pairs[int(np.argmax(found))]
        (items_i, sum_i, weight_i), (items_j, sum_j, weight_j) = clusters[i], clusters[j]
        history.append((items_i | items_j, max(found)))
        del clusters[i], clusters[j]  # i > j
        clusters.append((items_i | items_j, sum_i + sum_j, weight_i + weight_j))
    return history


def merged_sets(tree):
    """What each merge of a dendrogram makes, as a set of items."""
    clusters = {i: frozenset([i]) for i in range(tree.items)}
    made = []
    for a, b in tree.pairs.tolist():
        clusters[a] = clusters[a] | clusters.pop(b)
        made.append(clusters[a])
    return made


def partition(labels) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def voices(speakers: int, each: int, spread: float, seed: int = 0, dim: int = 24):
    """Vectors of well separated directions, shuffled: sums, weights and who is who."""
    random = np.random.default_rng(seed)
    directions = np.linalg.qr(random.normal(size=(dim, dim)))[0][:speakers]
    who = random.permutation(np.repeat(np.arange(speakers), each))
    weights = random.uniform(0.5, 5, len(who))
    vectors = directions[who] + spread * random.normal(size=(len(who), dim)) / np.sqrt(dim)
    return vectors * weights[:, None], weights, who


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 14), st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 2.0]), st.integers(2, 6))
def test_the_same_merges_as_brute_force(items, seed, attenuation, dim):
    random = np.random.default_rng(seed)
    weights = random.uniform(0.1, 5, items)
    sums = random.normal(size=(items, dim)) * weights[:, None]
    tree = agglomerate(sums, weights, attenuation)
    expected = brute_force(sums, weights, attenuation)
    assert merged_sets(tree) == [items for items, _ in expected]
    np.testing.assert_allclose(tree.similarities, [value for _, value in expected], rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 14), st.integers(0, 10**6), st.floats(-0.9, 0.99))
def test_stopping_early_is_a_prefix(items, seed, stop):
    random = np.random.default_rng(seed)
    sums, weights = random.normal(size=(items, 3)), random.uniform(0.1, 5, items)
    whole, cut = agglomerate(sums, weights, 0.5), agglomerate(sums, weights, 0.5, stop)
    assert len(cut.pairs) == whole.merges_above(stop)
    np.testing.assert_array_equal(cut.pairs, whole.pairs[: len(cut.pairs)])


def test_scipy_s_dendrogram_where_the_two_agree():
    """On equally long vectors of weight one, far enough apart, the two notions of a centroid give one tree.

    scipy's centroid linkage compares means by Euclidean distance, this one compares their directions; means
    of tight clusters are nearly of unit length, and then nearest is most similar.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    sums, _, who = voices(5, 12, 0.3)
    unit = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    tree = agglomerate(unit, np.ones(len(unit)), 0.0)
    theirs = linkage(unit, "centroid")
    for clusters in (2, 3, 4, 5):
        labels = fcluster(theirs, clusters, "maxclust")
        if clusters == 5:
            assert partition(labels) == partition(who)
            assert partition(tree.labels(len(unit) - clusters)) == partition(labels)
    # The first merge is the nearest pair for both, whatever comes after.
    assert set(tree.pairs[0].tolist()) == set(theirs[0, :2].astype(int).tolist())


def test_attenuation_lets_short_stretches_join():
    """Two vectors of one direction, each with as much noise as voice: cosine one half, corrected one."""
    axes = np.eye(4)
    sums = np.array([axes[0] + axes[1], axes[0] + axes[2]])
    one_second = np.ones(2)
    assert agglomerate(sums, one_second, 0.0).similarities == pytest.approx([0.5])
    assert agglomerate(sums, one_second, 1.0).similarities == pytest.approx([1.0])
    assert agglomerate(100 * sums, 100 * one_second, 1.0).similarities == pytest.approx([0.5 * 1.01])


def test_the_correction_is_right_on_average():
    """Noise of variance attenuation / w lowers the cosine by exactly what is put back."""
    random = np.random.default_rng(1)
    dim, attenuation = 400, 0.7
    direction = np.zeros(dim)
    direction[0] = 1
    for seconds in ([0.5, 0.5], [0.5, 8.0], [2.0, 4.0]):
        weights = np.array(seconds)
        found = [
            agglomerate(
                (direction + random.normal(size=(2, dim)) * np.sqrt(attenuation / weights / dim)[:, None])
                * weights[:, None],
                weights,
                attenuation,
            ).similarities[0]
            for _ in range(300)
        ]
        assert np.mean(found) == pytest.approx(1.0, abs=0.03)


def test_scale_does_not_matter():
    sums, weights, _ = voices(3, 6, 1.0)
    assert merged_sets(agglomerate(sums, weights, 0.7)) == merged_sets(agglomerate(sums * 0.01, weights, 0.7))


def test_the_arguments_are_left_alone():
    sums, weights, _ = voices(2, 4, 0.5)
    before = sums.copy(), weights.copy()
    agglomerate(sums, weights, 0.7)
    premerge(sums, weights, 0.7, 0.8, block=3)
    np.testing.assert_array_equal(sums, before[0])
    np.testing.assert_array_equal(weights, before[1])


def test_one_item():
    tree = agglomerate(np.ones((1, 3)), np.ones(1), 0.7)
    assert (tree.items, len(tree.pairs), len(tree.similarities)) == (1, 0, 0)
    assert tree.labels(0).tolist() == [0]
    assert tree.merges_above(0.5) == 0


def test_labels_are_numbered_from_zero():
    sums, weights, who = voices(3, 5, 0.1)
    tree = agglomerate(sums, weights, 0.0)
    assert sorted(set(tree.labels(0))) == list(range(15))
    assert sorted(set(tree.labels(12))) == [0, 1, 2]
    assert partition(tree.labels(12)) == partition(who)
    assert tree.labels(14).tolist() == [0] * 15


def test_merges_above_stops_at_the_first_at_or_below():
    sums, weights, _ = voices(3, 5, 0.1)
    tree = agglomerate(sums, weights, 0.0)
    assert tree.merges_above(0.5) == 12
    assert tree.merges_above(1.1) == 0
    assert tree.merges_above(-2.0) == 14
    assert tree.merges_above(tree.similarities[5]) == 5


# ── in stages ────────────────────────────────────────────────────────────────────────────────────────────


def test_going_on_from_clusters_is_going_on():
    """Clusters are all that is left of their items: a second round ends where one round would have."""
    sums, weights, _ = voices(4, 10, 0.8)
    whole = agglomerate(sums, weights, 0.7)
    first = whole.labels(25)
    second = agglomerate(*collect(sums, weights, first), 0.7)
    for merges in (0, 5, 10, 14):
        assert partition(second.labels(merges)[first]) == partition(whole.labels(25 + merges))


def test_collect_adds_up():
    sums, weights = np.array([[1.0, 0], [0, 2], [3, 3]]), np.array([1.0, 2, 4])
    total, seconds = collect(sums, weights, np.array([1, 0, 1]))
    assert total.tolist() == [[0, 2], [4, 3]]
    assert seconds.tolist() == [2, 5]


@pytest.mark.parametrize("block", [7, 20, 50])
def test_blocks_find_what_one_table_finds(block):
    sums, weights, who = voices(5, 40, 0.5)
    early = premerge(sums, weights, 0.0, stop=0.8, block=block)
    assert early.max() + 1 < len(who) / 2
    tree = agglomerate(*collect(sums, weights, early), 0.0)
    labels = tree.labels(tree.merges_above(0.5))[early]
    assert partition(labels) == partition(who)


def test_few_items_are_left_for_later():
    sums, weights, _ = voices(2, 10, 0.1)
    assert premerge(sums, weights, 0.0, stop=0.5, block=20).tolist() == list(range(20))


def test_what_is_not_alike_is_not_merged():
    random = np.random.default_rng(0)
    sums = random.normal(size=(60, 100))  # nearly orthogonal, all of them
    labels = premerge(sums, np.ones(60), 0.0, stop=0.9, block=15)
    assert len(np.unique(labels)) == 60


def test_what_is_left_is_bounded_even_if_nothing_is_alike():
    random = np.random.default_rng(0)
    sums = random.normal(size=(60, 100))
    assert premerge(sums, np.ones(60), 0.0, stop=0.9, block=10).max() + 1 <= 40


def test_twenty_thousand_items_in_bounded_time():
    sums, weights, who = voices(8, 2500, 0.4, dim=64)
    begin = time.process_time()
    early = premerge(sums, weights, 0.7, stop=0.82)
    assert early.max() + 1 <= 1000
    tree = agglomerate(*collect(sums, weights, early), 0.7)
    labels = tree.labels(tree.merges_above(0.62))[early]
    assert time.process_time() - begin < 60
    assert partition(labels) == partition(who)
