"""Equal error rates of embedding models on speakers nobody was trained on.

    python benchmarks/voices.py SPEECH TEST [--embedding NAME[=WEIGHTS] …] [--seconds 3] [--utterances 20]

SPEECH and TEST are what `tertulia train` takes as `speech` and `test`: utterances of known speakers, and the
names of those who are compared. A trial is a pair of utterances, each by a stretch from its middle; all pairs
count. Prints a table in Markdown, with children (≤ 12) apart where the manifest has ages, and 95 % intervals
by resampling speakers.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from tertulia.embedding import EMBEDDERS, PerWindow
from tertulia.evaluation import equal_error_rate
from tertulia.identity.listening import Listener
from tertulia.training.speech import Data, Evaluation, Speech
from tertulia.training.verification import Trials

DRAWS = 200


def embedder(asked: str, threads: int) -> PerWindow:
    name, _, weights = asked.partition("=")
    return EMBEDDERS[name](threads=threads, **({"weights": weights} if weights else {}))


def interval(trials: Trials, vectors: np.ndarray) -> tuple[float, float]:
    """2.5 % and 97.5 % points of the EER over resampled speakers; copies of one are not compared."""
    rng, rates = np.random.default_rng(0), []
    members = [np.flatnonzero(trials.speakers == s) for s in np.unique(trials.speakers)]
    for _ in range(DRAWS):
        drawn = rng.integers(len(members), size=len(members))
        chosen = np.concatenate([members[i] for i in drawn])
        copy = np.repeat(np.arange(len(drawn)), [len(members[i]) for i in drawn])
        first, second = np.triu_indices(len(chosen), 1)
        same_voice = trials.speakers[chosen[first]] == trials.speakers[chosen[second]]
        same_copy = copy[first] == copy[second]
        counted = same_copy | ~same_voice
        scores = (vectors @ vectors.T)[chosen[first], chosen[second]]
        rates.append(equal_error_rate(scores[counted], same_copy[counted]))
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("speech")
    parser.add_argument("test")
    parser.add_argument("--embedding", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--utterances", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = Data(crop=options.seconds, test=options.test)
        evaluation = Evaluation(options.seconds, options.utterances)
        speech = Speech.read(options.speech, data, evaluation, 0, options.cache or Path(scratch), print)
        trials = speech.trials["test"]
        print(f"{options.seconds:g} s from the middle of each of {len(trials.pieces)} utterances\n")
        print("| embedding | speakers | trials | targets | EER % | 95 % | ms for an utterance |")
        print("|---|---|---|---|---|---|---|")
        for asked in options.embedding or ["campplus-window"]:
            listener, begun = Listener(embedder(asked, options.threads), least=0.1), time.perf_counter()
            vectors = np.array([listener.embed(speech.middle(i)).vector for i in trials.pieces.tolist()])
            each = 1000 * (time.perf_counter() - begun) / len(vectors)
            everybody = {"": np.ones(len(vectors), dtype=bool)}
            for group, chosen in (everybody | speech.groups(trials)).items():
                part = trials.of(chosen)
                low, high = interval(part, vectors[chosen])
                cells = [
                    f"{asked} {group}".strip(),
                    f"{len(np.unique(part.speakers))}",
                    f"{len(part)}",
                    f"{part.targets}",
                    f"{100 * part.eer(vectors[chosen]):.2f}",
                    f"{100 * low:.1f}–{100 * high:.1f}",
                    f"{each:.0f}",
                ]
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
