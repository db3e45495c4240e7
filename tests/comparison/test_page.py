"""The report in a real browser, as a reader meets it: from the disk, clicking about."""

from __future__ import annotations

import pytest

from comparison.browser import browser, installed
from tertulia.comparison import Run, Runs, compare, find_recordings, page
from tertulia.comparison.process import About
from tertulia.timeline import Diarization

pytestmark = pytest.mark.skipif(not installed(), reason="needs chromium and chromedriver")

RIGHT = ((0.0, 6.0, "1"), (6.0, 10.0, "2"))
WRONG = ((0.0, 7.0, "1"), (7.0, 9.0, "2"), (10.0, 11.0, "3"))


@pytest.fixture
def report(data, tmp_path):
    runs = {
        name: Run(turns, 12.0, wall, 3.0, 5 * 10**7)
        for name, turns, wall in [("a", RIGHT, 2.0), ("b", WRONG, 3.0)]
    }
    outside = {name: Diarization(WRONG) for name in "ab"}
    ran = [Runs("good", About({}, 4_000_000), runs, {}, 0)]
    comparison = compare("data", find_recordings(data), ran, {"<i>outside</i>": outside})
    (tmp_path / "report").mkdir()
    path = tmp_path / "report" / "index.html"
    path.write_text(page(comparison, path.parent), encoding="utf-8")
    return path


def test_a_reader_finds_errors_and_hears_them(report, tmp_path):
    with browser(tmp_path / "profile") as seen:
        seen.open(report)
        rows = "return [...document.querySelectorAll('#systems tbody tr')].map((row) => row.dataset.system)"
        assert seen.text("#verdict").startswith("good makes the fewest errors: 15.00 % DER")
        assert seen.run(rows) == ["good", "<i>outside</i>"]
        seen.click("[data-key=der] button")
        assert seen.run(rows) == ["<i>outside</i>", "good"]
        assert seen.run("return document.querySelectorAll('#speed circle').length") == 1

        assert seen.text("#detail-title") == "b"  # the hardest is there at first
        seen.click("#heat tr[data-name=a]")
        assert seen.text("#detail-title") == "a"
        assert "2 speakers" in seen.text("#detail-facts")
        drawn = "[...document.querySelectorAll('#tracks [data-kind={}]')].map((g) => g.children.length)"
        for kind in ("false_alarm", "missed", "confusion"):
            assert seen.run(f"return {drawn.format(kind)}") == [0, 1], (
                kind
            )  # none of the good one, one of the other
        lanes = "return [...document.querySelectorAll('#labels div')].map((label) => label.firstChild.data)"
        good = ["good · 0.0 %", "Ana", "Ben"]
        outside = ["<i>outside</i> · 30.0 %", "Ana", "Ben", "3"]
        assert seen.run(lanes) == ["Reference", "Ana", "Ben", *good, *outside]
        words = "return [...document.querySelectorAll('#labels span')].map((span) => span.textContent)"
        assert seen.run(words) == [
            "false alarm 0.0 s · missed 0.0 s · confusion 0.0 s · 2 speakers found",
            "false alarm 1.0 s · missed 1.0 s · confusion 1.0 s · 3 speakers found",
        ]
        seen.click("#shown [data-system=good]")
        assert seen.run(lanes) == ["Reference", "Ana", "Ben", *outside]
        seen.click("#shown [data-system=good]")
        assert seen.run(lanes) == ["Reference", "Ana", "Ben", *good, *outside]

        wait = "return await new Promise((f) => { const a = document.getElementById('audio');"
        ready = "if (a.readyState) f(a.duration); else a.onloadedmetadata = () => f(a.duration); })"
        assert seen.run(wait + ready) == pytest.approx(0.5)  # the sound is found beside the page
        seen.click("#tracks svg")  # in its middle
        assert seen.text("#clock") == "0:06.0"
        assert seen.run("return document.getElementById('audio').currentTime") == pytest.approx(0.5)

        choice = "const choice = document.getElementById('group'); choice.value = 'calls';"
        seen.run(f"{choice} choice.dispatchEvent(new Event('change'))")
        assert seen.run("return document.querySelectorAll('#heat tbody tr').length") == 1
        assert seen.text("#detail-title") == "b"
        seen.resize(500, 900)
        assert seen.run("return document.documentElement.scrollWidth - innerWidth") <= 0
        assert seen.complaints() == []


def test_names_of_many_systems_keep_clear_of_each_other(data, tmp_path):
    recordings = find_recordings(data)
    ran = [
        Runs(
            f"system-number-{i}",
            About(),
            {r.name: Run(WRONG, 12.0, 1 + i / 20, 3.0, 10**7) for r in recordings},
            {},
            0,
        )
        for i in range(8)
    ]
    silent = Runs("silent", About(), {r.name: Run((), 12.0, 0.1, 0.1, None) for r in recordings}, {}, 0)
    path = tmp_path / "index.html"
    path.write_text(page(compare("data", recordings, [*ran, silent], {}), path.parent), encoding="utf-8")
    overlaps = """
        const boxes = [...document.querySelectorAll('#speed .name')].map((x) => x.getBoundingClientRect());
        const meet = (a, b) => a.left < b.right && b.left < a.right && a.top + 4 < b.bottom - 4
            && b.top + 4 < a.bottom - 4;
        return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => meet(a, b))).length"""
    with browser(tmp_path / "profile") as seen:
        seen.open(path)
        assert seen.run("return document.querySelectorAll('#speed .name').length") == 9
        assert seen.run(overlaps) == 0
        # The fastest says nothing and is the worst; of the others, all alike, only the fastest is not beaten.
        assert seen.run("return document.querySelector('#speed .front').points.numberOfItems") == 2
        assert "nobody" in seen.run(
            "return [...document.querySelectorAll('#labels div')].map((x) => x.textContent)"
        )
        assert seen.complaints() == []
