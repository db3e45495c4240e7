"""Measure naming people in recordings, with and without known voices correcting the clustering.

    python benchmarks/identification.py FOLDER [--threads 2] [--false-accept 0.01]

FOLDER holds recordings (.ogg, .flac or .wav) with .rttm files, in all of which a speaker has the same name.
For each recording, everybody is enrolled by what they say alone in the *other* recordings, 30 s of each at
most; who speaks in this one only is a stranger. Reported in percent of speech time in the reference: known
people under their own name, under another's, under none; strangers under any name; and the diarization error
rate, which looks at no names. A name counts as wrong where the person of that name says nothing: whoever
speaks at the same time as somebody known is not taken for him.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import defaultdict
from pathlib import Path
from typing import Any

import tertulia
from tertulia.evaluation import score_files
from tertulia.identity import Gallery, Identifier, Listener, Matcher, Voiceprint, default_scorer
from tertulia.pipeline import Diarizer
from tertulia.timeline import Diarization, Timeline

SOUNDS = (".ogg", ".flac", ".wav")


@dataclasses.dataclass(frozen=True)
class Remembering(Diarizer):
    """A diarizer that runs its networks once on each recording."""

    heard: dict[str, Any] = dataclasses.field(default_factory=dict)

    def listen(self, recording: Any, progress: Any) -> Any:
        if recording.name not in self.heard:
            self.heard[recording.name] = super().listen(recording, progress)
        return self.heard[recording.name]


@dataclasses.dataclass(frozen=True)
class Unconstrained(Identifier):
    """Names speakers, but leaves the clustering as it is."""

    def _diarizer(self) -> Diarizer:
        return self.diarizer


def named(reference: Diarization, found: Diarization, known: set[str]) -> dict[str, float]:
    """Seconds of the reference by what the people in it were called."""
    people = {name: timeline for name, timeline in found.items() if not name.startswith("SPEAKER_")}
    total: dict[str, float] = defaultdict(float)
    absent = {
        name: timeline - (reference[name] if name in reference else Timeline())
        for name, timeline in people.items()
    }
    for speaker, timeline in reference.items():
        others = Timeline(s for name, each in absent.items() if name != speaker for s in each)
        wrong = (timeline & others) - people.get(speaker, Timeline())
        if speaker in known:
            right = timeline & people.get(speaker, Timeline())
            total["known"] += timeline.duration
            total["right"] += right.duration
            total["wrong"] += wrong.duration
        else:
            total["strangers"] += timeline.duration
            total["taken"] += wrong.duration
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--false-accept", type=float, default=0.01)
    options = parser.parse_args()
    sounds = {path.stem: path for path in sorted(options.folder.iterdir()) if path.suffix in SOUNDS}
    references = {stem: Diarization.read(path.with_suffix(".rttm")) for stem, path in sounds.items()}
    listener = dataclasses.replace(Listener.load(options.threads), most=30.0)
    scorer = default_scorer(listener.model)
    voices: dict[str, dict[str, Voiceprint]] = {
        stem: listener.speakers(sounds[stem], reference) for stem, reference in references.items()
    }
    loaded = tertulia.load(threads=options.threads)
    parts = {f.name: getattr(loaded, f.name) for f in dataclasses.fields(loaded)}
    diarizer = Remembering(**parts)
    print("| | known: right % | wrong % | none % | strangers named % | DER % |\n|---|---|---|---|---|---|")
    for title, kind in (("names only", Unconstrained), ("names and constraints", Identifier)):
        total: dict[str, float] = defaultdict(float)
        results = {}
        for stem, reference in references.items():
            enrolled = [each for other in voices if other != stem for each in voices[other].items()]
            matcher = Matcher(Gallery.of(enrolled, listener.model), scorer, options.false_accept)
            results[stem] = kind(diarizer, matcher, listener)(sounds[stem]).diarization
            for key, seconds in named(reference, results[stem], set(matcher.gallery.names)).items():
                total[key] += seconds
        report = score_files(references, results)
        right, wrong = (100 * total[key] / total["known"] for key in ("right", "wrong"))
        taken = 100 * total["taken"] / max(total["strangers"], 1e-9)
        der = 100 * report.overall.to_dict()["der"]
        print(
            f"| {title} | {right:.1f} | {wrong:.1f} | {100 - right - wrong:.1f} | {taken:.1f} | {der:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
