"""What each ingredient of a recipe gives: variants of it trained alike, a figure of each after every epoch.

    python benchmarks/ablation.py recipes/ecapa.toml --all "loop.epochs=6 schedule.t_max=6" \
        --variant plain: --variant "margin: loss.softmax=0.0 loss.margin=1.0" --figure eer_test \
        --data speech=… --data test=… --runs DIR --cache DIR

A variant is its name, a colon, and settings of the recipe that are other than in the file; `--all` are
settings of every variant. A variant whose run in DIR is complete is not trained again, one that was
interrupted goes on. Markdown is printed in the end.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from tertulia.training import make_task, read_recipe, train
from tertulia.training.recipe import Recipe
from tertulia.training.run import CHECKPOINT


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--variant", action="append", required=True, metavar="NAME: KEY=VALUE …")
    parser.add_argument("--all", default="", metavar="KEY=VALUE …", help="settings of every variant")
    parser.add_argument("--data", action="append", default=[], metavar="KEY=PATH")
    parser.add_argument("--figure", action="append", required=True, help="key of log.jsonl; repeatable")
    parser.add_argument("--factor", type=float, default=100.0, help="of figures as they are printed")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded sound")
    options = parser.parse_args(arguments)
    data = {key: path for key, _, path in (option.partition("=") for option in options.data)}
    rows: dict[str, list[dict[str, float]]] = {}
    for described in options.variant:
        name, _, settings = described.partition(":")
        recipe = changed(read_recipe(options.recipe, data), f"{options.all} {settings}")
        rows[name] = trained(recipe, options.runs / name, options.cache)
    for figure in options.figure:
        print(f"\n{figure}, after every epoch:\n\n| variant | values |\n|---|---|")
        for name, log in rows.items():
            values = ", ".join(f"{options.factor * row[figure]:.1f}" for row in log)
            print(f"| {name} | {values} |")


def changed(recipe: Recipe, settings: str) -> Recipe:
    """Set `table.key=value`, values as TOML has them, without blanks."""
    for setting in settings.split():
        place, _, value = setting.partition("=")
        section, _, key = place.partition(".")
        table = {**getattr(recipe, section), key: tomllib.loads(f"value = {value}")["value"]}
        recipe = dataclasses.replace(recipe, **{section: table})
    return recipe


def trained(recipe: Recipe, folder: Path, cache: Path) -> list[dict[str, float]]:
    """Train, unless it has been, and return the lines of the log."""
    log = folder / "log.jsonl"
    if not log.exists() or len(read(log)) <= recipe.loop["epochs"]:
        task = make_task(recipe, cache, say)
        resume = (folder / CHECKPOINT).exists()
        train(recipe, task, folder, resume=resume, report=lambda line: say(f"{folder.name}: {line}"))
    return read(log)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def read(log: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
