"""How well voices are told apart, by net duration and condition; prints the tables of the results page.

    python tools/embed_speakers.py ../shared/data items.npz
    PYTHONPATH=tools python benchmarks/verification.py items.npz

Adults are the 40 test speakers, whom nothing was trained on. Children are all speakers of 12 years or less in
speechocean762; calibration and cohort never saw one. Intervals come from drawing speakers, not trials.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.evaluation import cllr, decisions, equal_error_rate, min_dcf
from tertulia.identity.scoring import Scorer, default_scorer
from tertulia.identity.voiceprint import Voiceprint
from voice_items import Items, Trials

DURATIONS = (1.5, 3.0, 5.0, 10.0)
CONDITIONS = ("clean", "noise", "room", "telephone")
RATES = (0.1, 0.01, 0.001)
DRAWS = 1000
SPLITS = 50

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scored:
    """Trials with their scores, (trials,) each, and the number of the speaker on both sides.

    Above the threshold for a rate are those whose `above` is 0 or more.
    """

    cosine: Array
    llr: Array
    above: dict[float, Array]
    target: NDArray[np.bool_]
    one: NDArray[np.intp]
    other: NDArray[np.intp]


def prints(items: Items, model: str) -> list[Voiceprint]:
    return [Voiceprint(v, s, model) for v, s in zip(items.vector, items.seconds.tolist(), strict=True)]


def scored(scorer: Scorer, ones: Items, others: Items, *, among: bool = False) -> Scored:
    trials = Trials.between(ones, others, among=among)
    sides = prints(ones, scorer.model), prints(others, scorer.model)
    ratios = scorer.ratios(*sides)
    names = np.unique(np.concatenate([ones.speaker, others.speaker]))
    return Scored(
        trials.scores(ones.vector @ others.vector.T),
        trials.scores(ratios),
        {rate: trials.scores(ratios - scorer.required(*sides, rate)) for rate in RATES},
        trials.target,
        np.searchsorted(names, ones.speaker)[trials.one],
        np.searchsorted(names, others.speaker)[trials.other],
    )


def lists(scorer: Scorer, items: Items, seconds: float) -> Iterator[tuple[str, Scored]]:
    """Trials within each condition, and between clean and each of the others; those with targets."""
    mine = items.where(seconds=seconds)
    clean = mine.where(condition="clean")
    for condition in CONDITIONS:
        here = mine.where(condition=condition)
        lists = [(condition, scored(scorer, here, here, among=True))]
        if condition != "clean":
            lists.append((f"clean to {condition}", scored(scorer, clean, here)))
        yield from ((name, trials) for name, trials in lists if trials.target.any())
    others = mine.where(condition=CONDITIONS[1:])
    if len(others):
        yield "clean to any", scored(scorer, clean, others)


def weighted_eer(target: NDArray[np.bool_], weights: Array) -> float:
    """Equal error rate of trials that count `weights` times, in the order of their scores."""
    hits, alarms = weights * target, weights * ~target
    miss = np.cumsum(hits) / hits.sum()
    false_alarm = 1 - np.cumsum(alarms) / alarms.sum()
    at = int(np.argmax(miss >= false_alarm))
    return float((miss[at] + false_alarm[at]) / 2)


def paired_bootstrap(trials: Scored) -> tuple[float, float]:
    """95 % interval of EER(llr) − EER(cosine) when speakers are drawn with replacement."""
    rng = np.random.default_rng(0)
    people = int(max(trials.one.max(), trials.other.max())) + 1
    orders = [np.argsort(scores, kind="stable") for scores in (trials.llr, trials.cosine)]
    differences = []
    for _ in range(DRAWS):
        drawn = np.bincount(rng.integers(people, size=people), minlength=people).astype(float)
        # A trial is drawn when its speakers are; that of one speaker with itself counts once a draw.
        weights = np.where(trials.target, drawn[trials.one], drawn[trials.one] * drawn[trials.other])
        calibrated, plain = (weighted_eer(trials.target[order], weights[order]) for order in orders)
        differences.append(calibrated - plain)
    low, high = np.percentile(differences, [2.5, 97.5])
    return float(low), float(high)


def print_errors(title: str, scorer: Scorer, items: Items) -> None:
    print(f"\n### {title}\n")
    print("| condition | s | targets | others | EER cosine % | EER % | minDCF cosine | minDCF | Cllr |")
    print("|---|---|---|---|---|---|---|---|---|")
    for seconds in DURATIONS:
        for condition, t in lists(scorer, items, seconds):
            eers = [100 * equal_error_rate(each, t.target) for each in (t.cosine, t.llr)]
            costs = [min_dcf(each, t.target) for each in (t.cosine, t.llr)]
            row = [
                *(condition, f"{seconds:g}", int(t.target.sum()), int((~t.target).sum())),
                *(f"{value:.2f}" for value in eers),
                *(f"{value:.3f}" for value in (*costs, cllr(t.llr, t.target))),
            ]
            print(f"| {' | '.join(map(str, row))} |")


def print_differences(scorer: Scorer, groups: dict[str, Items]) -> None:
    print("\n### EER less that of plain cosine, in points; 95 % interval over speakers\n")
    print("| speakers | s | difference | interval |\n|---|---|---|---|")
    for name, items in groups.items():
        for seconds in DURATIONS[:2]:
            clean = items.where(condition="clean", seconds=seconds)
            t = scored(scorer, clean, clean, among=True)
            difference = equal_error_rate(t.llr, t.target) - equal_error_rate(t.cosine, t.target)
            low, high = paired_bootstrap(t)
            print(
                f"| {name} | {seconds:g} | {100 * difference:+.2f} | {100 * low:+.2f} to {100 * high:+.2f} |"
            )


def print_false_accepts(scorer: Scorer, groups: dict[str, Items]) -> None:
    print("\n### Pairs of two people accepted / of one person rejected, %, at the threshold for a rate\n")
    print(f"| speakers | condition | s | {' | '.join(f'{100 * rate:g} %' for rate in RATES)} |")
    print("|---|---|---|" + "---|" * len(RATES))
    for name, items in groups.items():
        for seconds in DURATIONS:
            for condition, t in lists(scorer, items, seconds):
                cells = []
                for rate in RATES:
                    made = decisions(t.above[rate], t.target, 0.0)
                    false = made.false_accept / (made.false_accept + made.true_reject)
                    cells.append(f"{100 * false:.2f} / {100 * (1 - made.recall):.2f}")
                print(f"| {name} | {condition} | {seconds:g} | {' | '.join(cells)} |")


def open_set(scorer: Scorer, items: Items, seconds: float, condition: str, rate: float) -> tuple[float, ...]:
    """Strangers named, enrolled people missed, and named wrongly: shares, over random halves enrolled.

    Everybody enrolled is known by one clean crop of 10 s, the last, so that there are utterances before it;
    probes that share an utterance with it are left out.
    """
    rng = np.random.default_rng(0)
    known = items.where(seconds=10.0, condition="clean")
    known = known[len(known) - 1 - np.unique(known.speaker[::-1], return_index=True)[1]]
    probes = items.where(seconds=seconds, condition=condition)
    shared = (
        (probes.speaker[:, None] == known.speaker)
        & (probes.first[:, None] <= known.last)
        & (probes.last[:, None] >= known.first)
    )
    probes = probes[~shared.any(axis=1)]
    sides = prints(probes, scorer.model), prints(known, scorer.model)
    half = len(known) // 2
    gains = scorer.ratios(*sides) - scorer.required(*sides, rate, half)
    counts = np.zeros(3)
    for _ in range(SPLITS):
        enrolled = rng.permutation(len(known))[:half]
        accepted = gains[:, enrolled].max(axis=1) >= 0
        named = known.speaker[enrolled][gains[:, enrolled].argmax(axis=1)]
        inside = np.isin(probes.speaker, known.speaker[enrolled])
        wrong = accepted & (named != probes.speaker)
        counts += [accepted[~inside].mean(), (~accepted)[inside].mean(), wrong[inside].mean()]
    return tuple(100 * counts / SPLITS)


def print_open_set(scorer: Scorer, items: Items) -> None:
    print("\n### Open-set identification: 20 enrolled with 10 s, 20 strangers")
    print("\nStrangers named / enrolled people missed / enrolled people named wrongly, %, at a rate\n")
    print(f"| condition | s | {' | '.join(f'{100 * rate:g} %' for rate in RATES[:2])} |")
    print("|---|---|---|---|")
    for seconds in DURATIONS:
        for condition in CONDITIONS:
            cells = [
                " / ".join(f"{share:.2f}" for share in open_set(scorer, items, seconds, condition, rate))
                for rate in RATES[:2]
            ]
            print(f"| {condition} | {seconds:g} | {' | '.join(cells)} |")


def main(path: Path, scorer_for: Callable[[str], Scorer] = default_scorer) -> None:
    items, model = Items.load(path)
    scorer = scorer_for(model)
    adults, children = items.where(group="test"), items.where(group="child")
    foreign = items.where(corpus="VoxForge")
    print_errors("Adults: the 40 test speakers", scorer, adults)
    print_errors("Children", scorer, children)
    print_errors("VoxForge: another corpus, German, English and Spanish", scorer, foreign)
    print_differences(scorer, {"adults": adults, "children": children})
    print_false_accepts(scorer, {"adults": adults, "children": children})
    print_open_set(scorer, adults)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
