"""Recipes: every number in one file, nothing else in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from tertulia.errors import UsageError
from tertulia.training import make_task, read_recipe

Written = Callable[..., Path]
RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


@pytest.mark.parametrize(
    "table", ["data", "network", "loss", "optimizer", "schedule", "loop", "evaluation", "augmentation"]
)
def test_unknown_keys_are_refused(written: Written, speech: Path, tmp_path: Path, table: str) -> None:
    with pytest.raises(UsageError, match=f"unknown key in small.{table} 'sparkle'"):
        make_task(read_recipe(written(**{table: {"sparkle": 1}}), {"speech": str(speech)}), tmp_path, print)


def test_an_unknown_table_is_refused(written: Written) -> None:
    with pytest.raises(UsageError, match=r"unknown key in .*small\.toml 'extra'"):
        read_recipe(written(extra={"a": 1}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loop": {"epochs": None}}, "loop needs epochs"),
        ({"loop": {"epochs": 0}}, "epochs and batch from 1"),
        ({"loop": {"epochs": 2.5}}, "epochs cannot be 2.5"),
        ({"loop": {"precision": "float16"}}, "precision cannot be 'float16'"),
        ({"optimizer": {"name": "adagrad"}}, "unknown optimizer 'adagrad'; there is: adam, rmsprop, sgd"),
        ({"optimizer": {"lr": -1.0}}, "small.optimizer"),
        ({"schedule": {"name": "stairs"}}, "unknown schedule 'stairs'"),
        ({"seed": -1}, "seed is a whole number from 0"),
        ({"network": {"name": "ekapa"}}, "unknown network 'ekapa'"),
        ({"network": {"dim": None}}, "needs dim"),
        ({"data": {"crop": 0.0}}, "crop from 0.1 s"),
        ({"data": {"dev_speakers": 5}}, "two speakers or more"),
        ({"data": {"dev_speakers": 7}}, "only 6 speakers have two files or more"),
        ({"loss": {"softmax": 0.0}}, "one of them above"),
        ({"loss": {"teacher": "campplus"}}, "unknown teacher 'campplus'; there is: campplus-window"),
        ({"loss": {"hears": "words"}}, "hears cannot be 'words'"),
        ({"data": {"passes": 0}}, "data.passes is 1 or more; got 0"),
        ({"augmentation": {"noise": 1.5}}, r"a share in \[0, 1\]"),
        ({"augmentation": {"codec": 0.5}}, "codecs needs at least one"),
        ({"augmentation": {"codecs": ["aac"]}}, "unknown codec 'aac'"),
        ({"augmentation": {"speeds": [0.1]}}, "factors from 0.5 to 2"),
        ({"augmentation": {"snr": [9.0, 1.0]}}, "lowest and highest"),
        ({"augmentation": {"rooms": 0.5}}, "needs responses"),
    ],
)
def test_wrong_values(written: Written, speech: Path, tmp_path: Path, changes: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make_task(read_recipe(written(**changes), {"speech": str(speech)}), tmp_path, print)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = ")
    with pytest.raises(UsageError, match="not a TOML file"):
        read_recipe(tmp_path / "bad.toml")


def test_where_the_sound_is_has_to_be_said(written: Written, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"small.data.speech is not set: --data speech=PATH"):
        make_task(read_recipe(written()), tmp_path, print)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_of_the_repository_are_well_formed(path: Path, tmp_path: Path) -> None:
    """All that is missing is the data."""
    recipe = read_recipe(path)
    with pytest.raises(UsageError, match=r"is not set: --data"):
        make_task(recipe, tmp_path, print)
    assert recipe.summary


def test_the_source_s_numbers() -> None:
    recipe = read_recipe(next(path for path in RECIPES if path.stem == "ecapa"))
    assert recipe.optimizer == {"name": "adam", "lr": 1e-3}
    assert recipe.schedule == {"name": "cosine", "t_max": 25}
    assert recipe.loop["epochs"] == 25
    assert recipe.loss == {"softmax": 1.0}
    assert not recipe.augmentation


def test_cosine_is_torch_s(written: Written) -> None:
    parameter = nn.Parameter(torch.zeros(1))
    schedule = read_recipe(written(schedule={"t_max": 25})).make_schedule()
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=25)
    for epoch in range(25):
        assert schedule(epoch) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-6)
        optimizer.step()
        theirs.step()


def test_warmup_rises_to_the_cosine(written: Written) -> None:
    schedule = read_recipe(written(schedule={"t_max": 4, "warmup": 3, "lowest": 0.1})).make_schedule()
    assert [schedule(epoch) for epoch in range(4)] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert schedule(7) == pytest.approx(0.1)
    assert schedule(5) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 2)) / 2)


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
def test_optimisers_move_parameters(written: Written, name: str) -> None:
    parameter = nn.Parameter(torch.ones(2))
    recipe = read_recipe(written(optimizer={"name": name, "lr": 0.1}))
    optimizer = recipe.make_optimizer([parameter])
    parameter.square().sum().backward()
    optimizer.step()
    assert (parameter < 1).all()
