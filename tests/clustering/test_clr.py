"""Cross likelihood ratios against likelihoods computed frame by frame."""

import numpy as np
import pytest

from tertulia.clustering.clr import cluster_by_clr, cross_likelihood_ratios, hierarchical_clr
from tertulia.gaussians import GMM, Statistics, adapted
from tertulia.speakers import ANY, Speakers

RANDOM = np.random.default_rng(0)
BACKGROUND = GMM(
    np.array([0.4, 0.6]), np.array([[-2.0, 0.0], [2.0, 1.0]]), np.array([[1.0, 2.0], [0.5, 1.0]])
)


def voice(shift: float, frames: int = 300) -> np.ndarray:
    """Frames of somebody whose sounds lie beside those of the background."""
    sounds = RANDOM.integers(0, 2, frames)
    spread = np.sqrt(BACKGROUND.variances[sounds])
    return BACKGROUND.means[sounds] + shift + spread * RANDOM.normal(size=(frames, 2))


def bound(frames: np.ndarray, model: GMM) -> float:
    """Mean over frames of the log ratio to the background with the posteriors of the background."""
    joint = BACKGROUND.log_components(frames)
    posterior = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
    return float((posterior * (model.log_components(frames) - joint)).sum(axis=1).mean())


def test_ratios_are_those_of_the_definition():
    voices = [voice(-0.5), voice(0.5, 90), voice(0.6, 40)]
    seen = [Statistics.of(BACKGROUND, frames) for frames in voices]
    models = [adapted(BACKGROUND, each, 16.0) for each in seen]
    ratios = cross_likelihood_ratios(BACKGROUND, seen)
    for i in range(3):
        for j in range(3):
            expected = bound(voices[i], models[j]) + bound(voices[j], models[i])
            assert ratios[i, j] == pytest.approx(expected, abs=1e-9)
            exact = sum(
                (models[b].log_likelihood(voices[a]) - BACKGROUND.log_likelihood(voices[a])).mean()
                for a, b in ((i, j), (j, i))
            )
            assert ratios[i, j] <= exact + 1e-9, "it is a lower bound"
    assert ratios[1, 2] > 0 > ratios[0, 1]


def test_merging_is_collecting_anew():
    voices = [voice(-0.5), voice(0.5), voice(-0.5), voice(0.5)]
    seen = [Statistics.of(BACKGROUND, frames) for frames in voices]
    tree = hierarchical_clr(BACKGROUND, seen)
    first = {tuple(sorted(pair)) for pair in tree.pairs[:2].tolist()}
    assert first == {(0, 2), (1, 3)}
    together = [seen[0] + seen[2], seen[1] + seen[3]]
    assert tree.similarities[2] == pytest.approx(cross_likelihood_ratios(BACKGROUND, together)[0, 1])


@pytest.mark.parametrize(
    ("speakers", "found"), [(ANY, 2), (Speakers(1), 1), (Speakers(4), 4), (Speakers(minimum=3), 3)]
)
def test_numbers_of_speakers(speakers, found):
    seen = [Statistics.of(BACKGROUND, voice(shift)) for shift in (-0.5, 0.5, -0.5, 0.5)]
    labels = cluster_by_clr(BACKGROUND, seen, 0.0, speakers)
    assert len(np.unique(labels)) == found


def test_clusters_without_frames_and_no_clusters():
    nothing = Statistics.of(BACKGROUND, np.empty((0, 2)))
    some = Statistics.of(BACKGROUND, voice(0.5))
    ratios = cross_likelihood_ratios(BACKGROUND, [nothing, some, nothing])
    assert np.isfinite(ratios).all()
    assert ratios[0, 1] == 0
    assert cluster_by_clr(BACKGROUND, []).shape == (0,)
    assert cluster_by_clr(BACKGROUND, [some]).tolist() == [0]
