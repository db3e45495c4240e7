"""Tables of a configuration file become frozen dataclasses; whatever does not fit is refused.

A default is written once, as the default of a dataclass field. No value is ever taken for the name of code.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from tertulia.errors import TertuliaError, UsageError, unknown

__all__ = ["from_table", "part", "settings"]

T = TypeVar("T")


def from_table(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """Build a dataclass from a table of a TOML file.

    Args:
        kind: the dataclass; its fields are the keys that exist.
        table: the keys and values of the user.
        where: what to call the table in messages.

    Raises:
        UsageError: for an unknown or missing key, or a value of the wrong type or out of range.
        TertuliaError: of the dataclass itself, such as `ModelMissingError`, as it is.
    """
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}  # type: ignore[arg-type]
    values = {}
    for key, value in table.items():
        if key not in fields:
            raise unknown(f"key in {where}", key, fields)
        values[key] = _fitted(value, hints[key], f"{where}.{key}")
    missing = [
        name
        for name, f in fields.items()
        if name not in values
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise UsageError(f"{where} needs {', '.join(missing)}")
    try:
        return kind(**values)
    except TertuliaError:
        raise
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error


def part(family: Mapping[str, type[Any]], table: Mapping[str, Any], where: str, kind: str) -> Any:
    """Build the member of a registry that the key `name` of a table chooses, from the table's other keys."""
    if "name" not in table:
        raise UsageError(f"{where} needs a name, one of: {', '.join(sorted(family))}")
    name = table["name"]
    if not isinstance(name, str) or name not in family:
        raise unknown(kind, name, family)
    rest = {key: value for key, value in table.items() if key != "name"}
    return from_table(family[name], rest, where)


def settings(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that hold plain values, for provenance."""
    plain = (str, int, float, bool, tuple, type(None))
    fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
    return {name: content for name, content in fields.items() if isinstance(content, plain)}


def _fitted(value: Any, hint: Any, where: str) -> Any:
    """Check a value of a TOML file against a type; whole numbers pass for floats."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        choices = [choice for choice in typing.get_args(hint) if choice is not type(None)]
    else:
        choices = [hint]
    for choice in choices:
        plain = typing.get_origin(choice) or choice
        if plain is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if plain is typing.Literal:
            if value in typing.get_args(choice):
                return value
        elif plain is tuple and isinstance(value, list):
            return tuple(value)
        elif isinstance(value, plain) and not (isinstance(value, bool) and plain is not bool):
            return value
    raise UsageError(f"{where} cannot be {value!r}; it is of type {_name(hint)}")


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
