from __future__ import annotations

import subprocess
import sys

import tertulia.simulation


def test_every_public_name_is_there():
    assert all(hasattr(tertulia.simulation, name) for name in tertulia.simulation.__all__)


def test_importing_it_loads_neither_the_pipeline_nor_scipy():
    heavy = ("tertulia.pipeline", "scipy", "soundfile", "soxr", "onnxruntime", "typer")
    code = f"import sys, tertulia.simulation; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
