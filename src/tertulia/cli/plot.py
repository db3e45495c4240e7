"""`tertulia plot`: a recording and who speaks when in it, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tertulia.cli._annotations import read_recordings
from tertulia.cli._terminal import say
from tertulia.errors import InputError, OutputError, UsageError
from tertulia.timeline import Diarization

__all__ = ["plot"]


def plot(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="The sound.")],
    annotations: Annotated[
        list[Path],
        typer.Argument(metavar="RTTM…", help="Who speaks when: one file or several, of any format."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="What to write: .svg, or .png (extra 'plot')."),
    ],
) -> int:
    """Draw the waveform and the turns of one annotation or several on one time axis."""
    from tertulia import drawing
    from tertulia.formats import write_text

    kind = output.suffix.lower()
    if kind not in (".svg", ".png"):
        raise UsageError(f"a plot is written to a file ending in .svg or .png; got {str(output)!r}")
    titles = _titles(annotations)
    tracks = {title: _of(recording.stem, path) for title, path in zip(titles, annotations, strict=True)}
    svg = drawing.draw(tracks, drawing.envelope(recording), paper=True)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        if kind == ".png":
            output.write_bytes(drawing.to_png(svg))
        else:
            write_text(output, svg)
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror}") from error
    say(f"wrote {output}")
    return 0


def _titles(paths: Sequence[Path]) -> list[str]:
    """Name files by the fewest last parts of their paths that tell them apart."""
    longest = max(len(path.parts) for path in paths)
    tails = (["/".join(path.parts[-count:]) for path in paths] for count in range(1, longest + 1))
    return next((names for names in tails if len(set(names)) == len(set(paths))), [str(p) for p in paths])


def _of(name: str, path: Path) -> Diarization:
    """Read the turns of the recording called so; a file of one recording is taken whatever that is called."""
    found = read_recordings(path)
    if len(found) == 1:
        return next(iter(found.values()))
    if name not in found:
        raise InputError(f"{path} holds {len(found)} recordings, none of them {name!r}: {', '.join(found)}")
    return found[name]
