"""Measure speech activity detection, also with babble and music under the recordings.

    python benchmarks/vad.py DATA [--methods silero,powerset,energy] [--snr 10,0] [--subsets real,simulated]
        [--weights FILE.onnx] [--gain 0]

DATA holds `diarization/<subset>/` with audio and RTTM side by side, `speakers/speakers.tsv` (babble: eight
people who are in none of the references) and `music/`. Prints a table in Markdown: detection error (false
alarm and missed time over the time of speech), precision, recall and F1 of time, pooled over the files.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import tertulia
from _backgrounds import RATE, babble, mixed, music, speakers
from tertulia.audio import Waveform, read
from tertulia.detection import default_boundaries, load_detector
from tertulia.evaluation import DetectionError, detection_error
from tertulia.simulation.sounds import decibels

HEADINGS = ["subset", "background", "method", "detection error %", "false alarm", "missed", "precision %"]
HEADINGS += ["recall %", "F1 %", "× real time"]
CORPORA = {"speechocean762", "LibriSpeech"}


def recordings(data: Path, subset: str) -> Iterator[tuple[Path, tertulia.Diarization]]:
    """Audio files of a subset and who speaks in them."""
    for rttm in sorted((data / "diarization" / subset).glob("*.rttm")):
        audio = next(p for p in rttm.parent.glob(f"{rttm.stem}.*") if p.suffix != ".rttm")
        yield audio, tertulia.Diarization.read(rttm)


def backgrounds(ratios: list[float]) -> list[tuple[str, float]]:
    """What is mixed in: kind and ratio in decibels."""
    return [("none", np.inf), *((kind, snr) for kind in ("babble", "music") for snr in ratios)]


def row(where: str, how: str, method: str, error: DetectionError, speed: float) -> list[str]:
    """One line of the table."""
    hit = error.total - error.missed
    precision, recall = hit / (hit + error.false_alarm), hit / error.total
    f1 = 2 * precision * recall / (precision + recall)
    rates = (error.error_rate, error.false_alarm_rate, error.missed_rate, precision, recall, f1)
    return [where, how, method, *(f"{100 * rate:.2f}" for rate in rates), f"{speed:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--methods", default="silero,powerset,crdnn,energy")
    parser.add_argument("--subsets", default="real,simulated")
    parser.add_argument("--snr", default="10,0", help="of what is mixed in, dB; nothing for clean alone")
    parser.add_argument("--weights", help="instead of the bundled ones, for all methods named")
    parser.add_argument("--gain", type=float, default=0.0, help="change of the level of everything, dB")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--energy", action="store_true")
    options = parser.parse_args()
    ratios = [float(value) for value in options.snr.split(",") if value]
    own = {"weights": options.weights} if options.weights else {}
    detectors = {
        method: load_detector(
            method,
            boundaries=dataclasses.replace(default_boundaries(method), energy=options.energy),
            threads=options.threads,
            **own,
        )
        for method in options.methods.split(",")
    }
    heard = {
        name
        for subset in (options.data / "diarization").iterdir()
        for _, reference in recordings(options.data, subset.name)
        for name in reference.speakers
    }
    voices = speakers(options.data / "speakers", CORPORA, heard)
    tracks = sorted((options.data / "music").glob("*.ogg"))
    for line in [HEADINGS, ["---"] * len(HEADINGS)]:
        print("| " + " | ".join(line) + " |")
    for subset in options.subsets.split(","):
        errors: dict[tuple[str, str, str], DetectionError] = {}
        seconds: dict[tuple[str, str, str], tuple[float, float]] = {}
        for index, (audio, reference) in enumerate(recordings(options.data, subset)):
            parts = [subset, f"{subset}, ami_trn only"] if audio.stem.startswith("ami_trn") else [subset]
            clean = read(audio).samples[0]
            for kind, snr in backgrounds(ratios):
                rng = np.random.default_rng([index, int(kind == "music")])
                samples = clean
                if kind != "none":
                    make = (
                        babble(voices, len(clean), rng)
                        if kind == "babble"
                        else music(tracks, len(clean), rng)
                    )
                    samples = mixed(clean, reference.speech, make, snr)
                samples = np.clip(samples * np.float32(decibels(options.gain)), -1, 1)
                how = kind if kind == "none" else f"{kind}, {snr:g} dB"
                for method, detector in detectors.items():
                    begun = time.perf_counter()
                    found = detector(Waveform(samples[None], RATE)).to_diarization()
                    taken = time.perf_counter() - begun
                    error = detection_error(reference, found)
                    for key in [(part, how, method) for part in parts]:
                        errors[key] = errors[key] + error if key in errors else error
                        before, used = seconds.get(key, (0.0, 0.0))
                        seconds[key] = before + len(samples) / RATE, used + taken
        for key in sorted(errors, key=lambda key: key[0]):
            length, taken = seconds[key]
            print("| " + " | ".join(row(*key, errors[key], length / taken)) + " |", flush=True)


if __name__ == "__main__":
    main()
