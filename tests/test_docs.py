"""The documentation is run: every Python block, and every `$ tertulia …` line of a console block."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import soundfile

from tertulia.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds the recordings the pages talk about."""
    for name in ("conversation.flac", "conversation.rttm"):
        (tmp_path / name).write_bytes((ROOT / "examples" / name).read_bytes())
    samples, rate = soundfile.read(ROOT / "examples" / "conversation.flac")
    soundfile.write(tmp_path / "meeting.mp3", samples, rate)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_is_something_to_run() -> None:
    assert sum(len(blocks(page, "python")) for page in PAGES) >= 5
    assert sum(len(blocks(page, "console")) for page in PAGES) >= 3


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.name)
def test_python_blocks_run_one_after_the_other(page: Path, folder: Path) -> None:
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "console")], ids=lambda p: p.name)
def test_console_lines_run(page: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    for line in (line for line in lines if line.startswith("$ ")):
        command, *arguments = shlex.split(line.removeprefix("$ "))
        assert command == "tertulia"
        assert main(arguments) == 0, f"{line}\n{capsys.readouterr().err}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
