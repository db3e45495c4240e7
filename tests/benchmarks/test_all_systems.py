"""`benchmarks/all_systems.py` on the bundled recording."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import all_systems

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The bundled recording in a folder of its own."""
    folder = tmp_path / "data" / "talks"
    folder.mkdir(parents=True)
    for suffix in (".flac", ".rttm"):
        shutil.copy(EXAMPLES / f"conversation{suffix}", folder)
    return folder.parent


def test_the_page_has_every_system_best_first(corpus: Path, tmp_path: Path) -> None:
    page = tmp_path / "comparison.md"
    options = ["--systems", "lium-clr,fast", "--cache", str(tmp_path / "cache")]
    assert not all_systems.main(
        [str(corpus), *options, "--report", str(tmp_path / "report"), "--page", str(page)]
    )
    text = page.read_text(encoding="utf-8")
    rows = [line.strip("| \n").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    headings, _, *systems = rows[: len(rows)]
    assert headings == [*all_systems.HEADINGS, *all_systems.COSTS]
    assert {row[0] for row in systems} == {"fast", "lium-clr"}
    rates = [float(row[1]) for row in systems]
    assert rates == sorted(rates)
    for row in systems:
        assert float(row[1]) == pytest.approx(sum(map(float, row[3:6])), abs=0.02)


def test_a_system_that_is_unknown_stops_it(corpus: Path, tmp_path: Path) -> None:
    page = tmp_path / "comparison.md"
    assert all_systems.main([str(corpus), "--systems", "nobody", "--page", str(page)]) == 2
    assert not page.exists()
