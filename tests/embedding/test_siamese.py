"""Twin branches at run time: sums over cells are what pooling of frames says."""

from __future__ import annotations

import numpy as np
import pytest

from tertulia.embedding.pooling import statistics
from tertulia.embedding.siamese import CELL, Siamese, summed
from tertulia.embedding.voices import unit
from tertulia.errors import ModelMissingError

BRANCHES = ["siamese-mfcc", "siamese-sincnet", "siamese-wav2vec"]


@pytest.fixture(scope="module", params=BRANCHES)
def branch(request: pytest.FixtureRequest) -> Siamese:
    return Siamese(weights=request.param, threads=1)


def test_cells_pooled_are_frames_pooled(branch: Siamese, sound: np.ndarray):
    samples = sound[16_000:80_000]
    frames = branch._frames_of(samples)
    expected = branch._project(statistics(frames, np.ones((1, len(frames)), np.float32)))
    cells = branch.cells(samples)
    assert cells.shape == (40, branch.columns)
    assert cells[:, 0].sum() == len(frames)
    np.testing.assert_allclose(branch.pooled(cells.sum(axis=0)[None]), expected, atol=1e-3)


def test_what_is_no_speech_does_not_count(branch: Siamese, sound: np.ndarray):
    samples = sound[16_000:48_000]
    half = np.arange(200) < 100
    cells = branch.cells(samples, half)
    np.testing.assert_allclose(cells[:9], branch.cells(samples)[:9], rtol=1e-4, atol=1e-3)
    assert not cells[11:].any()


def test_windows_are_sums_around_every_cell(branch: Siamese, sound: np.ndarray):
    cells = branch.cells(sound[:64_000])
    windows = branch.windows(cells, 1.5)
    assert windows.shape == (40, 128)
    np.testing.assert_allclose(windows[20], branch.pooled(cells[13:28].sum(axis=0)[None])[0], atol=1e-4)
    np.testing.assert_allclose(windows[0], branch.pooled(cells[:8].sum(axis=0)[None])[0], atol=1e-4)


def test_one_voice_is_nearer_than_two(branch: Siamese, sound: np.ndarray, reference):
    mine, hers = (
        branch.pooled(
            np.array(
                [
                    branch.cells(sound[round(s * 16_000) : round(e * 16_000)]).sum(axis=0)
                    for s, e in (reference[name] - reference.overlap).bounds.tolist()
                    if e - s > 1
                ]
            )
        )
        for name in reference.speakers
    )
    across = float((mine @ hers.T).mean())
    within = [float((v @ v.T)[np.triu_indices(len(v), 1)].mean()) for v in (mine, hers) if len(v) > 1]
    assert np.mean(within) > across


def test_too_little_is_no_vector(branch: Siamese):
    assert branch.cells(np.zeros(300, np.float32)).shape == (1, branch.columns)
    assert not branch.pooled(np.zeros((2, branch.columns))).any()
    assert branch.sliding(np.zeros(0, np.float32), 1.5).values.shape == (0, 128)


def test_long_sound_slides_as_short_does(branch: Siamese, sound: np.ndarray):
    features = branch.sliding(sound[:400_000], 1.5)
    assert features.step == CELL
    assert features.values.shape == (250, 128)
    np.testing.assert_allclose(np.linalg.norm(features.values, axis=1), 1, atol=1e-4)


def test_masks_of_a_window(branch: Siamese, windows, activity):
    voices = branch(windows, activity)
    assert voices.vectors.shape == (5, 3, 1, 128)
    found = voices.vectors[voices.embedded]
    np.testing.assert_allclose(found, unit(found), atol=1e-5)


def test_sums_by_hand():
    assert summed(np.array([[1, 2], [3, 4]])).tolist() == [[0, 0], [1, 2], [4, 6]]


def test_weights_that_are_not_there():
    with pytest.raises(ModelMissingError, match="no weights 'siamese-nobody-frames'"):
        Siamese(weights="siamese-nobody")
