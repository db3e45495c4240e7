"""The report as one self-contained HTML page: style, scripts and data inside, no address outside."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tertulia.comparison.marks import error_timelines
from tertulia.comparison.recordings import Recording
from tertulia.comparison.results import Comparison, Contender
from tertulia.evaluation import speaker_mapping
from tertulia.timeline import Diarization, Timeline

__all__ = ["page"]

_ASSETS = Path(__file__).parent / "assets"

# In the order in which each builds on those before it.
_SCRIPTS = ("common.js", "summary.js", "table.js", "speed.js", "heatmap.js", "timeline.js", "main.js")


def page(comparison: Comparison, folder: Path) -> str:
    """Return `index.html`, to be written to `folder`: audio is linked from there by relative path."""
    data = comparison.to_dict()
    data["tracks"] = {r.name: _tracks(comparison, r, folder) for r in comparison.recordings}
    # "</script>" and "<!--" would end or confuse the element that holds the data.
    embedded = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    filled = {"STYLE": _asset("style.css"), "DATA": embedded, "SCRIPT": "\n".join(map(_asset, _SCRIPTS))}
    # All at once, so that what is put in is never looked through for the names of other parts.
    return re.sub(r"@@(\w+)@@", lambda match: filled[match[1]], _asset("page.html"))


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _tracks(comparison: Comparison, recording: Recording, folder: Path) -> dict[str, Any]:
    """Everything that is drawn for one recording."""
    uem = None if comparison.uem is None else comparison.uem[recording.name]
    return {
        "audio": _address(recording.audio, folder),
        "seconds": round(comparison.length(recording), 3),
        "reference": _lanes(recording.reference),
        "systems": {c.name: _answer(comparison, recording, c, uem) for c in comparison.contenders},
    }


def _answer(
    comparison: Comparison, recording: Recording, contender: Contender, uem: Timeline | None
) -> dict[str, Any]:
    hypothesis = contender.hypotheses[recording.name]
    protocol = comparison.protocol
    mapping = speaker_mapping(recording.reference, hypothesis, uem=uem, protocol=protocol)
    errors = error_timelines(recording.reference, hypothesis, uem, protocol)
    return {
        "lanes": [{**lane, "is": mapping.get(lane["speaker"])} for lane in _lanes(hypothesis)],
        "errors": {kind: _bounds(timeline) for kind, timeline in errors.items()},
    }


def _lanes(diarization: Diarization) -> list[dict[str, Any]]:
    return [{"speaker": speaker, "turns": _bounds(timeline)} for speaker, timeline in diarization.items()]


def _bounds(timeline: Timeline) -> list[list[float]]:
    bounds: list[list[float]] = timeline.bounds.round(3).tolist()
    return bounds


def _address(audio: Path, folder: Path) -> str:
    """Return where a page in `folder` finds the audio; absolute where no relative path leads there."""
    try:
        return quote(Path(os.path.relpath(audio, folder)).as_posix())
    except ValueError:  # another drive on Windows
        return audio.resolve().as_uri()
