"""Integer programming on the voices of a network."""

import dataclasses

import numpy as np
import pytest

from tertulia.clustering.programmed import ILPClusterer, similarities
from tertulia.speakers import Speakers


def test_similarities_by_hand():
    sums = np.array([[2.0, 0.0], [3.0, 3.0], [0.0, 0.0]])
    found = similarities(sums, np.array([1.0, 3.0, 1.0]), 1.0)
    assert found[0, 1] == pytest.approx(np.sqrt(0.5) * np.sqrt(2 * 4 / 3))
    assert found[0, 0] == pytest.approx(2.0)
    assert found[2].tolist() == [0, 0, 0]


def test_pure_clusters_add_up_and_are_as_many_as_asked_for(voices):
    clusterer = ILPClusterer()
    sums, weights = clusterer.pure_clusters(voices)
    more, heavier = clusterer.pure_clusters(voices, Speakers(minimum=len(sums) + 1))
    assert len(more) > len(sums) >= 2
    np.testing.assert_allclose(more.sum(axis=0), sums.sum(axis=0), atol=1e-6)
    assert heavier.sum() == pytest.approx(weights.sum())


def test_two_people_are_found_without_a_hint(voices):
    labels = ILPClusterer()(voices, Speakers())
    assert len(np.unique(labels[labels >= 0])) == 2


def test_out_of_time_it_warns(voices):
    hurried = dataclasses.replace(ILPClusterer(), time_limit=1e-9, pure=0.95, threshold=0.1)
    with pytest.warns(RuntimeWarning, match="ran out of time; agglomerative instead"):
        labels = hurried(voices, Speakers(2))
    assert len(np.unique(labels[labels >= 0])) == 2
