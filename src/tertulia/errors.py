"""Every error the package raises on purpose, in one tree.

```
TertuliaError (ValueError)     exit code
├── UsageError                 2   a wrong name, key, count or combination of options
├── InputError                 3   a recording or file that cannot be used
│   ├── AudioError                 … as sound
│   ├── FormatError                … as annotation: names the file and the line
│   └── OutputError                … the result cannot be written
├── ModelMissingError          4   weights that are not here; says what would work instead
└── MissingExtraError          4   an optional package that is not installed; says how to get it
```

The command line turns the class into the exit code and the text into the message; it prints no traceback
for any of them. Exit code 1 is left for what nobody foresaw.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "AudioError",
    "FormatError",
    "InputError",
    "MissingExtraError",
    "ModelMissingError",
    "OutputError",
    "TertuliaError",
    "UsageError",
    "unknown",
]


class TertuliaError(ValueError):
    """Root of the tree; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(TertuliaError):
    """The call itself is wrong: an unknown name or key, an impossible count."""

    exit_code = 2


class InputError(TertuliaError):
    """The call is right, what it points at is not usable."""

    exit_code = 3


class AudioError(InputError):
    """A recording that cannot be read as sound."""


class FormatError(InputError):
    """An annotation file that does not follow its format."""


class OutputError(InputError):
    """A result that cannot be written where it was asked for."""


class ModelMissingError(TertuliaError):
    """Weights that are not on this machine."""

    exit_code = 4


class MissingExtraError(TertuliaError, ImportError):
    """An optional package that is not installed."""

    exit_code = 4


def unknown(kind: str, got: object, allowed: Iterable[str]) -> UsageError:
    """Build the error for a wrong name: what was got and the names that exist."""
    return UsageError(f"unknown {kind} {got!r}; there is: {', '.join(sorted(allowed))}")
