"""Figures over epochs as SVG: one panel for losses, one for rates, one for each other figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from tertulia.drawing import PALETTE

__all__ = ["draw_curves"]

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _RIGHT = 460, 280, 52, 26, 30, 14
_TICKS = 4


def draw_curves(history: Sequence[Mapping[str, float]], axis: str = "epoch") -> str:
    """Draw every figure of a history against `axis`.

    Names that share what stands before the first space or underscore share a panel: `eer_dev` and `eer_test`.
    Values that are missing or no numbers leave a gap.
    """
    panels: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for figures in history for name in figures if name != axis):
        panels.setdefault(name.split("_")[0].split(" ")[0], []).append(name)
    width = _WIDTH * max(1, len(panels))
    drawn = "".join(
        f'<g transform="translate({i * _WIDTH} 0)">{_panel(title, names, history, axis)}</g>'
        for i, (title, names) in enumerate(panels.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}" '
        f'height="{_HEIGHT}" font-family="system-ui, DejaVu Sans, sans-serif" font-size="12" fill="#1d2329">'
        f'<rect width="{width}" height="{_HEIGHT}" fill="#fff"/>{drawn}</svg>\n'
    )


def _panel(title: str, names: Sequence[str], history: Sequence[Mapping[str, float]], axis: str) -> str:
    series = {
        name: [(f[axis], f[name]) for f in history if name in f and math.isfinite(f[name])] for name in names
    }
    points = [point for line in series.values() for point in line] or [(0.0, 0.0)]
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    high = max(y for _, y in points)
    low = min(0.0, min(y for _, y in points))
    across = (_WIDTH - _LEFT - _RIGHT) / max(last - first, 1e-9)
    up = (_HEIGHT - _TOP - _BOTTOM) / max(high - low, 1e-9)

    def place(x: float, y: float) -> tuple[float, float]:
        return _LEFT + (x - first) * across, _HEIGHT - _BOTTOM - (y - low) * up

    parts = [f'<text x="{_LEFT}" y="16" font-weight="600">{escape(title)}</text>']
    for i in range(_TICKS + 1):
        value = low + (high - low) * i / _TICKS
        _, y = place(first, value)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e1e4e8"/>'
        )
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for x in (first, last):
        at, _ = place(x, low)
        parts.append(f'<text x="{at:.1f}" y="{_HEIGHT - 10}" text-anchor="middle">{x:g}</text>')
    parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(axis)}</text>')
    for i, (name, line) in enumerate(series.items()):
        colour = PALETTE[i % len(PALETTE)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(series) > 1:
            y = _TOP + 14 * i + 8
            parts.append(
                f'<text x="{_WIDTH - _RIGHT}" y="{y}" text-anchor="end" fill="{colour}">{escape(name)}</text>'
            )
    return "".join(parts)
