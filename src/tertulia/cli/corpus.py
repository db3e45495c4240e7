"""`tertulia corpus`: data sets, looked over and listed."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tertulia.cli._progress import progress_bar
from tertulia.cli._terminal import put, put_table
from tertulia.errors import InputError, unknown

if TYPE_CHECKING:
    from tertulia.corpora import Check, Corpus, Item

__all__ = ["corpus"]

_COLUMNS = ("recording", "split", "audio", "reference", "uem")
_HEADINGS = ("split", "recordings", "hours", "speakers", "overlap %")
# A line a recording, whatever its files are called.
_ESCAPES = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


def corpus(
    action: Annotated[
        str, typer.Argument(metavar="check|list", help="Tell what is wrong, or which recordings there are.")
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder, a manifest, or a database.yml of pyannote.")
    ],
    layout: Annotated[
        str | None, typer.Option(metavar="NAME", help="How it lies on the disk, if it is not recognised.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this split: train, dev, test; or all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> int:
    """Check a corpus of recordings with references, or list it.

    Layouts are pyannote, lhotse, nemo, ami, dihard, callhome, voxconverse and folder. `check` ends with exit
    code 3 if anything is wrong.
    """
    from tertulia.corpora import open_corpus

    if action not in _ACTIONS:
        raise unknown("action", action, _ACTIONS)
    return _ACTIONS[action](open_corpus(folder, layout), split, as_json)


def _check(corpus: Corpus, split: str | None, as_json: bool) -> int:
    from tertulia.corpora import check
    from tertulia.progress import Progress

    with progress_bar("checking", time.monotonic(), quiet=False) as bar:
        result = check(corpus, split, None if bar is None else lambda done, total: bar(Progress(done, total)))
    if as_json:
        about = {"name": corpus.name, "layout": corpus.layout}
        put(json.dumps({**about, **result.to_dict()}, indent=2) + "\n")
    else:
        _show(result, corpus)
    return InputError.exit_code if result.problems else 0


def _show(result: Check, corpus: Corpus) -> None:
    rows = [
        (
            summary.split,
            str(summary.recordings),
            f"{summary.hours:.2f}",
            str(summary.speakers),
            "-" if math.isnan(summary.overlap) else f"{100 * summary.overlap:.1f}",
        )
        for summary in result.summaries
    ]
    put_table(_HEADINGS, rows, _lines([_HEADINGS, *rows]), numeric=True)
    found = [(problem.split, problem.uri, problem.kind, problem.message) for problem in result.problems]
    if found:
        put_table(("split", "recording", "problem", "what"), found, _lines(found))
    count = f"{len(found)} problem{'s' * (len(found) != 1)}" if found else "no problems"
    put(f"{corpus.name} ({corpus.layout}): {count}\n")


def _list(corpus: Corpus, split: str | None, as_json: bool) -> int:
    names = corpus.splits if split is None else [split]
    rows = [_row(name, item) for name in names for item in corpus.items(name)]
    if as_json:
        put("".join(json.dumps(dict(zip(_COLUMNS, row, strict=True))) + "\n" for row in rows))
    else:
        cells = [[cell or "-" for cell in row] for row in rows]
        put_table(_COLUMNS, cells, _lines(cells))
    return 0


def _row(split: str, item: Item) -> list[str | None]:
    paths = (item.audio, item.reference, item.uem)
    return [item.uri, split, *(None if path is None else str(path) for path in paths)]


def _lines(rows: Sequence[Sequence[str]]) -> str:
    return "".join("\t".join(cell.translate(_ESCAPES) for cell in row) + "\n" for row in rows)


_ACTIONS = {"check": _check, "list": _list}
