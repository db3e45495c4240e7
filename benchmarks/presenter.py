"""How well `tertulia scenes --presenter` tells one known voice from all else.

    python benchmarks/presenter.py DATA [--subset simulated] [--snr inf,10] [--seconds 120] [--enrolment 15]
        [--tracks PATTERN,…]

DATA holds `diarization/<subset>/` with audio and RTTM side by side, whose speakers are also in
`speakers/speakers.tsv`, and `music/`. The presenter of a recording is who speaks most in it; the voice is
enrolled from utterances of that person, joined. The recordings are made of utterances of the same corpora,
and nothing tells which: an utterance may be in the enrolment and in the recording. For each recording, as it
is and with music at each ratio, prints the precision, recall and F1 of frames of 10 ms in which the
presenter is found, the share of all frames that are right (presenter or not), and what becomes of a
stranger, the presenter of another recording, who is enrolled instead.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tertulia
from _backgrounds import RATE, mixed, music
from tertulia.audio import Waveform, read
from tertulia.detection import Presenter, SceneDetector
from tertulia.identity.enrolment import Ear
from tertulia.segmentation.scenes import GRID, SPOKEN
from tertulia.simulation.sounds import load
from vad import recordings

HEADINGS = ["recording", "background", "presenter speaks %", "precision %", "recall %", "F1 %"]
HEADINGS += ["frames right %", "stranger found %"]
PAUSE = 0.3  # seconds between utterances of an enrolment


class Once:
    """A diarizer that answers again what it has just answered: presenter and stranger ask the same."""

    def __init__(self, diarizer: Any) -> None:
        self._diarizer, self._asked, self._answer = diarizer, None, None

    def __call__(self, source: Any, *rest: Any, **named: Any) -> tertulia.Diarization:
        if source is not self._asked:
            self._asked, self._answer = source, self._diarizer(source, *rest, **named)
        return self._answer


def utterances(folder: Path, speaker: str, seconds: float) -> Waveform:
    """Utterances of a speaker, the last that are listed, until there are so many seconds of them."""
    with open(folder / "speakers.tsv", encoding="utf-8") as file:
        paths = [row["path"] for row in csv.DictReader(file, delimiter="\t") if row["speaker"] == speaker]
    parts: list[NDArray[np.float32]] = []
    while paths and sum(map(len, parts)) < seconds * RATE:
        parts += [load(folder / paths.pop(), RATE, 60.0), np.zeros(round(PAUSE * RATE), np.float32)]
    if not parts:
        raise SystemExit(f"{folder / 'speakers.tsv'} lists no utterance of {speaker}")
    return Waveform(np.concatenate(parts)[None], RATE)


def cut(data: Path, subset: str, seconds: float) -> Iterator[tuple[str, NDArray[Any], tertulia.Diarization]]:
    """Name, first seconds and reference of every recording."""
    for audio, reference in recordings(data, subset):
        samples = read(audio).samples[0][: round(seconds * RATE)]
        yield audio.stem, samples, reference.crop(tertulia.Segment(0, len(samples) / RATE))


def main_speaker(reference: tertulia.Diarization) -> str:
    """Who speaks most."""
    return max(reference.speakers, key=lambda name: reference[name].duration)


def found(sound: Waveform, presenter: Presenter, frames: int) -> NDArray[np.bool_]:
    """Tell in which frames the presenter is heard, over music or not, (frames,)."""
    scenes = SceneDetector(presenter=presenter)(sound).scenes
    return np.any([GRID.mask(scenes[name], frames) for name in SPOKEN], axis=0)


def counts(truth: NDArray[np.bool_], told: NDArray[np.bool_], stranger: NDArray[np.bool_]) -> NDArray[Any]:
    """Frames: both, in truth, told, the same, in which a stranger was found, all."""
    return np.array(
        [(truth & told).sum(), truth.sum(), told.sum(), (truth == told).sum(), stranger.sum(), len(truth)]
    )


def row(name: str, background: str, sums: NDArray[Any]) -> str:
    """A line of the table."""
    both, truth, told, same, stranger, total = sums.tolist()
    shares = [truth / total, both / told if told else np.nan, both / truth, 2 * both / (told + truth)]
    shares += [same / total, stranger / total]
    cells = ["–" if np.isnan(share) else f"{100 * share:.1f}" for share in shares]
    return "| " + " | ".join([name, background, *cells]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--subset", default="simulated")
    parser.add_argument("--snr", default="inf,10", help="of speech over music, dB; inf is no music")
    parser.add_argument("--seconds", type=float, default=120.0, help="of each recording, from its beginning")
    parser.add_argument("--enrolment", type=float, default=15.0, help="seconds of utterances")
    parser.add_argument("--tracks", default="Hungarian_Dance*,*ragtime*", help="patterns of file names")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    tracks = sorted(
        p for pattern in options.tracks.split(",") for p in (options.data / "music").glob(pattern)
    )
    ear = Ear.load(options.threads)
    ear = dataclasses.replace(ear, diarizer=Once(ear.diarizer))
    mains = [main_speaker(reference) for *_, reference in cut(options.data, options.subset, options.seconds)]
    known = {
        name: Presenter(
            ear(utterances(options.data / "speakers", name, options.enrolment), one_speaker=True), ear
        )
        for name in dict.fromkeys(mains)
    }
    pooled: dict[str, NDArray[Any]] = {}
    for line in [HEADINGS, ["---"] * len(HEADINGS)]:
        print("| " + " | ".join(line) + " |")
    for number, (name, clean, reference) in enumerate(cut(options.data, options.subset, options.seconds)):
        others = [other for other in mains[number:] + mains[:number] if other not in reference.speakers]
        frames = GRID.count(len(clean) / RATE)
        truth = GRID.mask(reference[mains[number]], frames)
        for snr in map(float, options.snr.split(",")):
            background = "none" if snr == np.inf else f"music, {snr:g} dB"
            samples = clean
            if snr != np.inf:
                bed = music(tracks, len(clean), np.random.default_rng([number, 1]))
                samples = mixed(clean, reference.speech, bed, snr)
            sound = Waveform(samples[None], RATE)
            told, stranger = (found(sound, known[who], frames) for who in (mains[number], others[0]))
            sums = counts(truth, told, stranger)
            pooled[background] = pooled.get(background, 0) + sums
            print(row(name, background, sums), flush=True)
    for background, sums in pooled.items():
        print(row("pooled", background, sums))


if __name__ == "__main__":
    main()
