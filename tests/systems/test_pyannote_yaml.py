"""Pipeline files of pyannote.audio."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import tertulia
from tertulia import systems
from tertulia.errors import MissingExtraError, ModelMissingError, UsageError

# As it is printed in a comparison of diarization systems, indented and with comments in Russian.
PUBLISHED = """
  version: 3.1.0
  pipeline:
    name: pyannote.audio.pipelines.SpeakerDiarization
    params:
      clustering: AgglomerativeClustering
      embedding: pyannote/wespeaker-voxceleb-resnet34-LM
      embedding_batch_size: 32
      embedding_exclude_overlap: true
      segmentation: pyannote/segmentation-3.0
      segmentation_batch_size: 32
  params:
    clustering:
      method: centroid
      min_cluster_size: 12  # Минимальное количество сегментов, необходимых для формирования кластера.
      threshold: 0.7045654963945799   # Пороговое значение
    segmentation:
      min_duration_off: 0.0  # Паузы не учитываются.
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(PUBLISHED, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def changed(tmp_path: Path, keys: str, value: Any) -> Path:
    """Write the file with one value changed, or removed for `...`."""
    content = copy.deepcopy(yaml.safe_load(PUBLISHED))
    table = content
    *above, last = keys.split("/")
    for key in above:
        table = table[key]
    if value is ...:
        del table[last]
    else:
        table[last] = value
    path = tmp_path / "changed.yml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_the_published_file_is_the_named_system_with_its_own_embedding(path: Path) -> None:
    described, named = systems.read(path), systems.read("pyannote-3.1")
    assert described.name == "config"
    assert described.embedding == {
        "name": "resnet34",
        "weights": "pyannote/wespeaker-voxceleb-resnet34-LM",
        "exclude_overlap": True,
    }
    assert described.segmentation == named.segmentation
    assert described.segmentation["name"] == "powerset"
    assert (described.segmentation["hop"], described.segmentation["soft"]) == (1.0, False)
    assert described.clustering == named.clustering
    assert described.clustering["threshold"] == 0.7045654963945799
    assert described.binarize == named.binarize
    assert described.sliding == named.sliding


def test_without_its_weights_it_says_what_works(path: Path) -> None:
    with pytest.raises(ModelMissingError, match="`--embedding campplus` runs without it"):
        tertulia.load(path)


def test_with_the_bundled_embedding_it_runs(path: Path, sound: np.ndarray) -> None:
    diarizer = tertulia.load(path, embedding="campplus")
    assert diarizer.embedder.exclude_overlap
    assert diarizer.segmenter.hop == 1.0
    result = diarizer((sound[:192_000], 16_000))
    assert result.speakers
    assert result.provenance.system == "config"


@pytest.mark.parametrize(
    ("keys", "value", "part", "setting", "expected"),
    [
        ("params/clustering/method", "average", "clustering", "method", "average"),
        ("params/clustering/threshold", 1, "clustering", "threshold", 1.0),
        ("params/clustering/min_cluster_size", 3, "clustering", "min_cluster_size", 3),
        ("params/segmentation/min_duration_off", 0.5, "binarize", "min_duration_off", 0.5),
        ("pipeline/params/segmentation_step", 0.25, "segmentation", "hop", 2.5),
        ("pipeline/params/segmentation", "my/own.onnx", "segmentation", "weights", "my/own.onnx"),
        ("pipeline/params/embedding_exclude_overlap", False, "embedding", "exclude_overlap", False),
        ("pipeline/params/embedding_exclude_overlap", ..., "embedding", "exclude_overlap", False),
        ("pipeline/params/embedding", "pyannote/embedding", "embedding", "name", "xvector"),
        (
            "pipeline/params/embedding",
            "pyannote/embedding@v1",
            "embedding",
            "weights",
            "pyannote/embedding@v1",
        ),
        ("pipeline/params/embedding", "/models/own.bin", "embedding", "name", "resnet34"),
        ("pipeline/params/embedding", "/models/own.bin", "embedding", "weights", "/models/own.bin"),
    ],
)
def test_settings_go_where_they_belong(
    keys: str, value: Any, part: str, setting: str, expected: Any, tmp_path: Path
) -> None:
    assert getattr(systems.read(changed(tmp_path, keys, value)), part)[setting] == expected


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("version", "2.1"),
        ("version", 3.1),
        ("version", ...),
        ("pipeline/params/embedding_batch_size", 1),
        ("pipeline/params/segmentation_batch_size", ...),
    ],
)
def test_version_and_batch_sizes_change_nothing(keys: str, value: Any, path: Path, tmp_path: Path) -> None:
    other, described = systems.read(changed(tmp_path, keys, value)), systems.read(path)
    assert (other.segmentation, other.embedding) == (described.segmentation, described.embedding)


def test_a_local_folder_with_the_shape_of_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my" / "model").mkdir(parents=True)
    described = systems.read(changed(tmp_path, "pipeline/params/embedding", "my/model"))
    assert described.embedding["weights"] == "my/model"


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("preprocessors", {}, r"unknown key in .*changed.yml 'preprocessors'; there is: params, pipeline"),
        ("pipeline/extra", 1, "unknown key in .*: pipeline 'extra'"),
        ("pipeline/params/plda", "x", "unknown key in .*: pipeline.params 'plda'"),
        ("pipeline/params/use_auth_token", "x", "'use_auth_token'"),
        ("params/extra", {}, "unknown key in .*: params 'extra'"),
        ("params/clustering/extra", 1, "unknown key in .*: params.clustering 'extra'"),
        ("params/segmentation/threshold", 0.5, "unknown key in .*: params.segmentation 'threshold'"),
        ("pipeline/name", "os.system", "pipeline.name cannot be 'os.system'; .*SpeakerDiarization"),
        ("pipeline/params/clustering", "VBxClustering", "cannot be 'VBxClustering'; .*Agglomerative"),
        ("pipeline/params/segmentation", "pyannote/segmentation", "cannot be 'pyannote/segmentation'; it is"),
        ("pipeline/params/segmentation", 3, "segmentation cannot be 3"),
        ("pipeline/params/embedding", "org/other", "cannot be 'org/other'; it is pyannote/wespeaker"),
        ("pipeline/params/embedding", {"checkpoint": "x"}, "embedding cannot be"),
        ("pipeline/params/embedding_batch_size", 0, "batch sizes"),
        ("pipeline/params/embedding_batch_size", True, "embedding_batch_size cannot be True"),
        ("pipeline/params/segmentation_step", 0, r"lies in \(0, 1\]; got 0"),
        ("pipeline/params/embedding", ..., "pipeline.params needs embedding"),
        ("pipeline/params/clustering", ..., "pipeline.params needs clustering"),
        ("params/clustering/threshold", ..., "params.clustering needs threshold"),
        ("params/clustering/threshold", "high", "threshold cannot be 'high'"),
        ("params/clustering", ..., "params needs clustering"),
        ("params/segmentation", None, "params.segmentation cannot be None"),
        ("params", ..., "needs params"),
        ("pipeline", [], r"pipeline cannot be \[\]"),
    ],
)
def test_what_is_not_known_is_refused_by_name(keys: str, value: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        systems.read(changed(tmp_path, keys, value))


def test_a_method_that_does_not_exist_is_refused_when_built(tmp_path: Path) -> None:
    path = changed(tmp_path, "params/clustering/method", "magic")
    with pytest.raises(UsageError, match="magic"):
        tertulia.load(path, embedding="campplus")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1", "not a YAML file"),
        (b"\xff\xfe\xff", "not a YAML file"),
        (b"", "it has no keys"),
        (b"- 1\n- 2\n", "it has no keys"),
        (b"!!python/object/apply:os.system ['true']", "not a YAML file"),
        (b"3: x", "unknown key in .* 3"),
    ],
)
def test_what_is_no_pipeline_file(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        systems.read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        systems.read(tmp_path / "none.yaml")


def test_without_the_extra_it_says_how_to_get_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tertulia\[yaml\]'"):
        systems.read(path)
