"""`tertulia emotions`: which emotion is heard when, and in whose voice."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tertulia.cli._batch import Name, for_each
from tertulia.cli._inputs import mono_channel, name_of, source_of
from tertulia.cli._options import ChannelsOption, InputsArgument, QuietOption, ThreadsOption
from tertulia.cli._progress import progress_bar
from tertulia.cli._results import FormatOption, OutputOption, results
from tertulia.cli._terminal import put, say
from tertulia.cli._turns import NumSpeakersOption, SystemOption, TurnsOption, turns_of
from tertulia.errors import UsageError

if TYPE_CHECKING:
    from tertulia.emotions import EmotionDetection

__all__ = ["emotions"]


def emotions(
    inputs: InputsArgument,
    output: OutputOption = None,
    format_names: FormatOption = None,
    by: Annotated[
        Literal["emotion", "moment", "turn", "speaker"],
        typer.Option(
            help="Turns called like the emotion; or SPEAKER/EMOTION, as it changes or one a turn; "
            "or a table of seconds by speaker."
        ),
    ] = "emotion",
    turns: TurnsOption = None,
    system: SystemOption = "default",
    num_speakers: NumSpeakersOption = None,
    recognizer: Annotated[
        str | None,
        typer.Option(metavar="NAME[=FILE.onnx]", help="What tells emotions, and its weights."),
    ] = None,
    change: Annotated[
        float | None,
        typer.Option(metavar="COST", help="What a change of emotion within a turn costs."),
    ] = None,
    channels: ChannelsOption = "mix",
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> int:
    """Tell neutral, happy, sad and angry speech.

    A voice is compared with how it usually sounds in the recording, so speakers are told apart first. The
    weights are non-commercial and come apart: pip install ./weights-nc, from a copy of the repository.
    """
    from tertulia.audio.source import rereadable
    from tertulia.emotions import DEFAULT_RECOGNIZER, EmotionDetector, load_recognizer

    began = time.monotonic()
    names = [name_of(given) for given in inputs]
    called, _, weights = (recognizer or DEFAULT_RECOGNIZER).partition("=")
    options = {"threads": threads or 0} | ({"weights": weights} if weights else {})
    settings = {} if change is None else {"change": change}
    detector = EmotionDetector(load_recognizer(called, **options), **settings)
    deliver = _table(output, format_names) if by == "speaker" else _turns(output, format_names, names, by)
    kept = mono_channel(channels)
    who = turns_of(names, turns, system, num_speakers, threads)

    def work(name: Name) -> None:
        source = rereadable(source_of(name))
        speaking = who(name, source)
        with progress_bar(Path(name.shown).name, began, quiet) as hook:
            found = detector(source, speaking, channels=kept, progress=hook, name=name.shown)
        files = deliver(found, name)
        if not quiet:
            _comment(name, found, files)

    return for_each(names, work)


Deliver = Callable[["EmotionDetection", Name], list[Path]]


def _turns(
    output: str | None, format_names: str | None, names: list[Name], by: Literal["emotion", "moment", "turn"]
) -> Deliver:
    deliver = results(output, format_names, names)
    deliver.prepare(names)
    return lambda found, name: deliver(found.to_diarization(by), name)


def _table(output: str | None, format_names: str | None) -> Deliver:
    """Write lines to standard output: input, speaker, emotion, seconds and share, parted by tabs, or JSON."""
    if output is not None:
        raise UsageError("--by speaker goes to standard output; leave -o out")
    if format_names not in (None, "text", "json"):
        raise UsageError(f"--by speaker is written as text or json; got {format_names!r}")

    def deliver(found: EmotionDetection, name: Name) -> list[Path]:
        speakers = found.speakers()
        if format_names == "json":
            put(json.dumps({"uri": found.uri, "speakers": speakers}) + "\n")
            return []
        for speaker, seconds in speakers.items():
            for emotion, length in seconds.items():
                share = length / sum(seconds.values())
                put(f"{name.shown}\t{speaker}\t{emotion}\t{length:.2f}\t{share:.3f}\n")
        return []

    return deliver


def _comment(name: Name, found: EmotionDetection, files: list[Path]) -> None:
    for message in found.provenance.messages if found.provenance else ():
        say(f"{name.shown}: {message}")
    if not found.turns:
        say(f"{name.shown}: nobody speaks")
    if files:
        say(f"{name.shown}: wrote {', '.join(map(str, files))}")
