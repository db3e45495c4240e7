"""Learnt band-pass filters: they pass their band, and gradients move their edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tertulia.networks.sincnet import SincBands, SincFilters

RATE = 16_000


def test_filters_begin_side_by_side_and_end_below_half_the_rate():
    low, high = (edge.detach() for edge in SincFilters(40, 251, 10).edges())
    assert torch.all(low[1:] > low[:-1])
    assert torch.all(high > low)
    assert float(high.max()) <= RATE / 2


@pytest.mark.parametrize("hertz", [500.0, 1500.0, 4100.0])
def test_a_tone_passes_the_filter_whose_band_holds_it_and_no_other_far_away(hertz):
    filters = SincFilters(20, 251, 10)
    time = torch.arange(RATE // 2) / RATE
    heard = filters(torch.sin(2 * torch.pi * hertz * time)[None])[0].detach()[:, 100:-100].abs().amax(dim=1)
    low, high = (edge.detach() for edge in filters.edges())
    inside = (low < hertz - 80) & (high > hertz + 80)
    far = (high < hertz - 300) | (low > hertz + 300)
    assert int(inside.sum()) <= 1
    if inside.any():
        assert float(heard[inside]) == pytest.approx(1, abs=0.15)  # a gain of one
    assert float(heard.max()) > 0.4
    assert float(heard[far].max()) < 0.02


def test_learning_moves_the_edges():
    bands = SincBands(8, 101, 20)
    bands(0.1 * torch.randn(2, 3200)).sum().backward()
    assert bands.filters.low.grad.abs().sum() > 0
    assert bands.filters.band.grad.abs().sum() > 0


@pytest.mark.parametrize("samples", [1600, 1650, 16_000])
def test_a_frame_every_hundredth_of_a_second(samples):
    assert SincBands(8, 101, 20)(torch.randn(2, samples)).shape == (2, samples // 160, 8)


def test_louder_is_one_number_more_in_every_frame():
    bands, sound = SincBands(8, 101, 20), 0.1 * torch.randn(1, 8000)
    with torch.no_grad():
        more = bands(10 * sound) - bands(sound)
    np.testing.assert_allclose(more.numpy(), np.log(10), atol=0.2)


def test_widths_that_cannot_be():
    with pytest.raises(ValueError, match="odd"):
        SincFilters(8, 100, 10)
    with pytest.raises(ValueError, match="divides 160"):
        SincBands(8, 101, 30)
