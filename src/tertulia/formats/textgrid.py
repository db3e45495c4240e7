"""Praat TextGrids: one interval tier a speaker, which covers the whole recording.

Intervals with text are speech, whatever the text says, so a transcript with a tier for each speaker reads
as its turns; the tier names the speaker. Written is the long form, read are both, with UTF-16 as well,
which Praat prefers once a name leaves ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tertulia.formats._turns import at_line, collect, new_turn, plain_name, rounded, seconds, shown
from tertulia.timeline import Diarization, Turn

__all__ = ["dumps", "loads"]

# Praat reads strings, flags and free-standing numbers; all other words are remarks. That is why the long
# form is the short one with remarks.
_TOKEN = re.compile(
    r"""(?P<remark>(?<!\S)![^\n]*)
      | "(?P<string>(?:[^"]++|"")*+)"
      | <(?P<flag>\w+)>
      | (?<!\S)(?P<number>[-+]?[0-9]\S*)
      | (?P<open>")""",
    re.VERBOSE,
)


def dumps(diarization: Diarization) -> str:
    """Write a tier for each speaker, up to the recording's duration or, if unknown, the last turn's end."""
    tiers: dict[str, list[Turn]] = {}
    for turn in rounded(diarization):
        tiers.setdefault(turn.speaker, []).append(turn)
    ends = [turns[-1].end for turns in tiers.values()]
    end = max([round(diarization.duration or 0.0, 3), *ends])
    out = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end:.3f}"]
    out += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (speaker, turns) in enumerate(tiers.items(), 1):
        out += _tier(number, speaker, turns, end)
    return "\n".join(out) + "\n"


def _tier(number: int, speaker: str, turns: list[Turn], end: float) -> Iterator[str]:
    name = plain_name(speaker).replace('"', '""')
    intervals: list[tuple[float, float, str]] = []
    at = 0.0
    for turn in turns:
        intervals += [(at, turn.start, "")] if at < turn.start else []
        intervals.append((turn.start, turn.end, name))
        at = turn.end
    intervals += [(at, end, "")] if at < end else []
    yield f"    item [{number}]:"
    yield '        class = "IntervalTier"'
    yield f'        name = "{name}"'
    yield "        xmin = 0"
    yield f"        xmax = {end:.3f}"
    yield f"        intervals: size = {len(intervals)}"
    for index, (start, stop, text) in enumerate(intervals, 1):
        yield f"        intervals [{index}]:"
        yield f"            xmin = {start:.3f}"
        yield f"            xmax = {stop:.3f}"
        yield f'            text = "{text}"'


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read the interval tiers; point tiers are passed over. `name` is the file's, for messages.

    Raises `FormatError`.
    """
    tokens = _Tokens(text, name)
    kind = tokens.next("string"), tokens.next("string")
    if not (kind[0].startswith("ooTextFile") and kind[1] == "TextGrid"):
        raise tokens.problem(f"a TextGrid begins with 'ooTextFile' and 'TextGrid'; got {shown(kind)}")
    tokens.time()
    end = tokens.time()
    tiers = tokens.count() if tokens.next("flag") == "exists" else 0
    turns = (turn for _ in range(tiers) for turn in _read_tier(tokens))
    return collect(turns, duration=end or None)


def _read_tier(tokens: _Tokens) -> Iterator[Turn]:
    kind, speaker = tokens.next("string"), tokens.next("string")
    if kind not in ("IntervalTier", "TextTier"):
        raise tokens.problem(f"a tier is an IntervalTier or a TextTier; got {shown(kind)}")
    tokens.time(), tokens.time()
    for _ in range(tokens.count()):
        start = tokens.time()
        end = tokens.time() if kind == "IntervalTier" else start
        said = tokens.next("string")
        try:
            turn = new_turn(start, end, speaker)
        except ValueError as error:
            raise tokens.problem(error) from None
        if turn is not None and said.strip():
            yield turn


class _Tokens:
    """The strings, flags and numbers of a text, one after the other, and where they stand."""

    def __init__(self, text: str, name: str) -> None:
        self._text, self._name = text, name
        self._matches = (match for match in _TOKEN.finditer(text) if match.lastgroup != "remark")
        self._at = 0

    def problem(self, problem: object) -> Exception:
        """Build the error for the line of the latest token."""
        return at_line(self._name, self._text.count("\n", 0, self._at) + 1, problem)

    def next(self, kind: str) -> str:
        """Return the next token, which has to be a `kind`."""
        match = next(self._matches, None)
        self._at = len(self._text) if match is None else match.start()
        if match is None or match.lastgroup != kind:
            raise self.problem(
                f"a {kind} is needed here; got {shown(match[0]) if match else 'the end of the file'}"
            )
        return match[kind].replace('""', '"')

    def time(self) -> float:
        """Return the next token as a time in seconds."""
        token = self.next("number")
        try:
            return seconds(token)
        except ValueError as error:
            raise self.problem(error) from None

    def count(self) -> int:
        """Return the next token as a whole number."""
        token = self.next("number")
        if not token.isdecimal():
            raise self.problem(f"a whole number is needed here; got {shown(token)}")
        return int(token)
