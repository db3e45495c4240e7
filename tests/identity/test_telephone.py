from __future__ import annotations

import numpy as np
import pytest

from tertulia.identity.telephone import Telephone


def test_the_probability_by_hand():
    telephone = Telephone(np.array([np.log(3), 0.0]), 0.0)
    np.testing.assert_allclose(telephone(np.array([[1.0, 5.0], [-1.0, 5.0], [0.0, 1.0]])), [0.75, 0.25, 0.5])


def test_a_channel_that_moves_voices_is_told_whatever_the_shares():
    rng = np.random.default_rng(0)
    truth = rng.random(2000) < 0.2
    voices = rng.standard_normal((2000, 8)) + 3 * truth[:, None] * np.eye(8)[2]
    telephone = Telephone.fit(voices, truth, ridge=1e-4)
    told = telephone(voices)
    assert (told[truth] > 0.5).mean() == pytest.approx((told[~truth] < 0.5).mean(), abs=0.03)
    assert ((told > 0.5) == truth).mean() > 0.9
