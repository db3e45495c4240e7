"""`Simulator`: from a `Simulation` to recordings with their references."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator

from tertulia.errors import OutputError, UsageError
from tertulia.formats import write, write_text
from tertulia.simulation.conversation import Conversation
from tertulia.simulation.mixing import Mix
from tertulia.simulation.rooms import Room, draw_room
from tertulia.simulation.sampling import sample
from tertulia.simulation.settings import GENERATED, NONE, Range, Simulation
from tertulia.simulation.sounds import Samples, audio_files
from tertulia.simulation.templates import read_references, replay
from tertulia.simulation.turns import TurnStatistics
from tertulia.simulation.voices import read_voices, without
from tertulia.simulation.writing import write_stream
from tertulia.timeline import Diarization, Timeline

__all__ = ["Simulator"]

Report = Callable[[float, float], None]

_SECONDS: Range = (90.0, 90.0)
_SPEAKERS = (2, 4)
_NOISES = 3  # files that take turns in one recording
_SLOPES: Range = (0.0, 2.0)  # white to brown


class Simulator:
    """Makes the recordings of a simulation, each by itself: one is the same whatever others are made.

    Args:
        settings: what to make.

    Raises:
        UsageError: when there are too few voices, or no template fits.
        InputError: when voices, templates or statistics cannot be read.
    """

    def __init__(self, settings: Simulation) -> None:
        self.settings = settings
        elsewhere = None
        if settings.exclude_from is not None:
            elsewhere = {s for r in read_references(settings.exclude_from).values() for s in r.speakers}
        self.voices = without(read_voices(settings.voices), settings.exclude, elsewhere)
        self._templates = _templates(settings)
        self._statistics = _statistics(settings.statistics)
        self._noises = [] if settings.noise in (NONE, GENERATED) else audio_files(Path(settings.noise))
        self._tracks = [] if settings.music == NONE else audio_files(Path(settings.music))
        self._responses = [] if settings.rooms in (NONE, GENERATED) else audio_files(Path(settings.rooms))

    def __len__(self) -> int:
        """Count the recordings there are to make."""
        return self.settings.count

    def plan(self, index: int) -> Conversation:
        """Decide everything about a recording, counted from 0.

        Raises:
            UsageError: when there are too few voices, or somebody is absent who is not in it.
        """
        settings = self.settings
        rng = np.random.default_rng([settings.seed, index, 0])
        template, structure, places = self._structure(rng)
        cast = [str(name) for name in rng.choice(list(self.voices), len(places), replace=False)]
        names = dict(zip(places, cast, strict=True))
        reference = structure.rename({place: names[place] for place in structure.speakers})
        gains = {name: _draw(settings.gain, rng) for name in cast}
        noise = self._noise(rng)
        music = self._tracks[int(rng.integers(len(self._tracks)))] if self._tracks else None
        return Conversation(
            index=index,
            seed=settings.seed,
            reference=reference.replace(uri=f"simulated_{settings.seed}_{index:04d}"),
            sample_rate=settings.sample_rate,
            level=_draw(settings.level, rng),
            gains=gains,
            template=template,
            room=self._room(len(cast), rng),
            noise=noise,
            snr=None if noise is None else _draw(settings.snr, rng),
            music=music,
            music_snr=None if music is None else _draw(settings.music_snr, rng),
            telephone=bool(rng.random() < settings.telephone),
            codec=settings.codecs[int(rng.integers(len(settings.codecs)))],
        )

    def mix(self, conversation: Conversation) -> Mix:
        """Return the sound of a conversation, to be iterated once."""
        return Mix(conversation, self.voices)

    def write(self, index: int, folder: Path, report: Report | None = None) -> Conversation:
        """Make a recording: NAME.flac (or another format), NAME.rttm, and NAME.json with what was done.

        Args:
            index: which one, from 0.
            folder: where to; created when missing.
            report: called with the seconds that are done, and how many there are.

        Raises:
            OutputError: when it cannot be written.
            AudioError: when a voice, response, noise or music cannot be read.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from error
        conversation = self.plan(index)
        mix = self.mix(conversation)
        path = folder / f"{conversation.name}.{self.settings.format}"
        write_stream(path, _reported(mix, report), mix.rate, mix.samples)
        done = conversation.to_dict() | {"sample_rate": mix.rate}
        for name, files in mix.utterances.items():
            done["speakers"][name]["utterances"] = [str(file) for file in files]
        write_text(path.with_suffix(".json"), json.dumps(done, indent=1) + "\n")
        write(conversation.reference, path.with_suffix(".rttm"))
        return conversation

    def _structure(self, rng: Generator) -> tuple[str | None, Diarization, Sequence[str]]:
        """Name of the template if any, who speaks when, and the names in it that want a voice."""
        settings = self.settings
        if self._templates:
            name = sorted(self._templates)[int(rng.integers(len(self._templates)))]
            seconds = None if settings.seconds is None else _draw(settings.seconds, rng)
            structure = replay(self._templates[name], seconds, rng)
            places: Sequence[str] = structure.speakers
            away = self._away(places)
            present = {s: timeline - away.get(s, Timeline()) for s, timeline in structure.items()}
            return name, Diarization(present, duration=structure.duration), places
        low, high = settings.speakers or _SPEAKERS
        places = [str(i) for i in range(int(rng.integers(low, high + 1)))]
        self._check_enough(len(places))
        seconds = round(_draw(settings.seconds or _SECONDS, rng), 3)
        away = self._away(places)
        return None, sample(self._statistics, places, seconds, rng, settings.overlap, away), places

    def _away(self, places: Sequence[str]) -> dict[str, Timeline]:
        """Who is away when; speakers are counted in the order in which they are cast."""
        self._check_enough(len(places))
        away: dict[str, Timeline] = {}
        for speaker, start, end in self.settings.absences:
            if speaker > len(places):
                raise UsageError(
                    f"speaker {speaker} cannot be absent: there are {len(places)} in the recording"
                )
            place = places[speaker - 1]
            away[place] = away.get(place, Timeline()) | Timeline([(start, end)])
        return away

    def _check_enough(self, needed: int) -> None:
        if needed > len(self.voices):
            raise UsageError(f"{needed} speakers need as many voices; there are {len(self.voices)}")

    def _room(self, people: int, rng: Generator) -> Room | Path | None:
        if self.settings.rooms == GENERATED:
            return draw_room(people, _draw(self.settings.rt60, rng), rng)
        return self._responses[int(rng.integers(len(self._responses)))] if self._responses else None

    def _noise(self, rng: Generator) -> tuple[Path, ...] | float | None:
        if self.settings.noise == GENERATED:
            return _draw(_SLOPES, rng)
        if not self._noises:
            return None
        chosen = rng.choice(len(self._noises), min(_NOISES, len(self._noises)), replace=False)
        return tuple(self._noises[i] for i in chosen)


def _templates(settings: Simulation) -> dict[str, Diarization]:
    """Read the references to replay that have the right number of speakers."""
    if settings.turns is None:
        return {}
    found = {name: r for name, r in read_references(settings.turns).items() if len(r)}
    low, high = settings.speakers or (1, 10**9)
    fitting = {name: r for name, r in found.items() if low <= len(r.speakers) <= high}
    if not fitting:
        counts = sorted({len(r.speakers) for r in found.values()})
        raise UsageError(
            f"no template in {settings.turns} has {low} to {high} speakers; "
            f"they have: {', '.join(map(str, counts))}"
        )
    return fitting


def _statistics(source: str | None) -> TurnStatistics:
    if source is None:
        return TurnStatistics()
    if source.endswith(".json"):
        return TurnStatistics.read(source)
    return TurnStatistics.of(read_references(source).values())


def _draw(between: tuple[float, float], rng: Generator) -> float:
    return round(float(rng.uniform(*between)), 3)


def _reported(mix: Mix, report: Report | None) -> Iterable[Samples]:
    done = 0
    for block in mix:
        yield block
        done += len(block)
        if report is not None:
            report(done / mix.rate, mix.samples / mix.rate)
