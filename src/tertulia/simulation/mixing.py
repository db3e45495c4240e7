"""From a `Conversation` to sound, block by block, in memory that does not grow with its length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from tertulia.errors import AudioError
from tertulia.simulation.channel import BLOCK_SECONDS, TELEPHONE_RATE, exactly, telephone, through
from tertulia.simulation.conversation import Conversation
from tertulia.simulation.rooms import SPEED_OF_SOUND, Room, image_response
from tertulia.simulation.sounds import (
    Bed,
    ColouredNoise,
    Convolver,
    SampleBed,
    Samples,
    decibels,
    load,
    rms,
)
from tertulia.simulation.voices import Utterances, Voice
from tertulia.timeline import Timeline

__all__ = ["Mix"]

_FADE = 0.005  # s at both ends of a turn, inside it: cut speech would click
_RESPONSE_SECONDS = 3.0
_ONSET = 0.001  # s kept before the direct sound of a given response


class Mix:
    """The sound of a conversation: iterating yields blocks float32 (n,) at `rate`, once.

    Attributes:
        rate: sample rate in Hz.
        samples: how many there will be.

    Raises:
        AudioError: when a voice, response, noise or music cannot be read.
    """

    def __init__(self, conversation: Conversation, voices: Utterances) -> None:
        self._conversation = conversation
        mixed = conversation.sample_rate
        self.rate = TELEPHONE_RATE if conversation.telephone else mixed
        self.samples = round(conversation.seconds * self.rate)
        chance = np.random.default_rng([conversation.seed, conversation.index, 1]).spawn(
            len(conversation.gains) + 2
        )
        responses = _responses(conversation)
        self._talkers = {
            name: _Talker(
                conversation.reference[name],
                Voice(voices[name], mixed, rng),
                decibels(conversation.level + gain),
                responses[name],
                mixed,
            )
            for (name, gain), rng in zip(conversation.gains.items(), chance[2:], strict=True)
            if name in conversation.reference
        }
        self._beds = list(_beds(conversation, mixed, chance[0], chance[1]))

    @property
    def utterances(self) -> dict[str, list[Path]]:
        """Speaker → files heard so far, in order."""
        return {name: talker.voice.used for name, talker in self._talkers.items()}

    def __iter__(self) -> Iterator[Samples]:
        blocks = self._mixed()
        if self._conversation.telephone:
            blocks = telephone(blocks, self._conversation.sample_rate)
        return exactly(through(self._conversation.codec, blocks, self.rate), self.samples)

    def _mixed(self) -> Iterator[Samples]:
        rate = self._conversation.sample_rate
        end = round(self._conversation.seconds * rate)
        for start in range(0, end, BLOCK_SECONDS * rate):
            stop = min(end, start + BLOCK_SECONDS * rate)
            mixed = np.zeros(stop - start, np.float32)
            for talker in self._talkers.values():
                talker.add(mixed, start)
            for bed in self._beds:
                mixed += np.float32(bed.amplitude) * bed.sound.take(len(mixed))
            yield np.clip(mixed, -1, 1)


class _Talker:
    """A speaker's turns on their way to the microphone."""

    def __init__(
        self, turns: Timeline, voice: Voice, amplitude: float, response: Samples | None, rate: int
    ) -> None:
        self.voice = voice
        self._bounds = np.rint(turns.bounds * rate).astype(np.int64)  # (turns, 2)
        self._fade = _FADE * rate
        self._amplitude = np.float32(amplitude)
        self._room = None if response is None else Convolver(_levelled(response, voice.ahead()))

    def add(self, mixed: Samples, start: int) -> None:
        """Add what is heard of the speaker from sample `start` on to a block (n,)."""
        stop = start + len(mixed)
        first = int(np.searchsorted(self._bounds[:, 1], start, side="right"))
        last = int(np.searchsorted(self._bounds[:, 0], stop, side="left"))
        if first == last and not (self._room and self._room.rings):
            return
        dry = np.zeros(len(mixed), np.float32)
        for begin, end in self._bounds[first:last].tolist():
            here = np.arange(max(begin, start), min(end, stop))
            ramp = np.minimum(here - begin + 1, end - here) / self._fade
            dry[here - start] = self.voice.take(len(here)) * np.minimum(ramp, 1).astype(np.float32)
        mixed += self._amplitude * (self._room(dry) if self._room else dry)


def _levelled(response: Samples, speech: Samples) -> Samples:
    """Scale a response so that it leaves the power of this speech as it is; gains alone decide levels."""
    from scipy.signal import oaconvolve

    heard = rms(oaconvolve(speech, response)[: len(speech)])
    return response * np.float32(rms(speech) / heard) if heard > 0 else response


def _responses(conversation: Conversation) -> Mapping[str, Samples | None]:
    """Speaker → impulse response (taps,), begun with the direct sound so that turns stay where they are."""
    room, rate = conversation.room, conversation.sample_rate
    if isinstance(room, Room):
        beta = room.reflection()
        delays = [round(distance / SPEED_OF_SOUND * rate) for distance in room.distances]
        return {
            name: image_response(room, i, rate, beta)[delays[i] :].astype(np.float32)
            for i, name in enumerate(conversation.gains)
        }
    if room is None:
        return dict.fromkeys(conversation.gains)
    response = load(room, rate, _RESPONSE_SECONDS)
    if not response.any():
        raise AudioError(f"{room}: an impulse response cannot be silent")
    onset = max(0, int(np.argmax(np.abs(response))) - round(_ONSET * rate))
    return dict.fromkeys(conversation.gains, response[onset:])


@dataclass(frozen=True)
class _Level:
    sound: Bed
    amplitude: float


def _beds(
    conversation: Conversation, rate: int, noise_rng: Generator, music_rng: Generator
) -> Iterator[_Level]:
    """Noise and music, each so far below the speech as asked."""
    speech = _speech_amplitude(conversation)
    noise = conversation.noise
    if noise is not None and conversation.snr is not None:
        bed = (
            ColouredNoise(noise, rate, noise_rng)
            if isinstance(noise, float)
            else SampleBed(noise, rate, noise_rng)
        )
        yield _Level(bed, speech * decibels(-conversation.snr))
    if conversation.music is not None and conversation.music_snr is not None:
        yield _Level(
            SampleBed([conversation.music], rate, music_rng), speech * decibels(-conversation.music_snr)
        )


def _speech_amplitude(conversation: Conversation) -> float:
    """Root of the mean power of the speech while anybody speaks; voices have unit power before their gain.

    Nobody speaking, it is the level that speech would have.
    """
    spoken = conversation.reference.speech.duration
    if spoken == 0:
        return decibels(conversation.level)
    powers = [
        decibels(2 * conversation.gains[name]) * timeline.duration
        for name, timeline in conversation.reference.items()
    ]
    return decibels(conversation.level) * float(np.sqrt(sum(powers) / spoken))
