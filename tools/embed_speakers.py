"""Embed crops of many speakers, by net duration and condition, for calibration and its benchmark.

    python tools/embed_speakers.py ../shared/data items.npz

Utterances of one speaker are joined, silence dropped, until there are 1.5, 3, 5, 10 or 20 s of speech; no
utterance is in two crops of one duration. Who has one utterance only has one crop, which tells what a channel
does to a voice. Children and VoxForge are taken in the clean only. Where speech is, is decided on the clean
sound (Silero), so that the same speech is seen in every condition:

- `clean`: as it is;
- `noise`: a clip of ESC-10 at 5 to 20 dB under the speech;
- `room`: the impulse response of a drawn shoebox room, reverberation time 0.2 to 0.6 s;
- `telephone`: 300 to 3400 Hz, mu-law, 8 kHz.

Rooms and clips of the test speakers are not those of the others. The 40 speakers of the simulated recordings
are the test set; children are speakers of 12 years or less.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.signal import oaconvolve

from tertulia.audio.resample import resampled
from tertulia.formats import read
from tertulia.identity.listening import Listener
from tertulia.inference import Network
from tertulia.simulation.channel import TELEPHONE_RATE, telephone
from tertulia.simulation.rooms import draw_room, image_response
from tertulia.simulation.sounds import decibels, load, rms

RATE = 16_000
CONDITIONS = ("clean", "noise", "room", "telephone")
MOST = {1.5: (8, 4), 3.0: (6, 3), 5.0: (4, 2), 10.0: (3, 1), 20.0: (1, 0)}
"""Seconds of speech: crops of a speaker in the clean, and in each other condition."""
ALONE = 10.0
"""Seconds of the longest crop of who has one utterance, and of whom there is no other."""
CORPORA = ("speechocean762", "LibriSpeech", "VoxForge")
ROOMS = 24
VAD_FRAME, VAD_CONTEXT = 512, 64

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Speaker:
    name: str
    corpus: str
    group: str
    utterances: tuple[Path, ...]

    @property
    def seed(self) -> int:
        return crc32(self.name.encode())


@dataclass(frozen=True)
class Crop:
    """Net speech that begins with utterance `first` and ends in `last`, in a speaker's shuffled order."""

    seconds: float
    first: int
    last: int


def speakers_of(data: Path) -> list[Speaker]:
    """Everybody of the corpora in use; group is test, adult or child."""
    tested = {name for path in data.glob("diarization/simulated/*.rttm") for name in read(path).speakers}
    rows: dict[str, list[dict[str, str]]] = {}
    with open(data / "speakers" / "speakers.tsv", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            rows.setdefault(row["speaker"], []).append(row)
    people = []
    for name, mine in rows.items():
        age = mine[0]["age"]
        group = "test" if name in tested else "child" if age.isdigit() and int(age) <= 12 else "adult"
        paths = [data / "speakers" / row["path"] for row in mine]
        order = np.random.default_rng(crc32(name.encode())).permutation(len(paths))
        people.append(Speaker(name, mine[0]["corpus"], group, tuple(paths[i] for i in order)))
    return [person for person in people if person.corpus in CORPORA]


class Speech:
    """Silero VAD over whole utterances; one frame is 32 ms."""

    def __init__(self) -> None:
        self.network = Network("silero-vad-6")

    def __call__(self, utterances: list[Samples]) -> list[NDArray[np.bool_]]:
        """Which samples are speech, one mask (n,) for each utterance."""
        steps = -(-max(map(len, utterances)) // VAD_FRAME)
        padded = np.zeros((len(utterances), VAD_CONTEXT + steps * VAD_FRAME), np.float32)
        for row, samples in zip(padded, utterances, strict=True):
            row[VAD_CONTEXT : VAD_CONTEXT + len(samples)] = samples
        state = np.zeros((2, len(utterances), 128), np.float32)
        speech = np.zeros((len(utterances), steps), bool)
        for step in range(steps):
            seen = padded[:, step * VAD_FRAME : (step + 1) * VAD_FRAME + VAD_CONTEXT]
            inputs = {"input": np.ascontiguousarray(seen), "state": state, "sr": np.array(RATE, np.int64)}
            output, state = self.network.run(["output", "stateN"], inputs)
            speech[:, step] = output[:, 0] >= 0.5
        frames = np.repeat(speech, VAD_FRAME, axis=1)
        return [mask[: len(samples)] for mask, samples in zip(frames, utterances, strict=True)]


class Conditions:
    """Turns clean utterances into what another recording of them would hold."""

    def __init__(self, data: Path) -> None:
        clips = sorted((data / "noise" / "esc10").rglob("*.*"))
        rng = np.random.default_rng(0)
        responses = [self._response(rng) for _ in range(ROOMS)]
        self.clips = {True: clips[::2], False: clips[1::2]}
        self.responses = {True: responses[::2], False: responses[1::2]}

    def __call__(self, samples: Samples, condition: str, tested: bool, rng: np.random.Generator) -> Samples:
        if condition == "noise":
            return self._noisy(samples, tested, rng)
        if condition == "room":
            response = self.responses[tested][rng.integers(ROOMS // 2)]
            return oaconvolve(samples, response)[: len(samples)].astype(np.float32)
        if condition == "telephone":
            narrow = (block[None] for block in telephone([samples], RATE))
            wide = np.concatenate(list(resampled(narrow, TELEPHONE_RATE, RATE, 1)), axis=1)[0]
            return np.pad(wide, (0, max(0, len(samples) - len(wide))))[: len(samples)]
        return samples

    def _noisy(self, samples: Samples, tested: bool, rng: np.random.Generator) -> Samples:
        clip = np.zeros(1, np.float32)
        while rms(clip) < 1e-4:
            clip = load(self.clips[tested][rng.integers(len(self.clips[tested]))], RATE, 5.0)
        bed = np.resize(np.roll(clip, rng.integers(len(clip))), len(samples))
        level = rms(samples) / max(rms(bed), 1e-4) * decibels(-rng.uniform(5, 20))
        return samples + np.float32(level) * bed

    @staticmethod
    def _response(rng: np.random.Generator) -> Samples:
        room = draw_room(1, float(rng.uniform(0.2, 0.6)), rng)
        response = image_response(room, 0, RATE)
        direct = int(np.abs(response).argmax())
        return (response[direct:] / np.sqrt((response**2).sum())).astype(np.float32)


def plan(speech: list[int], seconds: float, most: int) -> Iterator[Crop]:
    """Join utterances with so many samples of speech each until there are enough, then begin anew."""
    first = total = made = 0
    for last, samples in enumerate(speech):
        total += samples
        if total >= seconds * RATE and made < most:
            yield Crop(seconds, first, last)
            made, first, total = made + 1, last + 1, 0


def conditions_of(speaker: Speaker) -> tuple[str, ...]:
    """All conditions for adults who are trained on or tested; the clean for the others."""
    return CONDITIONS if speaker.corpus != "VoxForge" and speaker.group != "child" else ("clean",)


def crops_of(speech: list[int], condition: str) -> list[Crop]:
    """Crops of all durations, given the samples of speech in each utterance."""
    if len(speech) == 1:
        fitting = [seconds for seconds in MOST if seconds <= ALONE and seconds * RATE <= speech[0]]
        return [Crop(max(fitting), 0, 0)] if fitting else []
    return [
        crop for seconds, most in MOST.items() for crop in plan(speech, seconds, most[condition != "clean"])
    ]


def items_of(
    speaker: Speaker, speech_of: Speech, conditions: Conditions, listener: Listener
) -> Iterator[dict[str, object]]:
    """Embed every crop of one speaker."""
    used = speaker.utterances[:40]
    clean = [load(path, RATE, 30.0) for path in used]
    masks = speech_of(clean)
    tested = speaker.group == "test"
    for condition in conditions_of(speaker):
        rng = np.random.default_rng([speaker.seed, CONDITIONS.index(condition)])
        heard = [
            conditions(samples, condition, tested, rng)[mask]
            for samples, mask in zip(clean, masks, strict=True)
        ]
        for crop in crops_of([len(samples) for samples in heard], condition):
            joined = np.concatenate(heard[crop.first : crop.last + 1])[: round(crop.seconds * RATE)]
            yield {
                "speaker": speaker.name,
                "corpus": speaker.corpus,
                "group": speaker.group,
                "condition": condition,
                "seconds": crop.seconds,
                "first": crop.first,
                "last": crop.last,
                "vector": listener.embed(joined).vector,
            }


def main(data: Path, output: Path) -> None:
    """Write all items of all speakers."""
    parts = Speech(), Conditions(data), Listener()
    people = speakers_of(data)
    items = []
    for number, speaker in enumerate(people, 1):
        items += items_of(speaker, *parts)
        if number % 20 == 0:
            print(f"{number} of {len(people)} speakers, {len(items)} crops", file=sys.stderr)
    np.savez(
        output, model=parts[2].model, **{key: np.array([each[key] for each in items]) for key in items[0]}
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
