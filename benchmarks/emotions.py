"""How well emotions are told, of speakers who were not learnt from.

    python benchmarks/emotions.py EMOTION.tsv [--recipe recipes/emotions.toml] [--folds 6] [--joined 12]

The speakers are dealt into folds, each corpus evenly; a network is trained on all folds but one, by the
recipe, and measured on that one. First on its utterances, each heard alone and each among a dozen others of
its speaker in a mixture of emotions that is drawn; then by `tertulia.emotions` on recordings made of a
speaker's utterances in random order with pauses between them: the emotion diarization error rate (EDER),
where speech is known and where the default system finds it. Intervals hold for 95 % and come from drawing
speakers (utterances) or recordings (EDER) with replacement.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tertulia
from tertulia.audio import Waveform
from tertulia.emotions import EMOTIONS, RECOGNIZERS, EmotionDetector
from tertulia.evaluation import EmotionError, bootstrap, emotion_error
from tertulia.simulation.sounds import load
from tertulia.timeline import Timeline
from tertulia.training import make_task, read_recipe, train
from tertulia.training.emotions import trimmed
from tertulia.training.recipe import Recipe

RATE = 16_000
PAUSES = (0.3, 1.0)  # seconds
DRAWS = 2000


def dealt(rows: list[dict[str, str]], folds: int, seed: int = 0) -> list[tuple[str, ...]]:
    """Speakers of each fold."""
    corpora: dict[str, set[str]] = {}
    for row in rows:
        corpora.setdefault(row["corpus"], set()).add(row["speaker"])
    dealt: list[list[str]] = [[] for _ in range(folds)]
    for speakers in corpora.values():
        order = np.random.default_rng(seed).permutation(sorted(speakers)).tolist()
        for number, speaker in enumerate(order):
            dealt[number % folds].append(speaker)
    return [tuple(part) for part in dealt]


def joined(
    rows: list[dict[str, str]], folder: Path, count: int, seed: int
) -> tuple[Waveform, tertulia.Diarization, tertulia.Diarization]:
    """Utterances of one speaker after one another: the sound, the emotions, and who speaks."""
    rng = np.random.default_rng(seed)
    parts, emotions, spoken, at = [], [], [], 0
    for row in (rows[i] for i in rng.permutation(len(rows))[:count]):
        samples = load(folder / row["path"], RATE, 60.0)
        first, last = trimmed(samples)
        pause = np.zeros(round(rng.uniform(*PAUSES) * RATE), np.float32)
        parts += [pause, samples[first:last]]
        start, at = at + len(pause), at + len(pause) + last - first
        emotions.append((start / RATE, at / RATE, row["emotion"]))
        spoken.append((start / RATE, at / RATE, row["speaker"]))
    sound = np.concatenate(parts)
    sound = sound + 1e-4 * rng.standard_normal(len(sound))
    about = {"duration": len(sound) / RATE}
    return (
        Waveform(sound[None].astype(np.float32), RATE),
        tertulia.Diarization(emotions, **about),
        tertulia.Diarization(spoken, **about),
    )


def spread(hits: NDArray[Any], speakers: NDArray[Any], seed: int = 0) -> str:
    """Mean of hits in percent with the interval that drawing speakers with replacement gives."""
    names = sorted(set(speakers.tolist()))
    sums = np.array([[hits[speakers == n].sum(), (speakers == n).sum()] for n in names], float)
    times = np.random.default_rng(seed).multinomial(len(names), np.ones(len(names)) / len(names), DRAWS)
    drawn = times @ sums
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    return f"{100 * hits.mean():.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def put(*cells: object) -> None:
    """A row of a table in Markdown."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/emotions.toml"))
    parser.add_argument("--folds", type=int, default=6)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the folds to measure")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--joined", type=int, default=10, help="utterances in a recording; 0 makes none")
    parser.add_argument("--keep", type=Path, help="folder for the results of folds; those there are used")
    options = parser.parse_args()
    with open(options.table, encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    recipe = read_recipe(options.recipe, {"speech": str(options.table)})
    results = []
    for number, speakers in enumerate(dealt(rows, options.folds)):
        kept = options.keep and options.keep / f"{recipe.name}-{number}.json"
        if kept and kept.exists():
            result = json.loads(kept.read_text())
        elif options.only is None or number in options.only:
            result = measured(number, speakers, recipe, rows, options)
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps(result))
        else:
            continue
        print(f"fold {number}: {', '.join(speakers)}", flush=True)
        results.append(result)
    print()
    report(results)
    if options.joined:
        report_errors(results)


def measured(
    number: int, speakers: tuple[str, ...], recipe: Recipe, rows: list[dict[str, str]], options: Any
) -> dict[str, Any]:
    """Train without some speakers and measure on them: classes of utterances, and errors of recordings."""
    fold = dataclasses.replace(recipe, data={**recipe.data, "test": speakers})
    task = make_task(fold, options.cache, lambda _: None)
    kind = RECOGNIZERS["spectral" if recipe.network["name"] == "spectral" else "voice-and-prosody"]
    with tempfile.TemporaryDirectory() as folder:
        model = trained(fold, task, Path(folder))
        whole = task.test[task.whole[task.test]]
        result: dict[str, Any] = {
            "truth": task.labels[whole].tolist(),
            "who": task.speakers[whole].tolist(),
            "found": {
                name: task.probabilities(model, whole, others).argmax(axis=1).tolist()
                for name, others in (("alone", 0), ("among others", 12))
            },
            "errors": {},
        }
        detector = EmotionDetector(kind(weights=f"{folder}/{recipe.name}.onnx", threads=1))
        commonest = int(np.bincount(task.labels[task.train[task.whole[task.train]]]).argmax())
        for speaker in speakers if options.joined else ():
            mine = [row for row in rows if row["speaker"] == speaker]
            recording = joined(mine, options.table.parent, options.joined, number)
            for way, error in measured_on(recording, detector, commonest, number).items():
                amounts = {name: getattr(error, name) for name in error.quantities()}
                result["errors"].setdefault(way, []).append(amounts)
    return result


def trained(recipe: Recipe, task: Any, folder: Path) -> Any:
    """The model at the end of a run."""
    kept: list[Any] = []
    finish = task.finish

    def keeping(model: Any, folder: Path, name: str) -> Any:
        kept.append(model)
        return finish(model, folder, name)

    task.finish = keeping
    train(recipe, task, folder, report=lambda _: None)
    return kept[0]


def measured_on(
    recording: tuple[Waveform, tertulia.Diarization, tertulia.Diarization],
    detector: EmotionDetector,
    commonest: int,
    seed: int,
) -> dict[str, EmotionError]:
    """Errors of the detector on a joined recording, and of those who do not listen."""
    sound, reference, spoken = recording
    whole = {"uem": Timeline([(0.0, reference.duration)])}
    rng = np.random.default_rng(seed)

    def always(pick: Callable[[], int]) -> tertulia.Diarization:
        return tertulia.Diarization([(t.start, t.end, EMOTIONS[pick()]) for t in spoken])

    told = {
        "speech known": detector(sound, spoken).to_diarization(),
        "speech found": detector(sound, tertulia.diarize(sound, threads=1)).to_diarization(),
        "always neutral": always(lambda: EMOTIONS.index("neutral")),
        "always the commonest": always(lambda: commonest),
        "chance": always(lambda: int(rng.integers(len(EMOTIONS)))),
    }
    return {way: emotion_error(reference, found, **whole) for way, found in told.items()}


def report(results: list[dict[str, Any]]) -> None:
    """Tables of utterances: shares that are right, and what is taken for what."""
    truth, who = (np.array([x for result in results for x in result[key]]) for key in ("truth", "who"))
    found = {
        name: np.array([x for result in results for x in result["found"][name]])
        for name in results[0]["found"]
    }
    nemo = np.char.startswith(who, "nemo")
    put("utterances", "all", "RAVDESS", "nEMO")
    put("---", "---", "---", "---")
    commonest = np.full(len(truth), np.bincount(truth).argmax())
    for name, guess in (found | {"the commonest emotion": commonest}).items():
        hits = guess == truth
        put(name, spread(hits, who), spread(hits[~nemo], who[~nemo]), spread(hits[nemo], who[nemo]))
    put("chance", *["25.0"] * 3)
    print()
    put("true \\ found", *EMOTIONS)
    put(*["---"] * (len(EMOTIONS) + 1))
    for row, emotion in enumerate(EMOTIONS):
        mine = found["among others"][truth == row]
        put(emotion, *np.bincount(mine, minlength=len(EMOTIONS)).tolist())
    print()


def report_errors(results: list[dict[str, Any]]) -> None:
    """Table of recordings."""
    put("recordings", "EDER %", "false alarm", "missed", "confusion")
    put(*["---"] * 5)
    for way in results[0]["errors"]:
        records = [EmotionError(**amounts) for result in results for amounts in result["errors"][way]]
        total = sum(records[1:], start=records[0])
        low, high = bootstrap(records, lambda e: e.eder, n=DRAWS)
        parts = (total.false_alarm, total.missed, total.confusion)
        put(
            way,
            f"{100 * total.eder:.1f} [{100 * low:.1f}, {100 * high:.1f}]",
            *(f"{100 * part / total.duration:.1f}" for part in parts),
        )


if __name__ == "__main__":
    main()
