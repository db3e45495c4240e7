"""`benchmarks/all_systems.py` on the bundled recording."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import all_systems
from tertulia.systems import available

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The bundled recording, twice in one folder and once in another."""
    for name in ("talks/one", "talks/two", "calls/three"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".flac", ".rttm"):
            shutil.copy(EXAMPLES / f"conversation{suffix}", path.with_suffix(suffix))
    return tmp_path / "data"


def tables(text: str) -> dict[str, list[list[str]]]:
    """Heading → rows of the table under it, that of its columns first."""
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            title = line.strip("# ")
        elif line.startswith("| ") and "---" not in line:
            found.setdefault(title, []).append(line.strip("| ").split(" | "))
    return found


def test_the_page_has_every_system_best_first(corpus: Path, tmp_path: Path) -> None:
    page = tmp_path / "comparison.md"
    options = ["--systems", "lium-clr,fast", "--threads", "1", "--cache", str(tmp_path / "cache")]
    written = ["--report", str(tmp_path / "report"), "--page", str(page)]
    assert not all_systems.main([str(corpus), *options, "--apart", "tw", *written])
    text = page.read_text(encoding="utf-8")
    found = tables(text)
    assert list(found) == [
        "calls: 1 recording, 0.5 min",
        "talks: 2 recordings, 1.0 min",
        "`tw` only: 1 recording, 0.5 min",
        "without `tw`: 1 recording, 0.5 min",
        "Costs",
    ]
    for title, (headings, *systems) in found.items():
        assert {row[0] for row in systems} == {"fast", "lium-clr"}
        if title == "Costs":
            assert headings == list(all_systems.COSTS)
            assert all(float(cell) > 0 for row in systems for cell in row[1:5])
            continue
        rates = [float(row[1]) for row in systems]
        assert rates == sorted(rates)
        parts = slice(3, 6) if len(headings) == len(all_systems.ERRORS) else slice(2, 5)
        for row in systems:
            assert float(row[1]) == pytest.approx(sum(map(float, row[parts])), abs=0.02)
            # All recordings are one and the same.
            assert row[1] in {other[1] for other in found["calls: 1 recording, 0.5 min"]}
    assert "DATA --threads 1 --apart tw`" in text
    said = " ".join(text.split("Not on this page: ")[1].split("\n\n")[0].split())
    missing = [system.name for system in available() if system.name not in ("fast", "lium-clr")]
    assert said == f"{', '.join(missing)}."


@pytest.mark.parametrize("wall", [100.0, 300.0])
def test_a_crowded_machine_is_owned_up_to(wall: float) -> None:
    figures = {
        "wall": wall,
        "cpu": 100.0,
        "seconds": 600.0,
        "real_time": 6.0,
        "memory": None,
        "parameters": 0,
    }
    results = {"tertulia": "1", "systems": {"mine": {"pooled": {all_systems.ALL: figures}}}}
    assert ("took 3.0 s on the clock" in all_systems._machine(results, 1)) == (wall == 300)
    assert "| mine | 6.0 | 10.00 | – | 0.00 |  |" in all_systems.costs(results)


def test_a_system_that_is_unknown_stops_it(corpus: Path, tmp_path: Path) -> None:
    page = tmp_path / "comparison.md"
    assert all_systems.main([str(corpus), "--systems", "nobody", "--page", str(page)]) == 2
    assert not page.exists()
