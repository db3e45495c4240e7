"""Train the models of the classical systems: kinds of sound, genders, UBM, i-vectors.

    python tools/train_background.py ../shared/data src/tertulia/weights/background.npz

Training material is simulated: conversations of speakers of speechocean762 and LibriSpeech in generated
rooms, with generated noise or ESC-10 clips, some over the telephone, some over music. Speakers named in an
RTTM file of `diarization/simulated` are left out, and so is every recording that may not ship.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.audio import read
from tertulia.frames import Grid
from tertulia.gaussians import GMM, Statistics, fit
from tertulia.gaussians.background import scene_features, voice_features
from tertulia.gaussians.ivectors import train_extractor
from tertulia.mfcc import STEP, mfcc
from tertulia.simulation import Simulation, Simulator
from tertulia.simulation.sounds import audio_files
from tertulia.timeline import Diarization

SHIPPABLE = {"speechocean762", "LibriSpeech"}
NOT_SHIPPABLE_MUSIC = "ragtime"
ADULT = 16  # years from which a voice counts as a woman's or a man's
SECONDS = 60.0
PIECE = 500  # frames of one speaker that make an i-vector, at least half of them in the last
COMPONENTS = {"sound": 32, "voice": 32, "ubm": 256}
RANK = 80
GRID = Grid(STEP)

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Show:
    """A simulated conversation: cepstra (frames, 13), who speaks when, and over what."""

    cepstra: Array
    reference: Diarization
    telephone: bool
    music: bool


def simulations(data: Path, music: Path) -> list[tuple[Simulation, bool]]:
    """What to simulate, and whether it is over music."""
    with open(data / "speakers" / "speakers.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    common = {
        "voices": str(data / "speakers" / "speakers.tsv"),
        "exclude": tuple(sorted({row["speaker"] for row in rows if row["corpus"] not in SHIPPABLE})),
        "exclude_from": str(data / "diarization" / "simulated"),
        "seconds": (SECONDS, SECONDS),
        "speakers": (3, 3),
        "overlap": 0.0,
        "level": (-42.0, -20.0),
        "snr": (8.0, 30.0),
        "telephone": 0.2,
    }
    noises = str(data / "noise" / "esc10")
    return [
        (Simulation(**common, count=120, rooms="generated", noise="generated", seed=1), False),
        (Simulation(**common, count=60, rooms="generated", noise=noises, seed=2), False),
        (Simulation(**common, count=60, noise=noises, seed=3), False),
        (
            Simulation(
                **common, count=40, rooms="generated", music=str(music), music_snr=(0.0, 15.0), seed=4
            ),
            True,
        ),
    ]


def shows(data: Path) -> Iterator[Show]:
    """Make the conversations, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        music = Path(folder)
        for track in tracks(data):
            (music / track.name).symlink_to(track.resolve())
        for settings, over_music in simulations(data, music):
            simulator = Simulator(settings)
            for index in range(len(simulator)):
                conversation = simulator.plan(index)
                mix = simulator.mix(conversation)
                samples = np.concatenate(list(mix))
                wave = read((samples, mix.rate)).samples[0]
                yield Show(mfcc(wave), conversation.reference, conversation.telephone, over_music)


def tracks(data: Path) -> list[Path]:
    """Music that may ship."""
    return [path for path in audio_files(data / "music") if NOT_SHIPPABLE_MUSIC not in path.name]


def sounds(data: Path, material: list[Show]) -> dict[str, GMM]:
    """Mixtures of the kinds of sound."""
    frames: dict[str, list[Array]] = {}
    for show in material:
        features = scene_features(show.cepstra)
        speech = GRID.mask(show.reference.speech, len(features))
        kind = "speech over music" if show.music else "telephone speech" if show.telephone else "speech"
        frames.setdefault(kind, []).append(features[speech])
        frames.setdefault("music" if show.music else "silence", []).append(features[~speech])
    frames["noise"] = [alone(path) for path in audio_files(data / "noise" / "esc10")]
    frames["music"] += [alone(path) for path in tracks(data)]
    return {kind: mixture(np.concatenate(parts), COMPONENTS["sound"]) for kind, parts in frames.items()}


def alone(path: Path) -> Array:
    """Features of a whole file of one kind of sound."""
    return scene_features(mfcc(read(path).samples[0]))


def voices(data: Path, material: list[Show]) -> dict[str, GMM]:
    """Mixtures of adult women and men, in wide band and over the telephone."""
    with open(data / "speakers" / "speakers.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    sex = {row["speaker"]: row["sex"].upper() for row in rows if row["sex"] and int(row["age"]) >= ADULT}
    frames: dict[str, list[Array]] = {}
    for show in (show for show in material if not show.music):
        features = scene_features(show.cepstra)
        for speaker in show.reference.speakers:
            if speaker in sex:
                kind = sex[speaker] + ("T" if show.telephone else "S")
                mine = GRID.mask(show.reference[speaker], len(features))
                frames.setdefault(kind, []).append(features[mine])
    return {kind: mixture(np.concatenate(parts), COMPONENTS["voice"]) for kind, parts in frames.items()}


def mixture(frames: Array, components: int, most: int = 400_000) -> GMM:
    """Fit to at most so many of the frames."""
    chosen = np.random.default_rng(0).permutation(len(frames))[:most]
    return fit(frames[chosen], components, iterations=30, tolerance=1e-3)


def pieces(material: list[Show]) -> list[tuple[str, Array]]:
    """Voice features of about five seconds of one speaker in one recording each."""
    found = []
    for show in material:
        features = voice_features(show.cepstra)
        for speaker in show.reference.speakers:
            mine = features[GRID.mask(show.reference[speaker], len(features))]
            count = max(1, round(len(mine) / PIECE))
            found += [(speaker, part) for part in np.array_split(mine, count) if len(part) >= PIECE // 2]
    return found


def ivectors(ubm: GMM, parts: list[tuple[str, Array]]) -> dict[str, NDArray[np.float64]]:
    """Total variability, and what makes variation within a speaker the same in all directions."""
    seen = [Statistics.of(ubm, features) for _, features in parts]
    extractor = train_extractor(ubm, seen, RANK)
    vectors = extractor(seen)
    centre = vectors.mean(axis=0)
    names = np.array([speaker for speaker, _ in parts])
    within = np.zeros((RANK, RANK))
    for name in np.unique(names):
        mine = vectors[names == name]
        apart = mine - mine.mean(axis=0)
        within += apart.T @ apart
    within /= len(vectors) - len(np.unique(names))
    return {
        "ivector/matrix": extractor.matrix,
        "ivector/centre": centre,
        "ivector/whitening": np.linalg.cholesky(np.linalg.inv(within)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with speakers, noise, music and diarization")
    parser.add_argument("output", type=Path, help="the .npz file to write")
    options = parser.parse_args()
    material = list(shows(options.data))
    parts = pieces([show for show in material if not show.music])
    ubm = mixture(np.concatenate([features for _, features in parts]), COMPONENTS["ubm"])
    mixtures = {f"sound/{kind}": model for kind, model in sounds(options.data, material).items()}
    mixtures |= {f"voice/{kind}": model for kind, model in voices(options.data, material).items()}
    arrays = ivectors(ubm, parts)
    for name, model in {**mixtures, "ubm": ubm}.items():
        arrays |= {f"{name}/{key}": getattr(model, key) for key in ("weights", "means", "variances")}
    small = {
        name: values.astype(np.float16 if name == "ivector/matrix" else np.float32)
        for name, values in arrays.items()
    }
    np.savez_compressed(options.output, **small)
    speakers = {speaker for speaker, _ in parts}
    print(
        f"{len(material)} conversations, {len(speakers)} speakers, {len(parts)} pieces, "
        f"{sum(len(part) for _, part in parts)} frames of speech"
    )
    print(f"{options.output}: {options.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
