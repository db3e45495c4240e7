"""Other networks in a system: `tertulia.load(..., embedding=…, segmentation=…)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tertulia
from tertulia.errors import ModelMissingError, UsageError
from tertulia.inference import WEIGHTS
from tertulia.systems import System, override, read


def system(embedding: dict[str, Any], segmentation: dict[str, Any] | None = None) -> System:
    table = segmentation or {"name": "powerset", "hop": 2.0}
    return System("mine", "", "", table, embedding, {"name": "duration"})


def embedding(now: dict[str, Any], asked: str) -> dict[str, Any]:
    return override(system(now), embedding=asked).embedding


def test_nothing_asked_changes_nothing() -> None:
    assert override(read("default")) == read("default")


def test_only_the_table_that_is_asked_for_changes() -> None:
    before = read("pyannote-3.1")
    after = override(before, embedding="resnet34")
    assert after.embedding["name"] == "resnet34"
    assert (after.segmentation, after.clustering, after.binarize, after.sliding) == (
        before.segmentation,
        before.clustering,
        before.binarize,
        before.sliding,
    )


@pytest.mark.parametrize(
    ("now", "asked", "expected"),
    [
        ("campplus", "campplus", "campplus"),
        ("campplus", "campplus-window", "campplus-window"),
        ("campplus", "resnet34", "resnet34"),
        ("campplus-window", "campplus", "campplus-window"),
        ("resnet34", "campplus", "campplus-window"),
        ("xvector", "campplus", "campplus-window"),
        ("xvector", "resnet34", "resnet34"),
    ],
)
def test_campplus_follows_the_way_the_system_embeds(now: str, asked: str, expected: str) -> None:
    assert embedding({"name": now}, asked) == {"name": expected}


def test_settings_of_windows_stay_and_others_do_not() -> None:
    now = {"name": "resnet34", "weights": "some.bin", "threads": 2, "exclude_overlap": False, "least": 0.1}
    kept = {"exclude_overlap": False, "least": 0.1}
    assert embedding(now, "campplus") == {"name": "campplus-window", **kept}
    assert embedding(now, "xvector") == {"name": "xvector", **kept}
    assert embedding({"name": "campplus", "least": 0.5, "piece": 1.0}, "xvector") == {"name": "xvector"}


def test_weights_can_be_named() -> None:
    now = {"name": "resnet34", "weights": "old.bin"}
    assert embedding(now, "resnet34=new=er.bin") == {"name": "resnet34", "weights": "new=er.bin"}
    assert embedding(now, "pyannote/embedding@v1") == {"name": "xvector", "weights": "pyannote/embedding@v1"}


@pytest.mark.parametrize("asked", ["nothing", "resnet", "", "=x", "models/own.bin", "org/name"])
def test_an_unknown_embedding_is_refused(asked: str) -> None:
    with pytest.raises(UsageError, match=r"unknown embedding model .*; there is: campplus, .*xvector"):
        embedding({"name": "campplus"}, asked)


def test_segmentation_weights_replace_those_of_powerset() -> None:
    after = override(system({"name": "campplus"}), segmentation="mine.onnx")
    assert after.segmentation == {"name": "powerset", "hop": 2.0, "weights": "mine.onnx"}
    with pytest.raises(UsageError, match="mine segments with 'energy'; only weights of 'powerset'"):
        override(system({"name": "campplus"}, {"name": "energy"}), segmentation="mine.onnx")


def test_load_takes_both(tmp_path: Path) -> None:
    copy = tmp_path / "mine.onnx"
    copy.write_bytes((WEIGHTS / "segmentation-3.0.onnx").read_bytes())
    diarizer = tertulia.load("pyannote-3.1", embedding="campplus", segmentation=str(copy))
    assert type(diarizer.embedder).__name__ == "CAMPPlusWindow"
    assert list(diarizer.segmenter.networks) == [str(copy)]
    with pytest.raises(ModelMissingError, match=r"none.onnx"):
        tertulia.load(segmentation="none.onnx")


def test_weights_that_are_not_there_are_missing_when_loading(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="`--embedding campplus` runs without it"):
        tertulia.load(embedding=f"xvector={tmp_path}")
