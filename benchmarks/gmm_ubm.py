"""Verification by GMM-UBM with and without Z-norm and T-norm; prints the tables of the results page.

    PYTHONPATH=tools python tools/train_gmm_ubm.py ../shared/data statistics.npz
    PYTHONPATH=tools python benchmarks/gmm_ubm.py statistics.npz

Adults are the 40 test speakers, whom nothing was trained on. Children are all speakers of 12 years or less in
speechocean762; cohort and calibration never saw one, the background model did. Intervals come from drawing
speakers, not trials.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.evaluation import cllr, decisions, equal_error_rate, min_dcf
from tertulia.identity.gmm import NORMS, GaussianVerifier
from train_gmm_ubm import CROPS, scored, seconds_of
from verification import weighted_eer
from voice_items import Items, Trials

DRAWS = 100
RATES = (0.1, 0.01)

Array = NDArray[np.float64]


def interval(scores: Array, trials: Trials, items: Items) -> tuple[float, float]:
    """95 % interval of the EER when speakers are drawn with replacement."""
    rng = np.random.default_rng(0)
    people = np.unique(items.speaker, return_inverse=True)[1]
    one, other = people[trials.one], people[trials.other]
    count, rates = int(people.max()) + 1, []
    for _ in range(DRAWS):
        drawn = np.bincount(rng.integers(count, size=count), minlength=count)
        # A trial is drawn when its speakers are; that of one speaker with itself counts once a draw.
        weights = np.where(trials.target, drawn[one], drawn[one] * drawn[other]).astype(float)
        rates.append(weighted_eer(scores, trials.target, weights))
    low, high = np.percentile(rates, [2.5, 97.5])
    return float(low), float(high)


def print_norms(verifier: GaussianVerifier, groups: dict[str, Items]) -> None:
    print("| speakers | s | targets | others | norm | EER % | 95 % | minDCF |")
    print("|---|---|---|---|---|---|---|---|")
    for name, items in groups.items():
        for seconds in CROPS:
            mine = items.where(seconds=seconds)
            trials = Trials.between(mine, mine, among=True)
            if not trials.target.any():
                continue
            for norm in NORMS:
                scores = trials.scores(scored(verifier.impostors, mine, mine, norm))
                low, high = interval(scores, trials, mine)
                cells = [name, f"{seconds:g}", f"{trials.target.sum()}", f"{(~trials.target).sum()}", norm]
                cells += [f"{100 * equal_error_rate(scores, trials.target):.1f}"]
                cells += [f"{100 * low:.1f}–{100 * high:.1f}", f"{min_dcf(scores, trials.target):.3f}"]
                print(f"| {' | '.join(cells)} |", flush=True)


def print_decisions(verifier: GaussianVerifier, groups: dict[str, Items]) -> None:
    print("\nPairs of two people accepted / of one person rejected, %, at the threshold for a rate\n")
    print(f"| speakers | s | Cllr | {' | '.join(f'{100 * rate:g} %' for rate in RATES)} |")
    print("|---|---|---|" + "---|" * len(RATES))
    for name, items in groups.items():
        for seconds in CROPS:
            mine = items.where(seconds=seconds)
            trials = Trials.between(mine, mine, among=True)
            if not trials.target.any():
                continue
            heard = seconds_of(mine)
            scores = trials.scores(scored(verifier.impostors, mine, mine))
            ratios = verifier.calibration(scores, heard[trials.one], heard[trials.other])
            cells = [name, f"{seconds:g}", f"{cllr(ratios, trials.target):.3f}"]
            for rate in RATES:
                made = decisions(ratios, trials.target, verifier.points.threshold(rate))
                false = made.false_accept / (made.false_accept + made.true_reject)
                cells.append(f"{100 * false:.1f} / {100 * (1 - made.recall):.1f}")
            print(f"| {' | '.join(cells)} |")


def main(path: Path) -> None:
    items, _ = Items.load(path)
    groups = {"adults": items.where(group="test"), "children": items.where(group="child")}
    verifier = GaussianVerifier.load()
    print_norms(verifier, groups)
    print_decisions(verifier, groups)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
