"""Conversations mixed on the way: as `tertulia simulate` makes them, from sound that is decoded already.

A recording of 90 s takes a tenth of a second, so that none is heard twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tertulia.errors import InputError
from tertulia.simulation.rooms import draw_room, image_response
from tertulia.simulation.sampling import sample
from tertulia.simulation.sounds import decibels, rms, speech_of
from tertulia.simulation.templates import replay
from tertulia.simulation.turns import TurnStatistics
from tertulia.timeline import Diarization
from tertulia.training.augment import at_speed
from tertulia.training.pack import Pack

__all__ = ["Conversations", "Rooms"]

Samples = NDArray[np.float32]

_FADE = 80  # samples at both ends of a turn: cut speech would click
_RT60 = (0.15, 0.7)  # s
_LEVEL = -26.0  # dB of full scale
_GAIN = 3.0  # dB by which a voice is louder or softer than the others
# Drawn anew for each conversation, which may be a lively meeting or a broadcast of long speeches.
_OVERLAPPING = (0.05, 0.8)  # share of changes that overlap
_TURN, _PAUSE, _OVERLAP = (0.7, 4.0), (0.7, 3.0), (1.0, 4.0)  # factors of seconds, drawn by their logarithms
_EVENNESS = (0.5, 4.0)  # of the speakers' shares, likewise


class Rooms:
    """Impulse responses from several places in each of some generated rooms to one microphone.

    Args:
        count: rooms.
        people: places in each.
        rate: sample rate in Hz.
        seed: of the rooms.
    """

    def __init__(self, count: int, people: int, rate: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 2])
        self._responses = [self._of_room(people, rate, rng) for _ in range(count)]

    @staticmethod
    def _of_room(people: int, rate: int, rng: Generator) -> list[Samples]:
        room = draw_room(people, float(rng.uniform(*_RT60)), rng)
        beta, found = room.reflection(), []
        for source in range(people):
            response = image_response(room, source, rate, beta)
            response = response[int(np.argmax(np.abs(response))) :]  # from the direct sound on
            found.append(response.astype(np.float32))
        return found

    def draw(self, rng: Generator) -> Sequence[Samples]:
        """Return the responses of a room."""
        return self._responses[int(rng.integers(len(self._responses)))]


@dataclass(frozen=True, eq=False)
class Conversations:
    """Makes conversations of the voices of some speakers.

    Args:
        pack: sound.
        voices: speaker → pieces of it in which nobody else speaks.
        rooms: where they take place, or None for no echo at all.
        reverberant: share that takes place in one.
        templates: references whose turns are replayed; without any, turns are sampled.
        speeds: factors, one of which a voice is played at: at another speed it is another person's.
    """

    pack: Pack
    voices: Mapping[str, Sequence[int]]
    rooms: Rooms | None
    reverberant: float
    templates: Sequence[Diarization] = ()
    speeds: tuple[float, ...] = (1.0,)

    def __call__(
        self, speakers: tuple[int, int], seconds: float, rng: Generator
    ) -> tuple[Samples, Diarization]:
        """Make one: samples (seconds · rate,) around −26 dB of full scale, and who speaks when.

        Args:
            speakers: fewest and most.
            seconds: how long.
            rng: where chance comes from.

        Raises:
            InputError: when no template has that many speakers, or there are too few voices.
        """
        structure = self._structure(speakers, seconds, rng)
        names = list(structure.speakers)
        if len(names) > len(self.voices):
            raise InputError(f"{len(names)} speakers need as many voices; there are {len(self.voices)}")
        cast = rng.choice(list(self.voices), len(names), replace=False)
        echoes = self.rooms.draw(rng) if self.rooms and rng.random() < self.reverberant else None
        mixed = np.zeros(round(seconds * self.pack.sample_rate), np.float32)
        for place, (name, person) in enumerate(zip(names, cast, strict=True)):
            speed = self.speeds[int(rng.integers(len(self.speeds)))]
            voice = self._turns(structure[name].bounds, self.voices[str(person)], speed, len(mixed), rng)
            if echoes is not None:
                voice = _through(voice, echoes[place % len(echoes)])
            mixed += voice * np.float32(decibels(_LEVEL + rng.uniform(-_GAIN, _GAIN)))
        return mixed, structure

    def _structure(self, speakers: tuple[int, int], seconds: float, rng: Generator) -> Diarization:
        low, high = speakers
        if not self.templates:
            statistics = _statistics(rng)
            names = [str(i) for i in range(int(rng.integers(low, high + 1)))]
            return sample(statistics, names, seconds, rng)
        fitting = [t for t in self.templates if low <= len(t.speakers) <= high]
        if not fitting:
            raise InputError(f"no template has {low} to {high} speakers")
        cut = replay(fitting[int(rng.integers(len(fitting)))], seconds, rng)
        heard = {name: timeline for name, timeline in cut.items() if len(timeline)}
        return Diarization(heard, duration=seconds)

    def _turns(
        self, bounds: NDArray[np.float64], pieces: Sequence[int], speed: float, length: int, rng: Generator
    ) -> Samples:
        """One voice, of unit power while it speaks, silent between its turns; → (length,)."""
        spans = np.minimum(np.rint(bounds * self.pack.sample_rate).astype(np.int64), length)  # (turns, 2)
        speech = self._speech(pieces, speed, int((spans[:, 1] - spans[:, 0]).sum()), rng)
        dry, taken = np.zeros(length, np.float32), 0
        for begin, end in spans.tolist():
            turn = speech[taken : taken + end - begin].copy()
            fade = min(_FADE, len(turn) // 2)
            ramp = np.arange(1, fade + 1, dtype=np.float32) / (fade + 1)
            turn[:fade] *= ramp
            turn[len(turn) - fade :] *= ramp[::-1]
            dry[begin:end] = turn
            taken += end - begin
        return dry

    def _speech(self, pieces: Sequence[int], speed: float, count: int, rng: Generator) -> Samples:
        """Utterances without their silences one after the other, each of unit power; → (count,)."""
        parts: list[Samples] = []
        have = 0
        while have < count:
            before = have
            for i in rng.permutation(len(pieces)).tolist():
                speech = speech_of(self.pack.read(pieces[i]), self.pack.sample_rate)
                speech = at_speed(speech, speed, self.pack.sample_rate)
                if speech.size:
                    parts.append(speech / np.float32(rms(speech)))
                    have += len(speech)
                if have >= count:
                    break
            if have == before:
                raise InputError("a voice is nothing but silence")
        return np.concatenate([*parts, np.zeros(0, np.float32)])[:count]


def _statistics(rng: Generator) -> TurnStatistics:
    """Statistics of some conversation."""
    usual = TurnStatistics()
    longer, slower, further, evenness = (
        float(np.exp(rng.uniform(*np.log(drawn)))) for drawn in (_TURN, _PAUSE, _OVERLAP, _EVENNESS)
    )
    return dataclasses.replace(
        usual,
        turn=tuple(longer * value for value in usual.turn),
        pause=tuple(slower * value for value in usual.pause),
        gap=tuple(slower * value for value in usual.gap),
        overlap=tuple(further * value for value in usual.overlap),
        overlapping=float(rng.uniform(*_OVERLAPPING)),
        evenness=evenness,
    )


def _through(voice: Samples, response: Samples) -> Samples:
    """Convolve, keeping length and level."""
    from scipy.signal import oaconvolve

    wet: Samples = oaconvolve(voice, response)[: len(voice)].astype(np.float32)
    level = rms(wet)
    return wet * np.float32(rms(voice) / level) if level else wet
