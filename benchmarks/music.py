"""What music in the background does to diarization, and what can be done about it.

    python benchmarks/music.py DATA [--snr 10,5,0] [--system default] [--seconds 180] [--remedies=none,…]
        [--tracks PATTERN,…]

DATA holds `diarization/<subset>/` with audio and RTTM side by side, and `music/`, of which by default those
tracks are played that the scenes' network did not learn from. Every recording is
diarized clean and with music at each ratio of speech to music, as it is and by every remedy. Prints a table
in Markdown: DER pooled over the files with its parts (collar 0, overlap scored), and the error in the number
of speakers.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

import tertulia
from _backgrounds import RATE, mixed, music
from tertulia.audio import Waveform, read
from tertulia.evaluation import DiarizationError, SpeakerCountError, diarization_error, speaker_count_error
from tertulia.frontend import behind
from tertulia.systems import ignoring_music
from vad import recordings

HEADINGS = ["subset", "speech over music", "remedy", "DER %", "false alarm", "missed", "confusion"]
HEADINGS += ["count error"]

Diarize = Callable[[Waveform], tertulia.Diarization]


def remedies(system: str, names: list[str], threads: int) -> dict[str, Diarize]:
    """Ways to diarize, by the options of `tertulia diarize` that stand for them."""
    plain = tertulia.load(system, threads=threads)
    ways: dict[str, Callable[[], Diarize]] = {
        "none": lambda: plain,
        "--music ignore": lambda: ignoring_music(plain, threads),
        "--front-end vocals": lambda: behind(plain, "vocals"),
    }
    return {name: ways[name]() for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--system", default="default")
    parser.add_argument("--subsets", default="real,simulated")
    parser.add_argument("--snr", default="10,5,0")
    parser.add_argument("--seconds", type=float, default=180.0, help="of each recording, from its beginning")
    parser.add_argument("--remedies", default="none,--music ignore,--front-end vocals")
    parser.add_argument("--tracks", default="Hungarian_Dance*,*ragtime*", help="patterns of file names")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    tracks = sorted(
        p for pattern in options.tracks.split(",") for p in (options.data / "music").glob(pattern)
    )
    if not tracks:
        parser.error(f"no track in {options.data / 'music'} fits {options.tracks}")
    ratios = [np.inf, *(float(value) for value in options.snr.split(","))]
    systems = remedies(options.system, options.remedies.split(","), options.threads)
    for line in [HEADINGS, ["---"] * len(HEADINGS)]:
        print("| " + " | ".join(line) + " |")
    for subset in options.subsets.split(","):
        scores: dict[tuple[float, str], tuple[DiarizationError, SpeakerCountError]] = {}
        for index, (audio, reference) in enumerate(recordings(options.data, subset)):
            clean = read(audio).samples[0][: round(options.seconds * RATE)]
            reference = reference.crop(tertulia.Segment(0, len(clean) / RATE))
            for snr in ratios:
                background = music(tracks, len(clean), np.random.default_rng([index, 1]))
                heard = clean if snr == np.inf else mixed(clean, reference.speech, background, snr)
                for remedy, diarize in systems.items():
                    found = diarize(Waveform(heard[None], RATE))
                    new = diarization_error(reference, found), speaker_count_error(reference, found)
                    old = scores.get((snr, remedy))
                    scores[snr, remedy] = new if old is None else (old[0] + new[0], old[1] + new[1])
        for (snr, remedy), (error, count) in scores.items():
            parts = (error.der, error.false_alarm_rate, error.missed_rate, error.confusion_rate)
            ratio = "no music" if snr == np.inf else f"{snr:g} dB"
            cells = [subset, ratio, remedy, *(f"{100 * part:.2f}" for part in parts), f"{count.mean:.2f}"]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
