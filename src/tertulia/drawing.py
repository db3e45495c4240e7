"""Turns and sound on one time axis, as SVG that needs no other package.

>>> from tertulia.timeline import Diarization
>>> svg = draw({"by hand": Diarization([(0, 6, "Ana"), (6, 10, "Ben")])})
>>> svg.startswith("<svg") and "by hand" in svg
True
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from tertulia.timeline import Diarization, Timeline

__all__ = ["PALETTE", "draw", "envelope", "html", "to_png"]

PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7a5195", "#a6a600")
"""Okabe and Ito's colours that can be told apart with any kind of colour vision, and two more."""

_WIDTH, _LEFT, _RIGHT, _AXIS = 1200, 130, 16, 26
_LANE, _BAR, _TITLE, _WAVE = 20, 14, 24, 72
_POINTS_PER_SECOND = 100
_LONGEST_NAME = 18


def draw(
    tracks: Mapping[str, Diarization],
    sound: NDArray[np.float32] | None = None,
    *,
    paper: bool = False,
) -> str:
    """Draw diarizations of one recording under one another, a lane for each speaker.

    Speakers of later tracks have the colour of the speaker of the first who they share the most time with.

    Args:
        tracks: title → turns. An empty title is not drawn.
        sound: lowest and highest sample of each hundredth of a second, shape (n, 2), see `envelope`.
        paper: black on white; without, in the colour of the surrounding text on nothing.
    """
    seconds = max([_length(d) for d in tracks.values()] + [0.0 if sound is None else len(sound) / 100, 1.0])
    parts: list[str] = []
    top = 6.0
    if sound is not None and len(sound):
        parts.append(_wave(sound, seconds, top))
        top += _WAVE + 6
    first = next(iter(tracks.values()), Diarization())
    colours = {speaker: PALETTE[i % len(PALETTE)] for i, speaker in enumerate(first.speakers)}
    for title, diarization in tracks.items():
        if title:
            parts.append(f'<text x="4" y="{top + 17:g}" font-weight="600">{escape(title)}</text>')
            top += _TITLE
        for speaker, colour in _coloured(diarization, first, colours).items():
            parts.append(_lane(speaker, diarization[speaker], colour, seconds, top))
            top += _LANE
        if not diarization.speakers:
            parts.append(_lane("nobody speaks", Timeline(), "none", seconds, top))
            top += _LANE
    parts.append(_axis(seconds, top))
    height = top + _AXIS
    ground = f'<rect width="{_WIDTH}" height="{height:g}" fill="#fff"/>' if paper else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" width="{_WIDTH}" '
        f'height="{height:g}" font-family="system-ui, DejaVu Sans, sans-serif" font-size="12" '
        f'color="{"#1d2329" if paper else "inherit"}" fill="currentColor">{ground}{"".join(parts)}</svg>\n'
    )


def html(diarization: Diarization) -> str:
    """Draw a diarization for a notebook, under one line of figures."""
    figures = escape(repr(diarization)[len("Diarization(") : -1])
    if not (diarization.speakers or diarization.duration):
        return f"<div>{figures}</div>"  # there is no time to be drawn
    drawn = draw({"": diarization}).replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)
    return f"<div><div>{figures}</div>{drawn}</div>"


def to_png(svg: str) -> bytes:
    """Turn a drawing into a PNG image (extra `plot`).

    Raises:
        MissingExtraError: when resvg is not installed.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError as error:
        from tertulia.errors import MissingExtraError

        raise MissingExtraError(
            "a PNG needs resvg: pip install 'tertulia[plot]'; SVG works without"
        ) from error
    return bytes(svg_to_bytes(svg_string=svg, dpi=96, zoom=2))


def envelope(path: Path) -> NDArray[np.float32]:
    """Return lowest and highest sample of each hundredth of a second, shape (n, 2), in bounded memory.

    Raises:
        AudioError: when the recording cannot be read.
    """
    from tertulia.audio import open_audio

    pieces, rest = [], np.empty(0, dtype=np.float32)
    with open_audio(path) as recording:
        step = recording.sample_rate // _POINTS_PER_SECOND
        for block in recording:
            samples = np.concatenate([rest, block[0]])
            whole = len(samples) // step * step
            pieces.append(_extremes(samples[:whole].reshape(-1, step)))
            rest = samples[whole:]
    if len(rest):
        pieces.append(_extremes(rest[None]))
    return np.concatenate(pieces)


def _extremes(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([rows.min(axis=1), rows.max(axis=1)], axis=1)


def _length(diarization: Diarization) -> float:
    extent = diarization.speech.extent
    return max(diarization.duration or 0.0, extent.end if extent else 0.0)


def _coloured(diarization: Diarization, first: Diarization, colours: Mapping[str, str]) -> dict[str, str]:
    """Speaker → colour; who is nobody of the first track is grey."""
    if diarization is first:
        return dict(colours)
    from tertulia.evaluation import speaker_mapping

    mapping = speaker_mapping(first, diarization)
    return {s: colours[mapping[s]] if s in mapping else "#8a9099" for s in diarization.speakers}


def _x(time: float, seconds: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * time / seconds


def _lane(speaker: str, timeline: Timeline, colour: str, seconds: float, top: float) -> str:
    name = speaker if len(speaker) <= _LONGEST_NAME else f"{speaker[: _LONGEST_NAME - 1]}…"
    label = f'<text x="{_LEFT - 8}" y="{top + 14:g}" text-anchor="end">{escape(name)}</text>'
    line = (
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{top + _LANE / 2:g}" y2="{top + _LANE / 2:g}" '
        f'stroke="currentColor" stroke-opacity=".15"/>'
    )
    bars = (
        f'<rect x="{_x(start, seconds):.2f}" y="{top + (_LANE - _BAR) / 2:g}" '
        f'width="{max(_x(end, seconds) - _x(start, seconds), 0.5):.2f}" height="{_BAR}" rx="2">'
        f"<title>{escape(speaker)} {start:.2f}–{end:.2f} s</title></rect>"
        for start, end in timeline.bounds.tolist()
    )
    return f'{label}{line}<g fill="{colour}">{"".join(bars)}</g>'


def _wave(sound: NDArray[np.float32], seconds: float, top: float) -> str:
    """Draw the sound as one shape, a column for each half unit of width at most."""
    columns = min(len(sound), 2 * (_WIDTH - _LEFT - _RIGHT))
    starts = np.arange(columns) * len(sound) // columns
    low, high = np.minimum.reduceat(sound[:, 0], starts), np.maximum.reduceat(sound[:, 1], starts)
    loudest = max(float(np.abs(sound).max()), 1e-9)
    middle, scale = top + _WAVE / 2, _WAVE / 2 / loudest
    xs = [_x(start / _POINTS_PER_SECOND, seconds) for start in starts.tolist()]
    above = [f"{x:.1f},{middle - scale * y:.1f}" for x, y in zip(xs, high.tolist(), strict=True)]
    below = [f"{x:.1f},{middle - scale * y:.1f}" for x, y in zip(xs, low.tolist(), strict=True)]
    return f'<polygon fill-opacity=".55" points="{" ".join(above + below[::-1])}"/>'


def _axis(seconds: float, top: float) -> str:
    step = _tick(seconds)
    marks = []
    for i in range(math.floor(seconds / step + 1e-9) + 1):
        x = _x(i * step, seconds)
        marks.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:g}" y2="{top + 5:g}" stroke="currentColor"/>')
        marks.append(f'<text x="{x:.1f}" y="{top + 18:g}" text-anchor="middle">{_clock(i * step)}</text>')
    return "".join(marks)


def _tick(seconds: float) -> float:
    """Return the shortest step that leaves at most a dozen marks."""
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)
    return next((step for step in steps if seconds / step <= 12), 3600.0 * math.ceil(seconds / 12 / 3600))


def _clock(time: float) -> str:
    minutes, rest = divmod(round(time, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    whole = f"{rest:04.1f}" if rest % 1 else f"{int(rest):02d}"
    return f"{hours}:{minutes:02d}:{whole}" if hours else f"{minutes}:{whole}"
