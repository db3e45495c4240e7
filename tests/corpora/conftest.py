"""Tiny files of every kind that a corpus is made of."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from tertulia.audio import Waveform, write_wav


class Maker:
    """Writes files below a folder, which are named by their paths in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, path: str, text: str = "") -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith(".gz"):
            target.write_bytes(gzip.compress(text.encode()))
        else:
            target.write_text(text, encoding="utf-8")
        return target

    def wav(self, path: str, rate: int = 8_000, channels: int = 1, seconds: float = 1.0) -> Path:
        target = self(path)
        write_wav(target, Waveform(np.zeros((channels, int(rate * seconds)), dtype=np.float32), rate))
        return target

    def rttm(self, path: str, *turns: tuple[str, float, float, str]) -> Path:
        lines = [
            f"SPEAKER {uri} 1 {start} {end - start:.3f} <NA> <NA> {who} <NA> <NA>\n"
            for uri, start, end, who in turns
        ]
        return self(path, "".join(lines))

    def one(self, audio: str, rttm: str, uri: str = "") -> None:
        """Write a second of audio and a reference of half a second."""
        self.wav(audio)
        self.rttm(rttm, (uri or Path(audio).stem, 0, 0.5, "A"))

    def lines(self, path: str, *records: object) -> Path:
        return self(path, "".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)
