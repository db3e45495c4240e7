"""What is public, and which way imports run."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tertulia

SOURCE = Path(tertulia.__file__).parent
FILES = [path for path in sorted(SOURCE.rglob("*.py")) if path != SOURCE / "__init__.py"]
MODULES = [
    ".".join(["tertulia", *path.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__")
    for path in FILES
    if path.name != "__main__.py" and path.parent.name != "networks"
]
PUBLIC = [name for name in MODULES if not any(part.startswith("_") for part in name.split("."))]
# From the bottom up: what a part may import stands before it, or in its own line.
ORDER = """
_version errors progress speakers
timeline
frames traits
audio
config conversions inference features featurefiles mfcc prosody gaussians hub
segmentation
embedding
clustering
endtoend
stitch
binarize
counting
split pipeline
chains
crossshow
systems
formats
transcripts
identity
detection emotions frontend separation
streaming
evaluation
drawing
networks
simulation
corpora
training
comparison
batch
server
cli
__main__
"""
RANK = {name: rank for rank, line in enumerate(ORDER.strip().splitlines()) for name in line.split()}
# Imported when they are called: writing and drawing a value, converting a published checkpoint, and the
# network of end-to-end systems, which stands on embeddings, as a segmentation.
WHEN_CALLED = {
    ("timeline", "formats"),
    ("timeline", "drawing"),
    ("embedding", "networks"),
    ("separation", "networks"),
    ("endtoend", "networks"),
    ("segmentation", "endtoend"),
}


def part_of(path: Path) -> str:
    """First part of a module's name under the package."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def _is_late(node: ast.AST) -> bool:
    """Whether what a node holds is not run when its module is imported."""
    return isinstance(node, ast.FunctionDef) or (
        isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    )


def imported(path: Path) -> dict[str, bool]:
    """Parts of the package that a file imports, and whether it does so as soon as it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = {inner for outer in ast.walk(tree) if _is_late(outer) for inner in ast.walk(outer)}
    found: dict[str, bool] = {}
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "tertulia" else [module]
        for name in names:
            if name.startswith("tertulia."):
                part = name.split(".")[1]
                found[part] = found.get(part, False) or node not in late
    return {part: now for part, now in found.items() if part in PARTS}


PARTS = {part_of(path) for path in FILES}


def test_every_part_has_its_place():
    assert not PARTS - set(RANK), "a new part of the package needs a line in ORDER"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_run_one_way(path):
    mine = part_of(path)
    for other, at_once in imported(path).items():
        if RANK[other] > RANK[mine]:
            assert (mine, other) in WHEN_CALLED, f"{mine} imports {other}, which stands above it"
            assert not at_once, f"{mine} may import {other} only where it is called"


def test_the_core_never_imports_training_server_or_command_line():
    core = [path for path in FILES if RANK[part_of(path)] < RANK["evaluation"]]
    assert len(core) > 30
    for path in core:
        assert not set(imported(path)) & {"training", "server", "cli", "batch", "simulation", "comparison"}


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["tertulia", *PUBLIC])
def test_all_is_complete_and_resolves(name):
    module = importlib.import_module(name)
    assert len(module.__all__) == len(set(module.__all__))
    for public in module.__all__:
        thing = getattr(module, public)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__doc__, f"{name}.{public} has no docstring"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_module_says_what_is_public(name):
    module = importlib.import_module(name)
    assert module.__doc__
    assert hasattr(module, "__all__")


def test_about_a_dozen_names():
    assert len(tertulia.__all__) == 12
    everything: dict[str, object] = {}
    exec("from tertulia import *", everything)
    assert set(tertulia.__all__) <= set(everything)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'tertulia' has no attribute 'diarise'"):
        tertulia.diarise  # noqa: B018


# ── importing ────────────────────────────────────────────────────────────────────────────────────────────


def loaded_by(statement: str) -> set[str]:
    """Top-level modules outside the standard library that a fresh interpreter has after a statement."""
    code = (
        "import sys; before = set(sys.modules);"
        f"{statement};"
        "import json; print(json.dumps(sorted({name.split('.')[0] for name in set(sys.modules) - before})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(SOURCE.parent), "PATH": "/usr/bin:/bin"},
    )
    return set(json.loads(done.stdout)) - set(sys.stdlib_module_names)


def test_importing_the_package_imports_numpy_only():
    assert loaded_by("import tertulia") == {"tertulia", "numpy"}


def test_values_need_numpy_only():
    statement = (
        "import tertulia, tertulia.formats, tertulia.evaluation, tertulia.systems;"
        "tertulia.Diarization([(0.0, 1.0, 'a')]); tertulia.Speakers(2)"
    )
    assert loaded_by(statement) == {"tertulia", "numpy"}


def test_parts_load_networks_only_when_they_run():
    heavy = {"onnxruntime", "scipy", "soundfile", "soxr", "torch", "huggingface_hub"}
    assert not loaded_by("import tertulia; tertulia.load()") & heavy


def test_diarizing_needs_no_torch():
    statement = "import tertulia, numpy; tertulia.diarize((numpy.zeros(16000, 'f4'), 16000))"
    assert not loaded_by(statement) & {"torch", "onnx", "av", "huggingface_hub", "pyannote"}


def test_importing_is_quick():
    begin = time.process_time()
    children = []
    import resource

    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        loaded_by("import tertulia")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        children.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(children) < 0.6, "the interpreter itself included"
    assert time.process_time() - begin < 5
