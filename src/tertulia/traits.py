"""`Traits`: what is known of a speaker besides when they speak, as the classical systems tell it.

A `Diarization` carries them in its provenance, so that they survive `.seg` and JSON files; speakers without
an entry are unknown in every respect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from tertulia._version import __version__
from tertulia.timeline import Diarization, Provenance

__all__ = ["Band", "Gender", "Traits", "traits_of", "with_traits"]

Gender = Literal["F", "M", "U"]
Band = Literal["S", "T", "U"]

_KEY = "traits"


@dataclass(frozen=True, slots=True)
class Traits:
    """Labels of a speaker in the letters of LIUM's `.seg` files.

    Args:
        gender: "F" female, "M" male, "U" unknown.
        band: "S" studio (wide band), "T" telephone (narrow band), "U" unknown.
        environment: what else is heard, in the words of whoever told it; "U" unknown.

    Raises:
        ValueError: for other letters.
    """

    gender: Gender = "U"
    band: Band = "U"
    environment: str = "U"

    def __post_init__(self) -> None:
        for what, value, allowed in (("gender", self.gender, Gender), ("band", self.band, Band)):
            if value not in get_args(allowed):
                raise ValueError(f"a {what} is one of {', '.join(get_args(allowed))}; got {value!r:.80}")

    def common(self, other: Traits) -> Traits:
        """Keep what both agree on; the rest is unknown."""
        mine, theirs = dataclasses.astuple(self), dataclasses.astuple(other)
        return Traits(*(a if a == b else "U" for a, b in zip(mine, theirs, strict=True)))


UNKNOWN = Traits()


def with_traits(diarization: Diarization, traits: Mapping[str, Traits]) -> Diarization:
    """Return the diarization with traits of its speakers in its provenance, in place of those it had."""
    provenance = diarization.provenance or Provenance(__version__, system="unknown")
    known = {
        speaker: dataclasses.asdict(traits[speaker])
        for speaker in diarization.speakers
        if traits.get(speaker, UNKNOWN) != UNKNOWN
    }
    settings = {key: value for key, value in provenance.settings.items() if key != _KEY}
    if known:
        settings[_KEY] = known
    return diarization.replace(provenance=dataclasses.replace(provenance, settings=settings))


def traits_of(diarization: Diarization) -> dict[str, Traits]:
    """Return the traits of every speaker, unknown where the provenance has none that can be read."""
    provenance = diarization.provenance
    told = provenance.settings.get(_KEY) if provenance else None
    told = told if isinstance(told, Mapping) else {}
    return {speaker: _read(told.get(speaker)) for speaker in diarization.speakers}


def _read(told: object) -> Traits:
    match told:
        case {"gender": str(gender), "band": str(band), "environment": str(environment)} if (
            gender in get_args(Gender) and band in get_args(Band)
        ):
            return Traits(gender, band, environment)  # type: ignore[arg-type]
    return UNKNOWN
