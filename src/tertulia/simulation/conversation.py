"""`Conversation`: everything that is decided about a recording before its first sample is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tertulia._version import __version__
from tertulia.simulation.rooms import Room
from tertulia.timeline import Diarization

__all__ = ["Conversation"]


@dataclass(frozen=True)
class Conversation:
    """A recording to be made; with the same files and versions it comes out the same every time.

    Args:
        index: which one of the simulation, from 0.
        seed: of the simulation.
        reference: who speaks when, in whole milliseconds; speakers are called like their voices.
        sample_rate: of the mixture in Hz; a telephone brings it down to 8000.
        level: of the speech in dB of full scale.
        gains: speaker → dB beside the others.
        template: name of the reference that was replayed.
        room: a generated room whose sources are the speakers in order of `gains`, or an impulse response.
        noise: files, or the slope of generated noise.
        snr: speech over noise in dB.
        music: the file that plays.
        music_snr: speech over music in dB.
        telephone: whether it went over a telephone.
        codec: what it was stored with in between.
    """

    index: int
    seed: int
    reference: Diarization
    sample_rate: int
    level: float
    gains: Mapping[str, float] = field(default_factory=dict)
    template: str | None = None
    room: Room | Path | None = None
    noise: tuple[Path, ...] | float | None = None
    snr: float | None = None
    music: Path | None = None
    music_snr: float | None = None
    telephone: bool = False
    codec: str = "none"

    @property
    def name(self) -> str:
        """What its files are called."""
        return self.reference.uri

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.reference.duration or 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        speakers: dict[str, Any] = {name: {"gain_db": gain} for name, gain in self.gains.items()}
        for name, timeline in self.reference.items():
            speakers[name] |= {"turns": len(timeline), "seconds": round(timeline.duration, 3)}
        return {
            "name": self.name,
            "version": __version__,
            "seed": self.seed,
            "index": self.index,
            "seconds": self.seconds,
            "sample_rate": self.sample_rate,
            "level_dbfs": self.level,
            "speakers": speakers,
            "overlap_seconds": round(self.reference.overlap.duration, 3),
            "speech_seconds": round(self.reference.speech.duration, 3),
            "template": self.template,
            "room": self._room(),
            "noise": self._noise(),
            "music": None if self.music is None else {"file": str(self.music), "snr_db": self.music_snr},
            "telephone": self.telephone,
            "codec": self.codec,
        }

    def _room(self) -> dict[str, Any] | None:
        if self.room is None:
            return None
        if isinstance(self.room, Path):
            return {"file": str(self.room)}
        return {
            "size_m": self.room.size,
            "rt60_s": self.room.rt60,
            "microphone_m": self.room.microphone,
            "sources_m": dict(zip(self.gains, self.room.sources, strict=True)),
        }

    def _noise(self) -> dict[str, Any] | None:
        if self.noise is None:
            return None
        if isinstance(self.noise, float):
            return {"slope": self.noise, "snr_db": self.snr}
        return {"files": [str(path) for path in self.noise], "snr_db": self.snr}
