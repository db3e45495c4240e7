"""The bundled recording and the default system, loaded once for all tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tertulia
from tertulia.audio import read
from tertulia.audio.windows import Windows, slide
from tertulia.embedding import Voices
from tertulia.segmentation import Activity

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="session")
def recording() -> Path:
    """Path of a conversation of two people, 30 s."""
    return EXAMPLES / "conversation.flac"


@pytest.fixture(scope="session")
def reference() -> tertulia.Diarization:
    """Who speaks in it, marked by hand."""
    return tertulia.Diarization.read(EXAMPLES / "conversation.rttm")


@pytest.fixture(scope="session")
def sound(recording: Path) -> np.ndarray:
    """Its samples, float32 (480 000,) at 16 kHz; read-only."""
    return read(recording).samples[0]


@pytest.fixture(scope="session")
def default() -> tertulia.Diarizer:
    """The default system."""
    return tertulia.load()


@pytest.fixture(scope="session")
def windows(sound: np.ndarray) -> Windows:
    """Five windows over the whole of it, in one batch."""
    (batch,) = slide([sound], 16_000, size=160_000, hop=80_000, batch=8)
    return batch


@pytest.fixture(scope="session")
def activity(default: tertulia.Diarizer, windows: Windows) -> Activity:
    """What the default segmenter makes of the five windows."""
    return default.segmenter(windows)


@pytest.fixture(scope="session")
def voices(default: tertulia.Diarizer, windows: Windows, activity: Activity) -> Voices:
    """What the default embedder makes of them."""
    return default.embedder(windows, activity)


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the two ONNX files of a network of random weights begin with; quick, as it wants no voices."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from dataclasses import replace

    from tertulia.networks.sortformer import SIZES, Sortformer
    from tertulia.training.sortformer import export_sortformer

    torch.manual_seed(0)
    folder: Path = tmp_path_factory.mktemp("untrained")
    size = replace(SIZES["tiny"], voices=0, embedded=0, layers=1, hidden_layers=1, dim=32, hidden=32)
    export_sortformer(Sortformer(size), folder, "n")
    return str(folder / "n")
