from __future__ import annotations

import numpy as np
import pytest

from tertulia.errors import InputError
from tertulia.identity.compensation import Compensation


def test_the_matrix_by_hand():
    # Within speakers only the first axis varies: deviations ±1 of two voices each, two degrees of freedom.
    voices = np.array([[1.0, 5.0], [-1.0, 5.0], [1.0, -5.0], [-1.0, -5.0]])
    found = Compensation.fit([(voices, ["Ada", "Ada", "Bob", "Bob"])], smoothing=0.5).matrix
    # W = diag(4 / 2, 0), λ tr(W) / 2 = 0.5, so B ∝ diag(2.5, 0.5)^(−½): the second axis counts √5 times.
    assert found[1, 1] / found[0, 0] == pytest.approx(np.sqrt(5))
    np.testing.assert_allclose(found[[0, 1], [1, 0]], 0, atol=1e-12)
    assert np.mean(found**2) == pytest.approx(1)


def test_what_two_sets_vary_in_is_added():
    along = [np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[0.0, 2.0], [0.0, -2.0]])]
    found = Compensation.fit([(voices, ["Ada", "Ada"]) for voices in along], smoothing=1e-9).matrix
    # W = diag(2, 8): the first axis counts twice as much as the second.
    assert found[0, 0] / found[1, 1] == pytest.approx(2)


def test_what_is_compensated_varies_alike_in_all_directions():
    rng = np.random.default_rng(0)
    spread = np.diag([3.0, 1.0, 0.3, 0.1])
    speakers = np.repeat(np.arange(50), 40)
    means = rng.standard_normal((50, 4)) * 10
    voices = means[speakers] + rng.standard_normal((2000, 4)) @ spread
    matrix = Compensation.fit([(voices, speakers)], smoothing=1e-9).matrix
    within = (voices - means[speakers]) @ matrix
    covariance = within.T @ within / 2000
    np.testing.assert_allclose(covariance / covariance[0, 0], np.eye(4), atol=0.12)


def test_much_smoothing_leaves_cosines_as_they_are():
    rng = np.random.default_rng(1)
    voices = rng.standard_normal((30, 6))
    mapped = Compensation.fit([(voices, np.arange(30) // 3)], smoothing=1e6)(voices)
    unmapped = voices / np.linalg.norm(voices, axis=1, keepdims=True)
    np.testing.assert_allclose(mapped @ mapped.T, unmapped @ unmapped.T, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(mapped, axis=1), 1)


def test_one_voice_of_each_tells_nothing_of_variation():
    with pytest.raises(InputError, match="two voices of somebody"):
        Compensation.fit([(np.eye(3), ["Ada", "Bob", "Cid"])], 1.0)


def test_only_square_matrices():
    with pytest.raises(ValueError, match=r"square matrix; got \(2, 3\)"):
        Compensation(np.ones((2, 3)))
