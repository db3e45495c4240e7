from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from tertulia.config import from_table, part, settings
from tertulia.errors import ModelMissingError, UsageError


@dataclass(frozen=True)
class Engine:
    power: float
    name: str = "diesel"
    gears: int = 5
    turbo: bool = False
    fuel: Literal["petrol", "diesel", 95] = "diesel"
    ratios: tuple[float, ...] = (1.0, 2.0)
    limit: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    serial: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.power <= 0:
            raise ValueError(f"power is above zero; got {self.power}")
        if self.name == "missing":
            raise ModelMissingError("no such engine")
        if self.name == "refused":
            raise UsageError("not that one")


def test_defaults_and_values():
    built = from_table(Engine, {"power": 1.5, "gears": 6, "turbo": True, "extra": {"a": 1}}, "car.engine")
    assert built == Engine(1.5, gears=6, turbo=True, extra={"a": 1})


def test_whole_numbers_pass_for_floats_and_become_floats():
    built = from_table(Engine, {"power": 2, "limit": 3}, "car")
    assert (built.power, built.limit) == (2.0, 3.0)
    assert isinstance(built.power, float)
    assert isinstance(built.limit, float)


@pytest.mark.parametrize("fuel", ["petrol", "diesel", 95])
def test_one_of_a_few(fuel):
    assert from_table(Engine, {"power": 1.0, "fuel": fuel}, "car").fuel == fuel


def test_arrays_become_tuples():
    assert from_table(Engine, {"power": 1.0, "ratios": [1.0, 3.0]}, "car").ratios == (1.0, 3.0)


@pytest.mark.parametrize("key", ["powr", "serial", "__class__"])
def test_unknown_keys(key):
    with pytest.raises(
        UsageError, match=rf"unknown key in car {key!r}; there is: extra, fuel, gears, limit, name"
    ):
        from_table(Engine, {"power": 1.0, key: 2}, "car")


def test_missing_keys():
    with pytest.raises(UsageError, match="car needs power"):
        from_table(Engine, {}, "car")


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("power", "much", "float"),
        ("power", True, "float"),
        ("gears", 5.0, "int"),
        ("gears", True, "int"),
        ("turbo", 1, "bool"),
        ("name", 3, "str"),
        ("fuel", "wood", "'petrol', 'diesel', 95"),
        ("fuel", ["petrol"], "'petrol', 'diesel', 95"),
        ("ratios", 1.0, "tuple"),
        ("limit", "none", "float | None"),
        ("extra", [1], "dict"),
    ],
)
def test_wrong_types(key, value, wanted):
    with pytest.raises(UsageError) as caught:
        from_table(Engine, {"power": 1.0, key: value}, "car")
    said = str(caught.value)
    assert f"car.{key} cannot be {value!r}; it is of type " in said
    assert wanted in said


def test_values_that_the_dataclass_refuses_name_the_table():
    with pytest.raises(UsageError, match=r"car: power is above zero; got -1\.0") as caught:
        from_table(Engine, {"power": -1.0}, "car")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("name", "kind"), [("missing", ModelMissingError), ("refused", UsageError)])
def test_errors_that_know_their_class_keep_it(name, kind):
    with pytest.raises(kind) as caught:
        from_table(Engine, {"power": 1.0, "name": name}, "car")
    assert type(caught.value) is kind


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Wheel:
    size: int = 16


FAMILY: dict[str, type[Any]] = {"wheel": Wheel, "engine": Engine}


def test_the_name_chooses():
    assert part(FAMILY, {"name": "wheel", "size": 17}, "car.front", "part") == Wheel(17)


def test_a_part_without_a_name():
    with pytest.raises(UsageError, match=r"car\.front needs a name, one of: engine, wheel"):
        part(FAMILY, {"size": 17}, "car.front", "part")


@pytest.mark.parametrize("name", ["os.system", "Wheel", "", 3, ["wheel"], {"wheel": 1}, None])
def test_a_part_that_is_not_registered(name):
    with pytest.raises(UsageError, match=r"unknown part .*; there is: engine, wheel"):
        part(FAMILY, {"name": name}, "car.front", "part")


def test_keys_of_another_part():
    with pytest.raises(UsageError, match=r"unknown key in car\.front 'power'; there is: size"):
        part(FAMILY, {"name": "wheel", "power": 1.0}, "car.front", "part")


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────


def test_settings_are_plain_values():
    assert settings(Engine(1.0, limit=None)) == {
        "power": 1.0,
        "name": "diesel",
        "gears": 5,
        "turbo": False,
        "fuel": "diesel",
        "ratios": (1.0, 2.0),
        "limit": None,
    }


def test_settings_build_the_same_again():
    wheel = Wheel(19)
    assert from_table(Wheel, settings(wheel), "again") == wheel
