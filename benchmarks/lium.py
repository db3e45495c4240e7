"""Accuracy of the LIUM family and ALIZÉ: each recording alone, and a collection in which people return.

    python benchmarks/lium.py ../shared/data

The collection is simulated: ten conversations of four out of twelve people who were in no training data, each
recording with a room and a noise of its own. Published figures beside ours are those of ESTER 2.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import tertulia
from tertulia import Diarization, Speakers
from tertulia.audio import open_audio
from tertulia.chains import WholeRecording
from tertulia.chains.lium import LIUMChain, Show
from tertulia.chains.recording import cepstra
from tertulia.crossshow import cross_show
from tertulia.errors import UsageError
from tertulia.evaluation import cross_show_errors, diarization_error
from tertulia.featurefiles import Features
from tertulia.pipeline import Diarizer
from tertulia.simulation import Simulation, Simulator, read_voices
from tertulia.speakers import ANY

SYSTEMS = ("lium-bic", "lium-clr", "lium-ilp", "lium-ilp-neural", "alize-ehmm", "default")
ROUNDS = 20  # random labellings
UTTERANCES = 10  # that a person of the collection needs at least
HEADINGS = ["system", "DER", "missed", "false alarm", "confusion", "confusion, count given"]
HEADINGS += ["random labels, count given", "below random"]
BIC = 12.0  # λ of the last stage of lium-bic
SHOWS, SECONDS, PEOPLE, CAST = 10, 180.0, 12, 4


@dataclass(frozen=True)
class HeardDiarizer(Diarizer):
    """A diarizer that listens to each recording once, whatever it is asked."""

    heard: ClassVar[dict[Any, Any]] = {}

    def listen(self, recording, progress):
        key = self.segmenter, self.embedder, recording.name
        if key not in self.heard:
            self.heard[key] = super().listen(recording, progress)
        return self.heard[key]


@dataclass(frozen=True)
class HeardChain(LIUMChain):
    """A chain that goes through the stages before the last once; they are the same for all systems."""

    heard: ClassVar[dict[Any, Show]] = {}

    def listen(self, features, speakers, stage=lambda _: None):
        key = features.values.shape, features.values.tobytes()
        if key not in self.heard:
            self.heard[key] = super().listen(features, ANY, stage)
        enough = len(self.heard[key]) >= speakers.least
        return self.heard[key] if enough else super().listen(features, speakers, stage)


@dataclass(frozen=True)
class HeardRecording(WholeRecording):
    """A system of a chain that computes the features of each recording once."""

    features: ClassVar[dict[Path, Features]] = {}

    def __call__(self, source, speakers=ANY, **_):
        if source not in self.features:
            with open_audio(source) as recording:
                self.features[source], _ = cepstra(recording)
        return self.diarize(self.features[source], speakers, uri=source.stem)


def load(name: str) -> HeardDiarizer | HeardRecording:
    """A system; "lium-bic" is the chain with BIC to the end, which is no system of its own."""
    loaded = tertulia.load("lium-clr" if name == "lium-bic" else name)
    if isinstance(loaded, Diarizer):
        return HeardDiarizer(**{f.name: getattr(loaded, f.name) for f in fields(loaded)})
    if not isinstance(loaded.chain, LIUMChain):
        return HeardRecording(loaded.chain, name)
    chain = HeardChain(**{f.name: getattr(loaded.chain, f.name) for f in fields(loaded.chain)})
    if name == "lium-bic":
        chain = replace(chain, clustering="bic", threshold=BIC)
    return HeardRecording(chain, name)


def random_labels(result: Diarization, count: int, reference: Diarization) -> float:
    """Mean confusion when every turn of a result is given to anybody."""
    confusions = []
    for seed in range(ROUNDS):
        chance = np.random.default_rng(seed)
        turns = [(t.start, t.end, str(chance.integers(count))) for t in result]
        confusions.append(diarization_error(reference, Diarization(turns)).confusion)
    return float(np.mean(confusions))


def single(name: str, folder: Path) -> str:
    """One row: DER of a folder without hints, and confusion against random labels with the count given."""
    system = load(name)
    free, given, random, total, refused = [], 0.0, 0.0, 0.0, 0
    for path in recordings(folder):
        reference = Diarization.read(path.with_suffix(".rttm"))
        count = len(reference.speakers)
        free.append(diarization_error(reference, system(path)))
        try:
            counted = system(path, Speakers(count))
        except UsageError:  # so many cannot be told apart
            counted, refused = system(path), refused + 1
        error = diarization_error(reference, counted)
        given += error.confusion
        total += error.total
        random += random_labels(counted, count, reference)
    error = sum(free[1:], free[0])
    drop = f"{1 - given / random:.0%}" if random else "–"
    said = f" ({refused} counts refused)" if refused else ""
    return (
        f"| {name}{said} | {error.der:.1%} | {error.missed_rate:.1%} | {error.false_alarm_rate:.1%} "
        f"| {error.confusion_rate:.1%} | {given / total:.1%} | {random / total:.1%} | {drop} |"
    )


def recordings(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix in (".flac", ".ogg", ".wav"))


def collection(data: Path, folder: Path) -> dict[str, Diarization]:
    """Make the conversations; returns their references."""
    voices = read_voices(data / "speakers" / "speakers.tsv")
    tests = [Diarization.read(path) for path in (data / "diarization" / "simulated").glob("*.rttm")]
    named = sorted({speaker for reference in tests for speaker in reference.speakers})
    people = [name for name in named if len(voices[name]) >= UTTERANCES][:PEOPLE]
    settings = Simulation(
        voices=str(data / "speakers" / "speakers.tsv"),
        exclude=tuple(sorted(set(voices) - set(people))),
        count=SHOWS,
        seconds=(SECONDS, SECONDS),
        speakers=(CAST, CAST),
        rooms="generated",
        noise="generated",
        snr=(12.0, 28.0),
        seed=6,
        format="wav",
    )
    simulator = Simulator(settings)
    made = [simulator.write(i, folder) for i in range(SHOWS)]
    return {c.name: c.reference for c in made}


def crossed(name: str, paths: list[Path], references: Mapping[str, Diarization]) -> str:
    """One row: single-show DER of the collection, and cross-show in both ways."""
    system = load(name)
    alone = [diarization_error(references[path.stem], system(path)) for path in paths]
    row = [f"{sum(alone[1:], alone[0]).der:.1%}"]
    for at_once in (False, True):
        found = {d.uri: d for d in cross_show(system, paths, at_once=at_once)}
        errors = list(cross_show_errors(references, found).values())
        people = len({speaker for d in found.values() for speaker in d.speakers})
        row.append(f"{sum(errors[1:], errors[0]).der:.1%} ({people})")
    return f"| {name} | {' | '.join(row)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with diarization and speakers")
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--parts", default="simulated,real,collection")
    options = parser.parse_args()
    names, parts = options.systems.split(","), options.parts.split(",")
    for part in (part for part in parts if part != "collection"):
        print(f"\n{part}\n")
        print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}")
        for name in names:
            print(single(name, options.data / "diarization" / part), flush=True)
    if "collection" not in parts:
        return
    print("\ncollection\n\n| system | single-show DER | cross-show, each first | cross-show, at once |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        references = collection(options.data, Path(folder))
        for name in (name for name in names if name.startswith("lium")):
            print(crossed(name, recordings(Path(folder)), references), flush=True)


if __name__ == "__main__":
    main()
