"""Systems side by side on one set of recordings: run, cached, scored, and put on a page.

recordings ─ run (one process a system, cached) ─▶ runs ─ compare ─▶ Comparison ─▶ JSON, CSV, page
"""

from tertulia.comparison.cache import Cache
from tertulia.comparison.page import page
from tertulia.comparison.recordings import Recording, find_recordings
from tertulia.comparison.results import ALL, Comparison, Contender, compare
from tertulia.comparison.runner import Entrant, Run, Runs, named_entrant, run

__all__ = [
    "ALL",
    "Cache",
    "Comparison",
    "Contender",
    "Entrant",
    "Recording",
    "Run",
    "Runs",
    "compare",
    "find_recordings",
    "named_entrant",
    "page",
    "run",
]
