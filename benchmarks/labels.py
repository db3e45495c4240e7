"""How much of who is who does a system find, beyond what labels drawn by lot would?

    python benchmarks/labels.py FOLDER [--systems resnet50-ahc,ecapa-kmeans] [--threads 2]

FOLDER holds recordings with RTTM beside each. The number of speakers is given. Every recording is heard once;
then the system labels the local speakers of its windows, and so do dice with as many faces as there are
speakers: the same speech, another confusion. Prints pooled DER and its parts without a collar, overlap
included, and by how much the confusion lies below that of the dice, with the 95 % interval over recordings.
"""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np

import tertulia
from accuracy import pairs
from tertulia.audio import open_audio
from tertulia.clustering import Labels
from tertulia.embedding import Voices
from tertulia.evaluation import DiarizationError, diarization_error
from tertulia.speakers import Speakers

THROWS = 5
DRAWS = 1000


@dataclass(frozen=True)
class Dice:
    """Labels drawn by lot for every local speaker of every window."""

    seed: int

    def __call__(self, voices: Voices, speakers: Speakers) -> Labels:
        """Label every piece of a local speaker alike; see `Clusterer`."""
        rng = np.random.default_rng(self.seed)
        active = voices.present.sum(axis=2) > 0  # (windows, local speakers)
        thrown = np.where(active, rng.integers(speakers.least, size=active.shape), -1)
        return np.repeat(thrown[..., None], voices.present.shape[2], axis=2)


def measure(system: tertulia.Diarizer, path: Path) -> tuple[DiarizationError, DiarizationError]:
    """Errors of a recording by the system's labels and, summed over the throws, by those of the dice."""
    reference = tertulia.Diarization.read(path.with_suffix(".rttm"))
    speakers = Speakers(num=len(reference.speakers))
    with open_audio(path, sample_rate=system.segmenter.sample_rate) as recording:
        heard = (*system.listen(recording, None), recording)
    thrown = [dataclasses.replace(system, clusterer=Dice(seed)) for seed in range(THROWS)]
    own, *others = [diarization_error(reference, one.decide(*heard, speakers)) for one in (system, *thrown)]
    return own, reduce(add, others)


def below(own: list[DiarizationError], dice: list[DiarizationError]) -> float:
    """Share of the confusion of the dice that is gone."""
    return 1 - reduce(add, own).confusion_rate / reduce(add, dice).confusion_rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--systems", default="resnet50-ahc,ecapa-kmeans")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(
        "| recordings | system | DER % | false alarm | missed | confusion | dice: DER % | confusion | below |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in options.systems.split(","):
        system = tertulia.load(name, threads=options.threads)
        for subset, paths in pairs(options.folder).items():
            own, dice = map(list, zip(*(measure(system, path) for path in paths), strict=True))
            rng, files = np.random.default_rng(0), len(paths)
            shares = []
            for _ in range(DRAWS):
                drawn = rng.integers(files, size=files)
                shares.append(below([own[i] for i in drawn], [dice[i] for i in drawn]))
            low, high = 100 * np.quantile(shares, [0.025, 0.975])
            total, chance = reduce(add, own), reduce(add, dice)
            rates = (total.der, total.false_alarm_rate, total.missed_rate, total.confusion_rate)
            cells = [
                f"{subset} ({files})",
                name,
                *(f"{100 * rate:.2f}" for rate in (*rates, chance.der, chance.confusion_rate)),
                f"{100 * below(own, dice):.0f} % ({low:.0f}–{high:.0f})",
            ]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
