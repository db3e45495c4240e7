from __future__ import annotations

import numpy as np
import pytest

from tertulia.errors import OutputError
from tertulia.training.kept import Kept


def test_examples_are_made_once(tmp_path):
    made = []

    def make(number):
        made.append(number)
        return {"a": np.full(3, number, np.int16), "b": np.eye(2)}

    kept = Kept(tmp_path / "kept", make)
    for number in (4, 7, 4):
        example = kept(number)
        assert example["a"].tolist() == [number] * 3
        assert example["b"].shape == (2, 2)
    again = Kept(tmp_path / "kept", make)
    assert isinstance(again(7)["a"], np.memmap)
    assert made == [4, 7]
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["000004", "000007"]


def test_half_an_example_is_never_seen(tmp_path):
    def fails(number):
        raise RuntimeError("out of voices")

    with pytest.raises(RuntimeError):
        Kept(tmp_path / "kept", fails)(1)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        Kept(tmp_path / "file", lambda number: {"a": np.zeros(1)})(1)
    assert not (tmp_path / "kept" / "000001").exists()
