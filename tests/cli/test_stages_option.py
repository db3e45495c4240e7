"""`diarize --stages`: the vectors of every window, their labels, the turns and the errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tertulia.audio import Waveform, write_wav
from tertulia.timeline import Diarization

RATE = 16_000
SYSTEM = """
[segmentation]
name = "energy"
hop = 5.0

[embedding]
name = "campplus-window"

[clustering]
name = "agglomerative"
method = "average"
threshold = 0.5
least = 0.75
"""


@pytest.fixture(scope="module")
def meeting(tmp_path_factory: pytest.TempPathFactory, sound: np.ndarray) -> Path:
    """Eight seconds of conversation."""
    path = tmp_path_factory.mktemp("recordings") / "meeting.wav"
    write_wav(path, Waveform.from_array(sound[: 8 * RATE], RATE))
    return path


@pytest.fixture
def system(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(SYSTEM)
    return str(path)


def test_everything_on_the_way_is_kept(cli, meeting: Path, system: str, tmp_path: Path) -> None:
    reference, stages = tmp_path / "reference", tmp_path / "stages"
    reference.mkdir()
    Diarization([(0.0, 8.0, "a")], uri="meeting").write(reference / "meeting.rttm")
    options = ["--system", system, "--stages", str(stages), "--reference", str(reference)]
    outcome = cli("diarize", str(meeting), *options, "--format", "console")
    assert outcome.code == 0, outcome.stderr
    embeddings = np.load(stages / "embeddings" / "meeting.npy")
    labels = np.load(stages / "clustering" / "meeting.npy")
    assert embeddings.shape == (1, 192)
    assert labels.shape == (1,)
    turns = Diarization.read(stages / "rttm_predictions" / "meeting.rttm")
    assert len(turns.speakers) == len(set(labels[labels >= 0].tolist()))
    metrics = json.loads((stages / "metrics" / "meeting_metrics.json").read_text())
    assert metrics["der"] == pytest.approx(
        metrics["false_alarm"] + metrics["missed"] + metrics["confusion"], abs=1e-9
    )
    assert metrics["seconds"]["total"] == pytest.approx(8.0)
    assert "no collar" in metrics["protocol"]
    first = next(iter(turns))
    assert outcome.stdout.startswith(f"Speaker 0 → 00:00:0{int(first.start)} - ")


def test_several_local_speakers_have_an_axis(cli, meeting: Path, tmp_path: Path) -> None:
    outcome = cli("diarize", str(meeting), "--quality", "fast", "--stages", str(tmp_path), "-q")
    assert outcome.code == 0, outcome.stderr
    embeddings = np.load(tmp_path / "embeddings" / "meeting.npy")
    assert embeddings.shape[1:] == (3, 20, 192)  # local speakers, pieces of half a second
    assert np.load(tmp_path / "clustering" / "meeting.npy").shape == embeddings.shape[:3]
    assert not (tmp_path / "metrics").exists()


def test_a_recording_without_reference_is_named_before_the_work(
    cli, meeting: Path, system: str, tmp_path: Path
) -> None:
    Diarization([(0.0, 1.0, "a")], uri="other").write(tmp_path / "other.rttm")
    options = [
        "--system",
        system,
        "--stages",
        str(tmp_path / "s"),
        "--reference",
        str(tmp_path / "other.rttm"),
    ]
    outcome = cli("diarize", str(meeting), *options)
    assert outcome.code == 3
    assert "no reference for 'meeting'; there are: other" in outcome.stderr
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reference", "a.rttm"], "give that as well"),
        (["--stages", "s", "--channels", "split"], "channels that are split have one each"),
        (["--stages", "s", "--system", "lium-clr"], "lium-clr embeds no windows"),
    ],
)
def test_what_cannot_be_kept_is_refused(cli, meeting: Path, options: list[str], message: str) -> None:
    outcome = cli("diarize", str(meeting), *options)
    assert outcome.code == 2
    assert message in outcome.stderr
