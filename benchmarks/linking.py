"""Linking people across recordings: cross-show DER, the part the order plays, and time.

    python benchmarks/linking.py ../shared/data/diarization/simulated
    python benchmarks/linking.py --synthetic 1000

The first diarizes each recording, links its speakers to those of the others, and scores the collection with
one mapping. Recordings are cut in half, so that most people are heard in two or more. The second links so
many recordings of synthetic voices and takes the time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import tertulia
from tertulia.evaluation import bootstrap, cross_show_errors, diarization_error
from tertulia.formats import read
from tertulia.identity.calibration import Calibration
from tertulia.identity.cohort import Cohort
from tertulia.identity.linking import Linker, link_by_program
from tertulia.identity.listening import Listener
from tertulia.identity.scoring import Scorer, default_scorer
from tertulia.identity.voiceprint import Voiceprint
from tertulia.simulation.sounds import load
from tertulia.timeline import Diarization, Segment, Timeline

RATE = 16_000
ORDERS = 20
DIM = 192

Names = Mapping[tuple[str, str], str]
Shows = dict[str, Diarization]


def halves(reference: Diarization, end: float) -> list[tuple[float, float]]:
    """Cut at the boundary of a turn that is nearest to the middle."""
    cuts = np.concatenate([timeline.bounds[:, 1] for _, timeline in reference.items()])
    middle = float(cuts[np.abs(cuts - end / 2).argmin()])
    return [(0.0, middle), (middle, end)]


def part_of(reference: Diarization, start: float, end: float) -> Diarization:
    """What is said in between, with times from its beginning."""
    inside = Segment(start, end)
    cropped = {name: timeline.crop(inside) for name, timeline in reference.items()}
    return Diarization(
        {name: Timeline.from_bounds(t.bounds - start) for name, t in cropped.items() if len(t)},
        duration=end - start,
    )


def listen(folder: Path) -> tuple[Shows, Shows, dict[str, dict[str, Voiceprint]]]:
    """References, diarizations and voices of every half of every recording."""
    diarizer, listener = tertulia.load(), Listener()
    references: Shows = {}
    hypotheses: Shows = {}
    voices = {}
    for path in sorted(folder.glob("*.rttm")):
        samples = load(path.with_suffix(".ogg"), RATE, 1e5)
        whole = read(path)
        for number, (start, end) in enumerate(halves(whole, len(samples) / RATE)):
            show, sound = f"{path.stem}.{number}", samples[round(start * RATE) : round(end * RATE)]
            references[show] = part_of(whole, start, end)
            hypotheses[show] = diarizer((sound, RATE), name=show)
            voices[show] = listener.speakers((sound, RATE), hypotheses[show])
            print(show, len(hypotheses[show]), "turns", file=sys.stderr)
    return references, hypotheses, voices


def named(hypotheses: Shows, names: Names) -> Shows:
    """Rename speakers; who has no voice of its own stays somebody of one recording."""
    return {
        show: each.rename({s: names.get((show, s), f"{show} {s}") for s in each.speakers})
        for show, each in hypotheses.items()
    }


def linked(scorer: Scorer, voices: Mapping[str, Mapping[str, Voiceprint]], order: list[str]) -> Names:
    linker = Linker(scorer)
    for show in order:
        linker = linker.add(show, voices[show])
    return linker.names


def collection(folder: Path) -> None:
    references, hypotheses, voices = listen(folder)
    scorer = default_scorer(Listener().model)
    apart = sum(diarization_error(references[show], hypotheses[show]) for show in references)
    people = {speaker for each in references.values() for speaker in each.speakers}
    print(
        f"{len(references)} recordings, {len(people)} people, {sum(map(len, voices.values()))} voices found"
    )
    print("| method | cross-show DER % | 95 % | confusion % | people |\n|---|---|---|---|---|")
    print(f"| each recording by itself | {100 * apart.der:.2f} | | {100 * apart.confusion_rate:.2f} | |")
    together = {(show, s): v for show, mine in voices.items() for s, v in mine.items()}
    rng = np.random.default_rng(0)
    orders = [list(voices), *(rng.permutation(list(voices)).tolist() for _ in range(ORDERS - 1))]
    runs = [linked(scorer, voices, order) for order in orders]
    methods = {
        "nobody linked": {},
        "incremental, by name": runs[0],
        "integer program": link_by_program(together, scorer),
    }
    for method, names in methods.items():
        errors = cross_show_errors(references, named(hypotheses, names))
        low, high = bootstrap(list(errors.values()), lambda error: error.der)
        total = sum(errors.values())
        print(
            f"| {method} | {100 * total.der:.2f} | {100 * low:.2f} to {100 * high:.2f} "
            f"| {100 * total.confusion_rate:.2f} | {len(set(names.values()))} |"
        )
    rates = [100 * sum(cross_show_errors(references, named(hypotheses, n)).values()).der for n in runs]
    print(f"\n{ORDERS} orders: {min(rates):.2f} to {max(rates):.2f}, mean {np.mean(rates):.2f}")


def synthetic(recordings: int) -> None:
    """Voices are directions with noise such that two of one person have a cosine of about 0.7."""
    rng = np.random.default_rng(0)

    def unit(vectors: np.ndarray) -> np.ndarray:
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    people = unit(rng.standard_normal((recordings // 3, DIM)))
    cohort = Cohort(unit(rng.standard_normal((40, DIM))), top=20, share=0.5)
    scorer = Scorer("synthetic", cohort, Calibration(np.array([-20.0, 50.0, 0.0, 0.0])))
    linker, taken = Linker(scorer), []
    for number in range(recordings):
        present = rng.choice(len(people), rng.integers(1, 6), replace=False)
        voices = {
            f"s{who}": Voiceprint(people[who] + 0.65 * unit(rng.standard_normal(DIM)), 10.0, "synthetic")
            for who in present
        }
        begun = time.process_time()
        linker = linker.add(f"r{number}", voices)
        taken.append(time.process_time() - begun)
    wrong = len({(speaker, name) for (_, speaker), name in linker.names.items()}) - len(linker.people)
    print(
        f"{recordings} recordings, {len(linker.names)} voices of {len(people)} people: "
        f"{len(linker.people)} found, {wrong} of them with voices of somebody else; "
        f"{sum(taken):.1f} s of processor time in all, the last hundred "
        f"{1000 * np.mean(taken[-100:]):.1f} ms each"
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--synthetic", count]:
            synthetic(int(count))
        case [folder]:
            collection(Path(folder))
        case _:
            sys.exit(__doc__)
