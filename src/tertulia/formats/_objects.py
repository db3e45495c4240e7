"""What both JSON formats share: documents with lists of turns, and errors that name the line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tertulia.formats._turns import at_line, fraction, new_turn, seconds, shown
from tertulia.timeline import Turn

__all__ = ["document", "number", "turns", "written"]

_BETWEEN = re.compile(r"[\s,]*")
_SURROGATE = re.compile("[\ud800-\udfff]")


def written(data: Mapping[str, Any], indent: int | None, default: Callable[[Any], Any] | None = None) -> str:
    """Write a document; `default` makes plain what JSON has not, or raises `ValueError`."""
    text = json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False, default=default)
    # File names that are not UTF-8 come as lone surrogates, which cannot be encoded as they are.
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def document(text: str, name: str) -> dict[str, Any]:
    """Parse text that holds one object; raises `FormatError`."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise at_line(name, error.lineno, f"this is not JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:  # a number of 5 000 digits; a thousand brackets
        raise at_line(name, 1, f"this JSON cannot be read ({error})") from None
    if not isinstance(data, dict):
        raise at_line(name, 1, f"a JSON object is needed; got {shown(data)}")
    return data


def turns(text: str, data: dict[str, Any], key: str, name: str) -> Iterator[Turn]:
    """Read the turns listed under `key` of a document; raises `FormatError`."""
    items = data.get(key)
    if not isinstance(items, list):
        raise at_line(name, 1, f"a list of turns called {key!r} is needed; got {shown(items)}")
    for index, item in enumerate(items):
        try:
            turn = _turn(item)
        except ValueError as error:
            raise at_line(name, _line_of(text, key, index), f"{key}[{index}]: {error}") from None
        if turn is not None:
            yield turn


def number(value: Any) -> str | float:
    """Return what may stand for a number, as such or as text; raises `ValueError` for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"a number is needed; got {shown(value)}")
    return value


def _turn(item: Any) -> Turn | None:
    if not isinstance(item, dict) or not {"start", "end", "speaker"} <= item.keys():
        raise ValueError(f"a turn needs start, end and speaker; got {shown(item)}")
    if not isinstance(item["speaker"], str):
        raise ValueError(f"a speaker's name is text; got {shown(item['speaker'])}")
    given = item.get("confidence")
    confidence = None if given is None else fraction(number(given))
    return new_turn(seconds(number(item["start"])), seconds(number(item["end"])), item["speaker"], confidence)


def _line_of(text: str, key: str, index: int) -> int:
    """Find the line of an item of the list called `key`; the parser keeps no positions."""
    opening = re.search(rf'"{key}"\s*:\s*\[', text)
    at = opening.end() if opening else 0
    try:
        for _ in range(index):
            _, at = json.JSONDecoder().raw_decode(text, _skip(text, at))
    except json.JSONDecodeError:  # another list of that name, earlier in the file
        return 1
    return text.count("\n", 0, _skip(text, at)) + 1


def _skip(text: str, at: int) -> int:
    match = _BETWEEN.match(text, at)
    return match.end() if match else at
