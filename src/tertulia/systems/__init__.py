"""The named systems: one TOML file each in this folder, and the folder is the list.

A file names its parts, chosen from the registries, and the numbers that differ from their defaults:

```toml
summary = "one line"
weights = "one line: where the parameters come from"

[segmentation]
name = "powerset"
hop = 1.0
```

Tables: `segmentation`, `embedding`, `clustering`, `binarize`, `sliding`. A system that does not go over the
recording in windows has one table instead, `pipeline`, whose name chooses a chain from
`tertulia.chains.PIPELINES`. Unknown keys are refused. Pipeline files of pyannote.audio (`.yaml`) are read as
well; see `tertulia.systems.pyannote_yaml`.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tertulia.config import from_table, part
from tertulia.errors import UsageError, unknown

if TYPE_CHECKING:
    from tertulia.pipeline import Pipeline

__all__ = [
    "QUALITIES",
    "Quality",
    "System",
    "available",
    "build",
    "chosen",
    "ignoring_music",
    "override",
    "read",
]

FOLDER = Path(__file__).parent

Quality = Literal["fast", "balanced", "best"]

QUALITIES: dict[str, str] = {"fast": "fast", "balanced": "default", "best": "best"}
"""What to pay for fewer errors: quality → system."""


@dataclass(frozen=True)
class System:
    """A system as its file describes it.

    Attributes:
        name: what it is called.
        summary: what it is, one line.
        weights: where its parameters come from, one line.
        segmentation, embedding, clustering, binarize: tables of parts, `name` and settings.
        sliding: table of settings.
        pipeline: table of a chain, `name` and settings; the tables above are empty then.
    """

    name: str
    summary: str
    weights: str
    segmentation: dict[str, Any] = dataclasses.field(default_factory=dict)
    embedding: dict[str, Any] = dataclasses.field(default_factory=dict)
    clustering: dict[str, Any] = dataclasses.field(default_factory=dict)
    binarize: dict[str, Any] = dataclasses.field(default_factory=lambda: {"name": "count"})
    sliding: dict[str, Any] = dataclasses.field(default_factory=dict)
    pipeline: dict[str, Any] = dataclasses.field(default_factory=dict)


def available() -> tuple[System, ...]:
    """Return all named systems, the default first."""
    systems = [read(path.stem) for path in sorted(FOLDER.glob("*.toml"))]
    return tuple(sorted(systems, key=lambda system: (system.name != "default", system.name)))


def read(name: str | Path) -> System:
    """Read a system by name, or from the path of a TOML file or of a pipeline file of pyannote.audio (YAML).

    Raises:
        UsageError: for an unknown name, or a file that does not describe a system.
        MissingExtraError: when it is a YAML file and PyYAML is not installed.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        from tertulia.systems import pyannote_yaml

        return pyannote_yaml.load(path)
    if path.suffix != ".toml":
        path = FOLDER / f"{name}.toml"
        if str(name) not in {known.stem for known in FOLDER.glob("*.toml")}:
            raise unknown("system", str(name), (known.stem for known in FOLDER.glob("*.toml")))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # not TOML, not UTF-8, or a name that no file can have
        raise UsageError(f"{path}: not a TOML file: {error}") from error
    return system(table, path.stem, str(path))


def chosen(name: str | Path | None, quality: str | None) -> str | Path:
    """Return the system that is asked for by name, by quality, or not at all.

    Raises:
        UsageError: when it is asked for by both, or the quality is unknown.
    """
    if quality is not None and quality not in QUALITIES:
        raise unknown("quality", quality, QUALITIES)
    if quality is not None and name is not None:
        raise UsageError(f"a system has its own quality; give {name} or {quality}, not both")
    return QUALITIES[quality or "balanced"] if name is None else name


def system(table: Mapping[str, Any], name: str, where: str) -> System:
    """Build a system from a table; `where` is what messages call it."""
    given = [
        key for key in ("segmentation", "embedding", "clustering", "binarize", "sliding") if key in table
    ]
    missing = [key for key in ("segmentation", "embedding", "clustering") if key not in table]
    if "pipeline" in table and given:
        raise UsageError(f"{where}: a system with a pipeline of its own has no {', '.join(given)}")
    described = from_table(System, {"name": name, "weights": "its own", "summary": "", **table}, where)
    if "pipeline" not in table and missing:
        raise UsageError(f"{where} needs {', '.join(missing)}, or pipeline")
    return described


def override(
    described: System,
    *,
    embedding: str | None = None,
    segmentation: str | None = None,
    latency: str | None = None,
) -> System:
    """Exchange the networks of a system, or its latency.

    Args:
        described: the system.
        embedding: name of an embedding model, `name=weights` to say which weights it takes, or the id of a
            published one. Where the system embeds window by window, `campplus` means `campplus-window`; and
            between two embedding models that do so, the settings of how they do it stay. All else is as the
            model has it by default.
        segmentation: weights for the powerset segmentation: the path of an ONNX file; or for the network of
            an end-to-end system: whatever `tertulia.endtoend.published.opened` takes. Settings stay.
        latency: seconds after which an end-to-end system decides; see `tertulia.chains.endtoend.EndToEnd`.

    Raises:
        UsageError: for an unknown embedding model, a segmentation that is no powerset one, or a latency
            where the system has none.
    """
    endtoend = described.pipeline.get("name") == "endtoend"
    if latency is not None and not endtoend:
        raise UsageError(
            f"{described.name} waits for the end of the recording; sortformer-tiny has a latency"
        )
    if endtoend:
        given = {"weights": segmentation, "latency": latency}
        table = {**described.pipeline, **{key: value for key, value in given.items() if value is not None}}
        described, segmentation = dataclasses.replace(described, pipeline=table), None
    if described.pipeline and (embedding or segmentation):
        raise UsageError(f"{described.name} has no networks that could be exchanged")
    if embedding is not None:
        described = dataclasses.replace(described, embedding=_embedding(described.embedding, embedding))
    if segmentation is not None:
        name = described.segmentation.get("name")
        if name != "powerset":
            raise UsageError(
                f"{described.name} segments with {name!r}; only weights of 'powerset' can be given"
            )
        table = {**described.segmentation, "weights": segmentation}
        described = dataclasses.replace(described, segmentation=table)
    return described


def _embedding(table: Mapping[str, Any], asked: str) -> dict[str, Any]:
    """Choose an embedding model in place of the one that a table describes."""
    from tertulia.embedding import EMBEDDERS, PerWindow, published

    name, separator, weights = asked.partition("=")
    chosen = published(asked) or {"name": name, **({"weights": weights} if separator else {})}
    if chosen["name"] not in EMBEDDERS:
        raise unknown("embedding model", chosen["name"], EMBEDDERS)
    own = EMBEDDERS.get(str(table.get("name")), object)
    if chosen["name"] == "campplus" and issubclass(own, PerWindow):
        chosen["name"] = "campplus-window"
    alike = issubclass(own, PerWindow) and issubclass(EMBEDDERS[chosen["name"]], PerWindow)
    shared = [f.name for f in dataclasses.fields(PerWindow)] if alike else []
    return {key: table[key] for key in shared if key in table} | chosen


def build(described: System, *, threads: int = 0, device: str = "cpu") -> Pipeline:
    """Make the `Diarizer` that a system describes, or the `WholeRecording` of its chain.

    Raises:
        UsageError: for parts or settings that do not exist, or when no part can use the device.
        ModelMissingError: when weights are not on this machine.
        MissingExtraError: when this machine cannot compute on the device.
    """
    from tertulia.inference import check_device, cores

    check_device(device)
    if described.pipeline:
        from tertulia.chains import PIPELINES, WholeRecording

        chain = part(PIPELINES, described.pipeline, f"{described.name}.pipeline", "pipeline")
        return WholeRecording(_running([chain], threads, device)[0], name=described.name)

    from tertulia.binarize import BINARIZERS
    from tertulia.clustering import CLUSTERERS
    from tertulia.embedding import EMBEDDERS
    from tertulia.pipeline import Diarizer, Sliding
    from tertulia.segmentation import SEGMENTERS

    families = {
        "segmentation": (SEGMENTERS, "segmentation model"),
        "embedding": (EMBEDDERS, "embedding model"),
        "clustering": (CLUSTERERS, "clusterer"),
        "binarize": (BINARIZERS, "binarizer"),
    }
    made = [
        part(family, getattr(described, key), f"{described.name}.{key}", kind)
        for key, (family, kind) in families.items()
    ]
    # Two networks run at the same time, each on its own batch; that takes fewer seconds of the cores than to
    # share every operation between all of them.
    half = max(1, (threads or cores()) // 2)
    made = [
        dataclasses.replace(each, threads=half) if getattr(each, "threads", None) == 0 else each
        for each in made
    ]
    parts = dict(zip(families, _running(made, half if threads else 0, device), strict=True))
    return Diarizer(
        segmenter=parts["segmentation"],
        embedder=parts["embedding"],
        clusterer=parts["clustering"],
        binarize=parts["binarize"],
        sliding=from_table(Sliding, described.sliding, f"{described.name}.sliding"),
        name=described.name,
    )


def ignoring_music(pipeline: Pipeline, threads: int = 0) -> Pipeline:
    """Return the same system, for which music over which nobody speaks is no speaker.

    Raises:
        UsageError: when it does not go over the recording in windows.
        ModelMissingError: when the weights that tell music are not on this machine.
    """
    from tertulia.pipeline import Diarizer
    from tertulia.segmentation.music import MusicIgnored
    from tertulia.segmentation.scenes import SceneSegmenter

    if not isinstance(pipeline, Diarizer):
        raise UsageError(f"{pipeline.name} hears a recording as a whole: music cannot be left out of it")
    heard = MusicIgnored(pipeline.segmenter, SceneSegmenter(threads=threads))
    return dataclasses.replace(pipeline, segmenter=heard)


def _running(parts: list[Any], threads: int, device: str) -> list[Any]:
    """Tell the parts that run a network with how many threads and where.

    Raises:
        UsageError: when none of them can run there.
    """
    keys = [{f.name for f in dataclasses.fields(part)} for part in parts]
    if device != "cpu" and not any("device" in own for own in keys):
        raise UsageError(f"nothing in this system can compute on {device}; there is: cpu")
    wanted = {**({"threads": threads} if threads else {}), **({"device": device} if device != "cpu" else {})}
    return [
        dataclasses.replace(part, **{key: value for key, value in wanted.items() if key in own})
        for part, own in zip(parts, keys, strict=True)
    ]
