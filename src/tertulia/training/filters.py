"""Learnt band-pass filters, drawn."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tertulia.drawing import PALETTE, to_png
from tertulia.errors import MissingExtraError
from tertulia.formats import write_text
from tertulia.networks.sincnet import SincFilters

__all__ = ["draw_filters", "filters_svg"]

Array = NDArray[np.float64]

_WIDTH, _PANEL, _LEFT, _TOP = 900, 300, 60, 30
_HERTZ = (50, 100, 200, 500, 1000, 2000, 4000, 8000)
_LEAST = 30.0  # Hz at the left edge


def draw_filters(filters: SincFilters, folder: Path, name: str) -> None:
    """Write `NAME-filters.svg`, and `.png` where resvg is installed: the bands, and how strongly all pass."""
    start = SincFilters(len(filters.low), 3, 1, filters.lowest, filters.narrowest, filters.rate)
    with torch.no_grad():
        now, before = (np.stack([e.double().numpy() for e in f.cpu().edges()]) for f in (filters, start))
        response = np.abs(np.fft.rfft(filters.kernels().double().numpy(), 4096, axis=1))
    svg = filters_svg(before, now, response.sum(axis=0), filters.rate)
    write_text(folder / f"{name}-filters.svg", svg)
    with suppress(MissingExtraError):
        (folder / f"{name}-filters.png").write_bytes(to_png(svg))


def filters_svg(before: Array, now: Array, passed: Array, rate: int) -> str:
    """Draw bands before and after training, and the sum of all magnitude responses.

    Args:
        before, now: lower and upper edges in Hz, (2, filters).
        passed: summed magnitude responses from 0 to half the sample rate, (points,).
        rate: sample rate in Hz.
    """
    parts = [_bands(before, _TOP, "bands before training", rate)]
    parts.append(_bands(now, 2 * _TOP + _PANEL, "bands after training", rate))
    parts.append(_sum(passed, 3 * _TOP + 2 * _PANEL, rate))
    height = 4 * _TOP + 3 * _PANEL
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" font-family="system-ui, DejaVu Sans, sans-serif" font-size="12" fill="#1d2329">'
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _x(hertz: float, rate: int) -> float:
    share = math.log(max(hertz, _LEAST) / _LEAST) / math.log(rate / 2 / _LEAST)
    return _LEFT + share * (_WIDTH - _LEFT - 20)


def _axis(top: float, title: str, rate: int) -> str:
    marks = [f'<text x="{_LEFT}" y="{top - 8:g}" font-weight="600">{title}</text>']
    for hertz in (h for h in _HERTZ if h <= rate / 2):
        x = _x(hertz, rate)
        marks.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:g}" y2="{top + _PANEL - 30:g}" stroke="#ddd"/>'
            f'<text x="{x:.1f}" y="{top + _PANEL - 14:g}" text-anchor="middle">{hertz} Hz</text>'
        )
    return "".join(marks)


def _bands(edges: Array, top: float, title: str, rate: int) -> str:
    """One bar a filter, in order of their middles."""
    order = np.argsort(edges.mean(axis=0))
    height = (_PANEL - 34) / len(order)
    bars = []
    for row, k in enumerate(order.tolist()):
        low, high = (_x(float(edge), rate) for edge in edges[:, k])
        bars.append(
            f'<rect x="{low:.1f}" y="{top + row * height:.1f}" width="{max(high - low, 0.5):.1f}" '
            f'height="{max(height - 0.5, 0.5):.1f}" fill="{PALETTE[0]}"/>'
        )
    return _axis(top, title, rate) + "".join(bars)


def _sum(passed: Array, top: float, rate: int) -> str:
    """Cumulative frequency response of all filters."""
    hertz = np.linspace(0, rate / 2, len(passed))
    high, down = float(passed.max()) or 1.0, _PANEL - 34
    points = " ".join(
        f"{_x(float(h), rate):.1f},{top + down * (1 - float(p) / high):.1f}"
        for h, p in zip(hertz, passed, strict=True)
        if h >= _LEAST
    )
    line = f'<polyline points="{points}" fill="none" stroke="{PALETTE[1]}" stroke-width="2"/>'
    return _axis(top, "sum of the magnitudes of all filters", rate) + line
