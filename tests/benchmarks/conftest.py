"""The scripts in `benchmarks` find each other, and their workers, when they are run; so do they here."""

from __future__ import annotations

import sys
from pathlib import Path

_BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path += [str(_BENCHMARKS), str(_BENCHMARKS / "peers" / "workers")]
