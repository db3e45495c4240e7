"""SubRip subtitles: each turn is a cue, its one line of text the speaker's name."""

from __future__ import annotations

from tertulia.formats._cues import blocks, timing
from tertulia.formats._turns import clock, collect, new_turn, parsed, plain_name, rounded
from tertulia.timeline import Diarization, Turn

__all__ = ["dumps", "loads"]


def dumps(diarization: Diarization) -> str:
    """Write one numbered cue a turn."""
    return "".join(
        f"{number}\n{clock(turn.start, 3, ',')} --> {clock(turn.end, 3, ',')}\n{plain_name(turn.speaker)}\n\n"
        for number, turn in enumerate(rounded(diarization), 1)
    )


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read what `dumps` wrote; `name` is the file's, for messages.

    Raises `FormatError`, also for a cue of several lines: that is a transcript, not a list of turns.
    """
    return collect(parsed(blocks(text), _turn, name))


def _turn(block: list[str]) -> Turn | None:
    start, end, said = timing(block)
    if len(said) != 1:
        raise ValueError(f"a cue needs one line of text, the name of who speaks; got {len(said)}")
    return new_turn(start, end, said[0])
