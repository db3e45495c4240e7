"""i-vectors against the posterior of a Gaussian, and training on made-up speakers."""

import numpy as np
import pytest

from tertulia.errors import ModelMissingError
from tertulia.frames import Grid
from tertulia.gaussians import GMM, Statistics
from tertulia.gaussians.background import Background, background, scene_features, voice_features
from tertulia.gaussians.ivectors import Extractor, train_extractor
from tertulia.mfcc import mfcc

RANDOM = np.random.default_rng(0)
ONE = GMM([1.0], [[1.0, -1.0, 0.0]], [[1.0, 2.0, 0.5]])
MATRIX = RANDOM.normal(size=(1, 3, 2))


def test_one_component_is_the_textbook_posterior():
    """Frames x = μ + T w + noise of variance Σ, w standard normal: solved as one linear Gaussian model."""
    frames = RANDOM.normal(size=(7, 3))
    mean, covariance = Extractor(ONE, MATRIX).posterior([Statistics.of(ONE, frames)])
    stacked = np.tile(MATRIX[0], (7, 1))  # (7 · 3, 2)
    noise = np.diag(np.tile(ONE.variances[0], 7))
    observed = (frames - ONE.means[0]).ravel()
    gain = stacked.T @ np.linalg.inv(stacked @ stacked.T + noise)
    np.testing.assert_allclose(mean[0], gain @ observed)
    np.testing.assert_allclose(covariance[0], np.eye(2) - gain @ stacked, atol=1e-12)


def test_without_frames_it_is_the_prior():
    mean, covariance = Extractor(ONE, MATRIX).posterior([Statistics.of(ONE, np.empty((0, 3)))])
    np.testing.assert_array_equal(mean, 0)
    np.testing.assert_allclose(covariance[0], np.eye(2))
    assert Extractor(ONE, MATRIX)([]).shape == (0, 2)


def test_training_finds_the_direction_in_which_voices_differ():
    model = GMM([0.5, 0.5], [[-5.0, 0.0], [5.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]])
    directions = np.array([[0.0, 1.0], [1.0, 0.0]])  # of component 0 and 1
    seen = []
    for _ in range(200):
        sounds = RANDOM.integers(0, 2, 100)
        frames = (
            model.means[sounds] + 0.8 * RANDOM.normal() * directions[sounds] + RANDOM.normal(size=(100, 2))
        )
        seen.append(Statistics.of(model, frames))
    trained = train_extractor(model, seen, 1, iterations=20).matrix[:, :, 0]
    trained = trained * np.sign(trained[0, 1])
    np.testing.assert_allclose(trained, 0.8 * directions, atol=0.15)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Extractor(ONE, np.zeros((2, 3, 4))), r"with \(1, 3\); got \(2, 3, 4\)"),
        (lambda: train_extractor(ONE, [], 2), "needs two stretches"),
        (lambda: train_extractor(ONE, [Statistics.of(ONE, np.zeros((3, 3)))] * 2, 0), "rank"),
    ],
)
def test_what_is_no_extractor(make, said):
    with pytest.raises(ValueError, match=said):
        make()


# ── the bundled models ───────────────────────────────────────────────────────────────────────────────────


def test_bundled_models_fit_each_other():
    models = background()
    assert isinstance(models, Background)
    assert models is background()
    assert set(models.sounds) == {
        "silence",
        "noise",
        "music",
        "speech",
        "speech over music",
        "telephone speech",
    }
    assert {mixture.dim for mixture in (*models.sounds.values(), *models.voices.values())} == {26}
    assert models.ubm.dim == 25
    assert models.whitening.shape == (models.extractor.rank,) * 2
    assert models.vectors([]).shape == (0, models.extractor.rank)
    nothing = models.vectors([Statistics.of(models.ubm, np.empty((0, 25)))])
    assert np.isfinite(nothing).all()


def test_features_of_the_models():
    cepstra = RANDOM.normal(size=(50, 13)).astype(np.float32)
    assert scene_features(cepstra).shape == (50, 26)
    assert voice_features(cepstra).shape == (50, 25)
    louder = cepstra + np.eye(1, 13, dtype=np.float32) * 20
    np.testing.assert_allclose(scene_features(louder), scene_features(cepstra), atol=1e-4)
    np.testing.assert_allclose(voice_features(louder), voice_features(cepstra), atol=1e-5)
    assert scene_features(cepstra[:0]).shape == (0, 26)
    assert voice_features(cepstra[:0]).shape == (0, 25)


def test_the_same_voice_is_nearer_than_another(sound, reference):
    whole, models = voice_features(mfcc(sound)), background()
    masks = [Grid(0.01).mask(timeline, len(whole)) for _, timeline in reference.exclusive().items()]
    halves = [half for mask in masks for half in np.array_split(whole[mask], 2)]
    vectors = models.vectors([Statistics.of(models.ubm, half) for half in halves])
    similar = vectors @ vectors.T
    assert min(similar[0, 1], similar[2, 3]) > similar[:2, 2:].max()


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_files_that_are_no_models(tmp_path, content):
    path = tmp_path / "models.npz"
    if content is None:
        np.savez(path, something=np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(ModelMissingError, match="models"):
        background(path)
    with pytest.raises(ModelMissingError, match="cannot be read"):
        background(tmp_path / "missing.npz")
