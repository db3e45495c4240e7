"""Pipeline files of pyannote.audio 3 (`config.yaml`) as systems.

The speaker diarization pipeline with a powerset segmentation and agglomerative clustering is what such a file
can describe here, for instance:

```yaml
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
    min_cluster_size: 12
    threshold: 0.7045654963945799
  segmentation:
    min_duration_off: 0.0
```

Such a file is the system `pyannote-3.1` with its own numbers and networks. Keys that are not in this example
(but for `segmentation_step`), and names that are not known here, are refused. `version` and the batch sizes
are read and change nothing: results do not depend on them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tertulia.config import from_table
from tertulia.embedding.adapters import ResNet34, XVector, published
from tertulia.errors import MissingExtraError, UsageError
from tertulia.hub import is_id
from tertulia.systems import System, read

__all__ = ["load", "translate"]

_SEGMENTATION = "pyannote/segmentation-3.0"
_WINDOW = 10.0  # seconds in a window of the segmentation; `segmentation_step` is a share of it


@dataclass(frozen=True)
class _File:
    pipeline: dict[str, Any]
    params: dict[str, Any]
    version: str | float = ""


@dataclass(frozen=True)
class _Pipeline:
    name: Literal["pyannote.audio.pipelines.SpeakerDiarization"]
    params: dict[str, Any]


@dataclass(frozen=True)
class _Parts:
    segmentation: str
    embedding: str
    clustering: Literal["AgglomerativeClustering"]
    segmentation_step: float = 0.1
    embedding_exclude_overlap: bool = False
    segmentation_batch_size: int = 1
    embedding_batch_size: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.segmentation_step <= 1:
            raise ValueError(f"segmentation_step lies in (0, 1]; got {self.segmentation_step}")
        if min(self.segmentation_batch_size, self.embedding_batch_size) < 1:
            raise ValueError("batch sizes are whole numbers from 1")


@dataclass(frozen=True)
class _Settings:
    clustering: dict[str, Any]
    segmentation: dict[str, Any]


@dataclass(frozen=True)
class _Clustering:
    method: str
    min_cluster_size: int
    threshold: float


@dataclass(frozen=True)
class _Segmentation:
    min_duration_off: float


def load(path: Path) -> System:
    """Read a pipeline file.

    Raises:
        UsageError: when it cannot be read, or describes something that does not exist here.
        MissingExtraError: when PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError(f"{path}: reading YAML needs PyYAML: pip install 'tertulia[yaml]'") from error
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{path}: not a YAML file: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path}: not a pipeline of pyannote.audio: it has no keys")
    return translate(content, path.stem, str(path))


def translate(content: Mapping[str, Any], name: str, where: str) -> System:
    """Make a system of the content of a pipeline file.

    Args:
        content: what the file holds.
        name: what to call the system.
        where: what to call the file in messages.

    Raises:
        UsageError: for a key or a value that does not exist here.
    """
    file = from_table(_File, content, where)
    pipeline = from_table(_Pipeline, file.pipeline, f"{where}: pipeline")
    parts = from_table(_Parts, pipeline.params, f"{where}: pipeline.params")
    settings = from_table(_Settings, file.params, f"{where}: params")
    clustering = from_table(_Clustering, settings.clustering, f"{where}: params.clustering")
    segmentation = from_table(_Segmentation, settings.segmentation, f"{where}: params.segmentation")
    recipe = read("pyannote-3.1")
    model = _segmentation(parts.segmentation, f"{where}: pipeline.params.segmentation")
    embedding = _embedding(parts.embedding, f"{where}: pipeline.params.embedding")
    return dataclasses.replace(
        recipe,
        name=name,
        summary="a pipeline file of pyannote.audio",
        weights=f"{parts.segmentation}, {parts.embedding}",
        segmentation={**recipe.segmentation, **model, "hop": parts.segmentation_step * _WINDOW},
        embedding={**embedding, "exclude_overlap": parts.embedding_exclude_overlap},
        clustering={**recipe.clustering, **dataclasses.asdict(clustering)},
        binarize={**recipe.binarize, **dataclasses.asdict(segmentation)},
    )


def _segmentation(model: str, where: str) -> dict[str, str]:
    if model == _SEGMENTATION:
        return {}  # bundled
    if model.endswith(".onnx"):
        return {"weights": model}
    raise UsageError(
        f"{where} cannot be {model!r}; it is {_SEGMENTATION}, which is bundled, or the path of an ONNX file"
    )


def _embedding(model: str, where: str) -> dict[str, str]:
    """Choose the embedding model; a path is taken for a checkpoint of WeSpeaker's ResNet34."""
    if table := published(model):
        return table
    if is_id(model) and not Path(model).exists():
        raise UsageError(
            f"{where} cannot be {model!r}; it is {ResNet34.weights} or {XVector.weights}, perhaps with "
            "@revision, or the path of a checkpoint of the first"
        )
    return {"name": "resnet34", "weights": model}
