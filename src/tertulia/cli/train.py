"""`tertulia train`: a network from a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from tertulia.cli._terminal import say
from tertulia.errors import MissingExtraError, UsageError

__all__ = ["train"]


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.toml", help="Every number of the run.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Folder of the run; runs/RECIPE by default."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=PATH", help="Where the data of the recipe lies; can be repeated."),
    ] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="What computes.")] = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="CHECKPOINT", help="Begin with the parameters of another run, as far as they fit."
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for decoded sound; that of the user by default."),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write event files as well (extra 'tensorboard').")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No messages.")] = False,
) -> int:
    """Train a network; checkpoints, a log, curves, ONNX files and their card go to the folder."""
    try:
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(f"training needs {error.name}: pip install 'tertulia[train]'") from error
    from platformdirs import user_cache_path

    from tertulia.training import make_task, read_recipe
    from tertulia.training import train as run

    report = (lambda _: None) if quiet else say
    described = read_recipe(recipe, _paths(data or []))
    task = make_task(described, cache or user_cache_path("tertulia") / "training", report)
    folder = output or Path("runs") / described.name
    run(
        described,
        task,
        folder,
        device=device,
        resume=resume,
        start=start,
        tensorboard=tensorboard,
        report=report,
    )
    report(f"wrote {folder}")
    return 0


def _paths(options: Sequence[str]) -> dict[str, str]:
    """Read `KEY=PATH`."""
    paths: dict[str, str] = {}
    for option in options:
        key, separator, path = option.partition("=")
        if not (separator and key and path):
            raise UsageError(f"--data takes KEY=PATH, such as speech=speakers.tsv; got {option!r}")
        paths[key] = path
    return paths
