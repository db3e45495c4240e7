"""One enrolled person found in a stream: false alarm, missed, confusion, latency; against a fixed threshold.

    python tools/embed_speakers.py ../shared/data items.npz
    PYTHONPATH=tools python benchmarks/online_identification.py ../shared/data items.npz

Conversations of 60 s with two to four of the test speakers are simulated, in rooms and noise that are
generated. Each of the speakers is enrolled with some 12 s of utterances that are in no conversation, and
looked for in each conversation: those it takes part in, and as many where it does not.

The baselines decide by plain cosine. One has the threshold at which plain cosine has its equal error rate at
3 s, on speakers who are not in the test. Another has the best threshold of a grid, a third the best two, from
which the person begins and from which it goes on, as the detector has; best is the least error, chosen for
each half of the conversations on the other half. That is more than the detector is granted, of which nothing
is tuned here.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed_speakers import RATE, Speech, speakers_of
from tertulia.evaluation import Score as Record
from tertulia.evaluation import bootstrap, bootstrap_difference, det_curve
from tertulia.identity.listening import Listener
from tertulia.identity.online import OnlineDetector
from tertulia.identity.scoring import Decision, Score, Scorer, default_scorer
from tertulia.identity.voiceprint import Voiceprint
from tertulia.segmentation import SEGMENTERS
from tertulia.simulation import Simulation, Simulator
from tertulia.simulation.sounds import load
from tertulia.timeline import Diarization, Timeline
from voice_items import Items, Trials

CONVERSATIONS = 30
BEGIN = tuple(np.round(np.arange(0.15, 0.56, 0.025), 3))
LOWER = (0.0, 0.05, 0.1, 0.15, 0.2)
"""How far under the threshold to begin from that to go on from lies."""
SECONDS = 60.0
ENROLLED = 12.0
BLOCK = RATE // 2
SILENCE = 2.0
"""Seconds without the person after which a turn is one to be found anew."""

Samples = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Detection(Record):
    """Seconds, and turns with their delays, of one person in one stream."""

    CONDITIONS = ()

    spoken: float = 0.0
    missed: float = 0.0
    confusion: float = 0.0
    false_alarm: float = 0.0
    turns: int = 0
    found: int = 0
    delay: float = 0.0

    @property
    def error(self) -> float:
        return (self.missed + self.confusion + self.false_alarm) / self.spoken


@dataclass(frozen=True)
class Cosines:
    """A scorer whose ratio is the cosine, over the threshold to begin from or to go on from.

    `OnlineDetector` goes on from a ratio of 0, so that is where the latter lies.
    """

    begin: float
    on: float

    def verify(self, one: Voiceprint, other: Voiceprint, false_accept: float) -> Decision:
        cosine = float(one.vector @ other.vector)
        score, needed = Score(cosine, cosine, cosine - self.on), self.begin - self.on
        return Decision(score.llr >= needed, score, needed, false_accept)


@dataclass
class Remembering:
    """Asks something slow once for each stretch of sound: all detectors look at the same windows."""

    ask: Any
    sample_rate: int = RATE
    known: dict[bytes, Any] = field(default_factory=dict)

    def embed(self, speech: Samples) -> Voiceprint:
        return self._once(speech.tobytes(), lambda: self.ask.embed(speech))

    def __call__(self, windows: Any) -> Any:
        return self._once(windows.samples.tobytes(), lambda: self.ask(windows))

    def _once(self, key: bytes, make: Any) -> Any:
        if key not in self.known:
            self.known[key] = make()
        return self.known[key]


def enrolment(data: Path, folder: Path) -> tuple[dict[str, Voiceprint], Path]:
    """Voices of the test speakers, and a manifest of the utterances that they were not made of."""
    speech_of, listener = Speech(), Listener()
    voices, rows = {}, ["path\tspeaker"]
    for speaker in (each for each in speakers_of(data) if each.group == "test"):
        sounds = [load(path, RATE, 30.0) for path in speaker.utterances[:20]]
        net = [sound[mask] for sound, mask in zip(sounds, speech_of(sounds), strict=True)]
        enough = 1 + int(np.searchsorted(np.cumsum([len(each) for each in net]), ENROLLED * RATE))
        voices[speaker.name] = listener.embed(np.concatenate(net[:enough]))
        rows += [f"{path.resolve()}\t{speaker.name}" for path in speaker.utterances[enough:]]
    manifest = folder / "voices.tsv"
    manifest.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return voices, manifest


def streams(manifest: Path) -> Iterator[tuple[Diarization, Samples]]:
    settings = Simulation(
        voices=str(manifest),
        count=CONVERSATIONS,
        seconds=(SECONDS, SECONDS),
        rooms="generated",
        noise="generated",
    )
    simulator = Simulator(settings)
    for index in range(CONVERSATIONS):
        conversation = simulator.plan(index)
        yield conversation.reference, np.concatenate(list(simulator.mix(conversation)))


def detect(detector: OnlineDetector, sound: Samples) -> list[tuple[float, float, float]]:
    """Stretches in which the person is found: start, end, and when that was said."""
    state, found = detector.begin(), []
    for first in range(0, len(sound), BLOCK):
        state, moments = detector.push(state, sound[first : first + BLOCK])
        found += [(m.start, m.end, m.end + detector.delay) for m in moments if m.active]
    return found + [(m.start, m.end, len(sound) / RATE) for m in detector.finish(state) if m.active]


def judge(reference: Diarization, person: str, found: list[tuple[float, float, float]]) -> Detection:
    """Compare with when the person, others, and nobody speak."""
    truth = reference[person] if person in reference else Timeline()
    heard = Timeline([(start, end) for start, end, _ in found])
    others = reference.speech - truth
    turns = starts_of(truth)
    delays = [
        min((said - start for begin, end, said in found if end > start and begin < stop), default=np.inf)
        for start, stop in turns
    ]
    finite = [delay for delay in delays if np.isfinite(delay)]
    return Detection(
        spoken=truth.duration,
        missed=(truth - heard).duration,
        confusion=(heard & others).duration,
        false_alarm=(heard - reference.speech).duration,
        turns=len(turns),
        found=len(finite),
        delay=float(sum(finite)),
    )


def starts_of(truth: Timeline) -> list[tuple[float, float]]:
    """Begin and end of the person's stretches, shorter pauses than `SILENCE` filled, of 1 s or more."""
    joined: list[list[float]] = []
    for start, end in truth.bounds.tolist():
        if joined and start - joined[-1][1] < SILENCE:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [(start, end) for start, end in joined if end - start >= 1.0]


def fixed_threshold(path: Path) -> float:
    """Where plain cosine misses as often as it accepts, at 3 s, on adults who are not in the test."""
    items, _ = Items.load(path)
    mine = items.where(
        group="adult", corpus=("speechocean762", "LibriSpeech"), seconds=3.0, condition="clean"
    )
    trials = Trials.between(mine, mine, among=True)
    thresholds, miss, false_alarm = det_curve(trials.scores(mine.vector @ mine.vector.T), trials.target)
    return float(thresholds[np.argmax(miss >= false_alarm)])


def row(name: str, results: list[Detection]) -> str:
    total: Detection = sum(results)  # type: ignore[assignment]
    low, high = bootstrap(results, lambda each: each.error)
    shares = (total.false_alarm, total.missed, total.confusion)
    return (
        f"| {name} | {100 * total.error:.1f} ({100 * low:.1f} to {100 * high:.1f}) | "
        + " | ".join(f"{100 * share / total.spoken:.1f}" for share in shares)
        + f" | {total.found} of {total.turns} | {total.delay / max(total.found, 1):.2f} |"
    )


def tuned(
    grid: dict[tuple[float, float], list[Detection]],
) -> tuple[list[Detection], list[tuple[float, float]]]:
    """Results of each half of the streams with what is best on the other half, and what that was."""
    halves = slice(0, None, 2), slice(1, None, 2)
    results: list[Detection] = [Detection()] * CONVERSATIONS
    chosen = []
    for here, there in (halves, halves[::-1]):
        best = min(grid, key=lambda setting: sum(grid[setting][there]).error)  # type: ignore[attr-defined]
        results[here] = grid[best][here]
        chosen.append(best)
    return results, chosen


def judged(
    voices: dict[str, Voiceprint], manifest: Path, scorers: dict[Any, Any]
) -> dict[Any, list[Detection]]:
    """One record a stream for each scorer, so that intervals are over streams."""
    listener, segmenter = Remembering(Listener()), Remembering(SEGMENTERS["silero"]())
    results: dict[Any, list[Detection]] = {name: [] for name in scorers}
    for number, (reference, sound) in enumerate(streams(manifest)):
        absent = sorted(set(voices) - set(reference.speakers))
        rng = np.random.default_rng(number)
        strangers = rng.choice(absent, len(reference.speakers), replace=False).tolist()
        people = (*reference.speakers, *strangers)
        for name, scorer in scorers.items():
            detectors = {
                person: OnlineDetector(voices[person], scorer, listener=listener, segmenter=segmenter)  # type: ignore[arg-type]
                for person in people
            }
            each = [judge(reference, person, detect(d, sound)) for person, d in detectors.items()]
            results[name].append(sum(each))  # type: ignore[arg-type]
        listener.known.clear()
        segmenter.known.clear()
        print(f"{number + 1} of {CONVERSATIONS} streams", file=sys.stderr)
    return results


def main(data: Path, items: Path) -> None:
    fixed = fixed_threshold(items)
    scorers: dict[Any, Scorer | Cosines] = {"calibrated": default_scorer(Listener().model)}
    scorers["fixed threshold"] = Cosines(fixed, fixed)
    grid = {(begin, begin - lower): Cosines(begin, begin - lower) for begin in BEGIN for lower in LOWER}
    with tempfile.TemporaryDirectory() as folder:
        voices, manifest = enrolment(data, Path(folder))
        found = judged(voices, manifest, scorers | grid)
    single = {setting: found[setting] for setting in grid if setting[0] == setting[1]}
    results = {name: found[name] for name in scorers}
    results["one threshold, tuned"], one = tuned(single)
    results["two thresholds, tuned"], two = tuned({setting: found[setting] for setting in grid})
    print(f"plain cosine at {fixed:.3f}; tuned {one} and {two} (begin, go on)\n")
    print("| detector | error % (95 %) | false alarm % | missed % | confusion % | turns found | delay s |")
    print("|---|---|---|---|---|---|---|")
    for name, each in results.items():
        print(row(name, each))
    print()
    for name in list(results)[1:]:
        low, high = bootstrap_difference(results["calibrated"], results[name], lambda each: each.error)
        print(f"calibrated − {name}: {100 * low:+.2f} to {100 * high:+.2f} points (95 %)")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
