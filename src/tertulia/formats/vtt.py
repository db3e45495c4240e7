"""WebVTT subtitles: each turn is a cue in the speaker's voice, `<v Name>Name`.

The name stands there twice because players show the text and hide the voice.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from tertulia.formats._cues import blocks, timing
from tertulia.formats._turns import at_line, clock, collect, new_turn, parsed, plain_name, rounded, shown
from tertulia.timeline import Diarization, Turn

__all__ = ["dumps", "loads"]

_VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t]([^>]+)>")
_NOT_A_CUE = re.compile(r"(NOTE|STYLE|REGION)(\s|$)")


def dumps(diarization: Diarization) -> str:
    """Write one cue a turn."""
    return "WEBVTT\n\n" + "".join(_cue(turn) for turn in rounded(diarization))


def _cue(turn: Turn) -> str:
    speaker = html.escape(plain_name(turn.speaker), quote=False)
    return f"{clock(turn.start, 3)} --> {clock(turn.end, 3)}\n<v {speaker}>{speaker}\n\n"


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read the voices of each cue, which all last as long as the cue; `name` is the file's, for messages.

    Raises `FormatError`, also for a cue without a voice.
    """
    if not text.startswith("WEBVTT"):
        raise at_line(name, 1, f"a WebVTT file begins with WEBVTT; got {shown(text)}")
    turns = (turn for cue in parsed(_cues(text), _voices, name) for turn in cue)
    return collect(turns)


def _cues(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, block in blocks(text):
        if number > 1 and not _NOT_A_CUE.match(block[0]):
            yield number, block


def _voices(block: list[str]) -> list[Turn]:
    start, end, said = timing(block)
    voices = _VOICE.findall("\n".join(said))
    if not voices:
        raise ValueError("this cue names nobody; it needs <v Name>")
    turns = (new_turn(start, end, html.unescape(voice)) for voice in voices)
    return [turn for turn in turns if turn is not None]
