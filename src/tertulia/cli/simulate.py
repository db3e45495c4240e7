"""`tertulia simulate`: conversations that never took place, with exact references."""

from __future__ import annotations

import re
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tertulia.cli._batch import Name, for_each
from tertulia.cli._progress import progress_bar
from tertulia.cli._terminal import put_table, say
from tertulia.errors import InputError, UsageError

if TYPE_CHECKING:
    from tertulia.simulation import Simulation
    from tertulia.timeline import Diarization

__all__ = ["simulate"]

_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)(?:-(-?\d+(?:\.\d+)?))?")


def _option(help_text: str, metavar: str, *names: str) -> Any:
    return typer.Option(*names, help=help_text, metavar=metavar)


def simulate(
    output: Annotated[Path, _option("Folder for the recordings.", "DIR", "-o", "--output")],
    voices: Annotated[
        str | None, _option("Manifest (.tsv: path, speaker) or folder of speaker/utterance.", "PATH")
    ] = None,
    config: Annotated[Path | None, _option("Any of the settings; options go before it.", "TOML")] = None,
    count: Annotated[int | None, _option("How many recordings.", "N")] = None,
    speakers: Annotated[str | None, _option("How many people in each.", "A-B")] = None,
    seconds: Annotated[str | None, _option("Length of each.", "A-B")] = None,
    minutes: Annotated[str | None, _option("Length of each.", "A-B")] = None,
    turns: Annotated[str | None, _option("Replay the turns of this RTTM or folder of them.", "PATH")] = None,
    statistics: Annotated[
        str | None, _option("Sample turns like these: RTTM, folder of them, or statistics as JSON.", "PATH")
    ] = None,
    overlap: Annotated[float | None, _option("Share of the speech that overlaps.", "SHARE")] = None,
    exclude: Annotated[str | None, _option("Speakers that must not be heard.", "A,B")] = None,
    exclude_from: Annotated[
        str | None, _option("Nor those named in this RTTM or folder of them.", "PATH")
    ] = None,
    rooms: Annotated[str | None, _option("Where people speak.", "generated|DIR|none")] = None,
    noise: Annotated[str | None, _option("What else is heard.", "generated|DIR|none")] = None,
    snr: Annotated[str | None, _option("Speech over noise in dB.", "A-B")] = None,
    music: Annotated[str | None, _option("What plays.", "DIR|none")] = None,
    music_snr: Annotated[str | None, _option("Speech over music in dB.", "A-B")] = None,
    telephone: Annotated[float | None, _option("Share of recordings over the telephone.", "SHARE")] = None,
    codec: Annotated[
        str | None, _option("One of these for each: none, mulaw, opus, vorbis, mp3.", "A,B")
    ] = None,
    format_name: Annotated[str | None, _option("Of the files.", "flac|wav|ogg", "--format")] = None,
    seed: Annotated[int | None, _option("The same seed gives the same recordings.", "N")] = None,
    like: Annotated[
        Path | None, _option("Print the statistics of these real references beside.", "PATH")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No messages, no progress.")] = False,
) -> int:
    """Make conversations for training and load tests: sound, exact RTTM, and JSON with what was done.

    All defaults are those of the settings, which the documentation lists.
    """
    from tertulia.config import from_table
    from tertulia.simulation import Simulation
    from tertulia.simulation.templates import read_references

    if seconds is not None and minutes is not None:
        raise UsageError("the length is given in seconds or in minutes, not both")
    given: dict[str, Any] = {
        "voices": voices,
        "count": count,
        "speakers": _whole("--speakers", speakers),
        "seconds": _range("--seconds", seconds) or _range("--minutes", minutes, 60),
        "turns": turns,
        "statistics": statistics,
        "overlap": overlap,
        "exclude": _names(exclude),
        "exclude_from": exclude_from,
        "rooms": rooms,
        "noise": noise,
        "snr": _range("--snr", snr),
        "music": music,
        "music_snr": _range("--music-snr", music_snr),
        "telephone": telephone,
        "codecs": _names(codec),
        "format": format_name,
        "seed": seed,
    }
    table = {} if config is None else _read(config)
    table |= {key: value for key, value in given.items() if value is not None}
    settings = from_table(Simulation, table, "simulation")
    real = None if like is None else list(read_references(like).values())
    return _make(settings, output, real, quiet)


def _make(settings: Simulation, output: Path, real: list[Diarization] | None, quiet: bool) -> int:
    from tertulia.progress import Progress
    from tertulia.simulation import Simulator

    begun = time.monotonic()
    simulator = Simulator(settings)
    made: list[Diarization] = []
    with progress_bar("simulating", begun, quiet) as update:

        def work(name: Name) -> None:
            index = int(name.stem)

            def report(done: float, total: float) -> None:
                if update is not None:
                    update(Progress(index + done / total, settings.count))

            made.append(simulator.write(index, output, report).reference)

        code = for_each([Name(f"recording {i}", str(i)) for i in range(settings.count)], work)
    if made:
        _show(made, real)
        taken = time.monotonic() - begun
        hours = sum(reference.duration or 0.0 for reference in made) / 3600
        if not quiet:
            say(f"{len(made)} recordings, {hours:.2f} h, {3600 * hours / taken:.0f} x real time, in {output}")
    return code


def _show(made: list[Diarization], real: list[Diarization] | None) -> None:
    from tertulia.simulation import Summary

    columns = {"simulated": Summary.of(made).rows()}
    if real is not None:
        columns["real"] = Summary.of(real).rows()
    names = [name for name, _ in columns["simulated"]]
    rows = [[name, *(rows[i][1] for rows in columns.values())] for i, name in enumerate(names)]
    headings = ("", *columns)
    piped = "".join("\t".join(row) + "\n" for row in [["statistic", *columns], *rows])
    put_table(headings, rows, piped, numeric=True)


def _read(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {config}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{config}: this is not TOML: {error}") from error


def _range(option: str, text: str | None, unit: float = 1.0) -> list[float] | None:
    """Read `2-4`, or `3` for exactly that."""
    if text is None:
        return None
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option} takes a number or a range such as 10-25; got {text!r}")
    low, high = match[1], match[2] or match[1]
    return [float(low) * unit, float(high) * unit]


def _whole(option: str, text: str | None) -> list[int] | None:
    values = _range(option, text)
    if values is None:
        return None
    if any(value % 1 for value in values):
        raise UsageError(f"{option} takes whole numbers such as 2-4; got {text!r}")
    return [int(value) for value in values]


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
