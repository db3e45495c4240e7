"""Networks made again of the files they were exported to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tertulia.embedding import CAMPPlusWindow
from tertulia.errors import InputError
from tertulia.features import fbank
from tertulia.identity.listening import Listener
from tertulia.inference import weights
from tertulia.networks.reload import campplus

FRAMES, PROJECTION = weights("campplus-frames"), weights("campplus-projection")


def test_campplus_embeds_as_its_files_do():
    samples = np.random.default_rng(0).normal(0, 0.1, 3 * 16_000).astype(np.float32)
    expected = Listener(CAMPPlusWindow(threads=1), least=0.1).embed(samples).vector
    features = fbank(samples, centred=False)
    with torch.no_grad():
        got = campplus(FRAMES, PROJECTION)(torch.from_numpy(features - features.mean(axis=0))[None])[0]
    np.testing.assert_allclose(got / got.norm(), expected, atol=1e-4)


def test_another_network_is_refused():
    with pytest.raises(InputError, match="not the parameters of CAM"):
        campplus(weights("segmentation-tuned"), PROJECTION)
