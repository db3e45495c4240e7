from __future__ import annotations

import io

import numpy as np
import pytest

from tertulia.cli import main
from tertulia.formats import npy
from tertulia.timeline import Diarization


def test_turns_become_ones():
    found = npy.matrix(Diarization([(0.0, 0.16, "a"), (0.08, 0.3, "b")], duration=0.4))
    np.testing.assert_array_equal(found, [[1, 0], [1, 1], [0, 1], [0, 1], [0, 0]])
    assert npy.matrix(Diarization()).shape == (0, 0)
    assert npy.matrix(Diarization([(0.0, 0.16, "a")])).shape == (2, 1)


def test_probabilities_are_written_as_they_are():
    given = np.array([[0.25, 0.5], [0.75, 1.0]])
    diarization = Diarization([(0.0, 0.16, "a")], activity=given)
    loaded = np.load(io.BytesIO(npy.dumps(diarization)), allow_pickle=False)
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, given)
    assert diarization.rename({"a": "b"}).activity is None
    with pytest.raises(ValueError, match="activity has shape"):
        Diarization(activity=np.zeros(3))


def test_the_command_line_writes_it(recording, tmp_path, capfdbinary):
    assert main(["diarize", str(recording), "-o", str(tmp_path / "a.npy"), "-q"]) == 0
    one = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert one.shape[0] == 375
    assert set(np.unique(one)) == {0.0, 1.0}
    assert main(["diarize", str(recording), "--format", "npy,rttm", "-o", str(tmp_path / "out"), "-q"]) == 0
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".npy", ".rttm"}
    capfdbinary.readouterr()
    assert main(["diarize", str(recording), "--format", "npy", "-q"]) == 0
    np.testing.assert_array_equal(np.load(io.BytesIO(capfdbinary.readouterr().out), allow_pickle=False), one)


def test_several_do_not_fit_standard_output(recording, tmp_path, capsys):
    other = tmp_path / "other.wav"
    other.write_bytes(recording.read_bytes())
    assert main(["diarize", str(recording), str(other), "--format", "npy"]) == 2
    assert "npy holds one recording" in capsys.readouterr().err
