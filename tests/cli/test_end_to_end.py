"""The whole way with the bundled networks: the bundled recording, and every kind of bad input."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tertulia
from tertulia import formats

EXAMPLES = Path(__file__).parents[2] / "examples"
RECORDING, REFERENCE = EXAMPLES / "conversation.flac", EXAMPLES / "conversation.rttm"
COMMAND = [sys.executable, "-m", "tertulia"]
SECONDS = 10  # in which every bad input has its answer


@pytest.fixture
def loaded(monkeypatch, default):
    """Do not load the networks again in tests that stay in this process."""
    monkeypatch.setattr(tertulia, "load", lambda system, **options: default)


def wav(samples, rate=16_000, promised: int | None = None) -> bytes:
    """Bytes of a WAV file: samples (n,) or (n, channels), `promised` bytes of data in its header."""
    samples = np.asarray(samples)
    is_float = samples.dtype.kind == "f"
    data = samples.astype("<f4" if is_float else "<i2").tobytes()
    channels, width = (samples.shape[1] if samples.ndim == 2 else 1), 4 if is_float else 2
    head = struct.pack(
        "<HHIIHH", 3 if is_float else 1, channels, rate, rate * channels * width, channels * width, 8 * width
    )
    size = len(data) if promised is None else promised
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", min(36 + size, 2**32 - 1)) + body


def noise(seconds, rate=16_000):
    return (np.random.default_rng(0).standard_normal(round(seconds * rate)) * 3000).astype(np.int16)


def spoiled():
    samples = noise(2).astype(np.float32) / 32768
    samples[1000:1100], samples[5000] = np.nan, np.inf
    return samples


def turns(text: str) -> list[str]:
    return [line.partition("  ")[2] for line in text.splitlines()]


# ── the bundled recording, in a process of its own ───────────────────────────────────────────────────


def test_the_recording_from_file_to_score(tmp_path):
    run = subprocess.run(
        [*COMMAND, "diarize", RECORDING, "-o", tmp_path / "out", "--format", "rttm,json,srt"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == ""
    written = formats.read(tmp_path / "out" / "conversation.rttm")
    assert len(written.speakers) == 2
    assert formats.read(tmp_path / "out" / "conversation.json") == written
    run = subprocess.run(
        [*COMMAND, "evaluate", REFERENCE, tmp_path / "out" / "conversation.rttm", "--json"],
        capture_output=True,
        check=True,
    )
    assert json.loads(run.stdout)["overall"]["der"] < 0.15


def test_a_pipe_gives_what_the_file_gives(cli, loaded, tmp_path):
    with RECORDING.open("rb") as sound:
        run = subprocess.run([*COMMAND, "diarize", "-", "-q"], stdin=sound, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert set(turns(run.stdout)) == {"SPEAKER_00", "SPEAKER_01"}
    assert run.stdout == cli("diarize", RECORDING).stdout


def test_bad_files_cost_no_other_its_result(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("This was a letter once.\n" * 100)
    bad = [tmp_path / "empty.wav", tmp_path / "text.wav", tmp_path / "missing.wav", tmp_path]
    run = subprocess.run(
        [*COMMAND, "diarize", *bad[:2], RECORDING, *bad[2:], "-o", tmp_path / "out"],
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
    )
    assert (run.returncode, run.stdout) == (5, "")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["conversation.rttm"]
    complaints = [line for line in run.stderr.splitlines() if "wrote" not in line]
    assert len(complaints) == len(bad)
    assert all(line.startswith(f"tertulia: {path}: ") for line, path in zip(complaints, bad, strict=True))


def _interruptible():
    """What a shell puts in the background ignores Ctrl-C, and so do all its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupting_it_is_quiet_and_exit_code_130(tmp_path):
    command = [*COMMAND, "diarize", "-", "-o", tmp_path / "out.rttm"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, preexec_fn=_interruptible) as process:
        # More than fits into a pipe: once it is written, somebody is reading.
        process.stdin.write(wav(noise(20), promised=2**31))
        process.stdin.flush()
        time.sleep(0.5)  # until it has read that, and waits for more
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        assert process.stderr.read() == b"tertulia: interrupted\n"
        assert process.stdout.read() == b""
    assert list(tmp_path.iterdir()) == []


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────

REFUSED = {
    "empty": b"",
    "text": b"This was a letter once.\n" * 1000,
    "no data": wav(np.zeros(0, np.int16)),
    "header only": wav(noise(1))[:30],
    "1025 channels": wav(np.zeros((1600, 1025), np.int16)),
    "rate of 1 Hz": wav(noise(1), rate=1),
}

ACCEPTED = {
    "truncated": (wav(noise(3))[:50_000], "truncated: decoded 1.6 s of the 3.0 s"),
    "lying header": (wav(noise(2), promised=2**30), "truncated: decoded 2.0 s of the 33554.4 s"),
    "NaN and infinity": (wav(spoiled()), "100 NaN samples replaced by zero"),
    "stereo": (wav(noise(2).reshape(-1, 2)), "mixing 2 channels down to one"),
    "1024 channels": (wav(np.zeros((1600, 1024), np.int16)), "mixing 1024 channels down to one"),
    "8 kHz": (wav(noise(2, 8_000), 8_000), ""),
    "192 kHz": (wav(noise(2, 192_000), 192_000), ""),
    "20 ms": (wav(noise(0.02)), ""),
    "one sample": (wav(noise(1)[:1]), ""),
    "noise": (wav(noise(30)), ""),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_sound_is_bad_input(cli, loaded, tmp_path, kind):
    path = tmp_path / "bad.wav"
    path.write_bytes(REFUSED[kind])
    began = time.perf_counter()
    outcome = cli("diarize", path, "-o", tmp_path / "out")
    assert time.perf_counter() - began < SECONDS
    assert (outcome.code, outcome.stdout) == (3, "")
    assert outcome.stderr.startswith(f"tertulia: {path}: ")
    assert outcome.stderr.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", ACCEPTED)
def test_what_is_odd_gives_what_can_be_had(cli, loaded, tmp_path, kind):
    content, message = ACCEPTED[kind]
    (tmp_path / "odd.wav").write_bytes(content)
    began = time.perf_counter()
    outcome = cli("diarize", tmp_path / "odd.wav", "--format", "json")
    assert time.perf_counter() - began < SECONDS
    assert outcome.code == 0
    assert message in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert json.loads(outcome.stdout)["recording"] == "odd"


def test_silence_is_an_empty_result(cli, loaded, tmp_path):
    (tmp_path / "silence.wav").write_bytes(wav(np.zeros(160_000, np.int16)))
    outcome = cli("diarize", tmp_path / "silence.wav", "--format", "rttm")
    assert (outcome.code, outcome.stdout) == (0, "")
    assert outcome.stderr == f"tertulia: {tmp_path / 'silence.wav'}: nobody speaks\n"


def test_a_directory_is_bad_input(cli, loaded, tmp_path):
    outcome = cli("diarize", tmp_path)
    assert outcome.code == 3
    assert "is a directory" in outcome.stderr


@pytest.mark.parametrize("count", [1, 3])
def test_the_count_is_obeyed(cli, loaded, count):
    outcome = cli("diarize", RECORDING, "--num-speakers", count)
    assert outcome.code == 0
    assert len(set(turns(outcome.stdout))) == count


def test_a_count_that_cannot_be_had_is_a_usage_error(cli, loaded, tmp_path):
    outcome = cli("diarize", RECORDING, "--num-speakers", "50", "-o", tmp_path)
    assert outcome.code == 2
    assert "50 speakers" in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_channel_that_is_not_there_is_a_usage_error(cli, loaded):
    outcome = cli("diarize", RECORDING, "--channels", "1")
    assert outcome.code == 2
    assert "no channel 1; there is: 0" in outcome.stderr


def test_split_keeps_channels_apart(cli, loaded, tmp_path):
    import soundfile

    sound, rate = soundfile.read(RECORDING, dtype="int16")
    stereo = np.stack([sound, np.roll(sound, 5 * rate)], axis=1)
    (tmp_path / "stereo.wav").write_bytes(wav(stereo, rate))
    outcome = cli("diarize", tmp_path / "stereo.wav", "--channels", "split")
    assert outcome.code == 0
    assert set(turns(outcome.stdout)) == {f"SPEAKER_{i:02d}" for i in range(4)}


def test_exclusive_leaves_nobody_talking_over_another(cli, loaded, tmp_path):
    assert cli("diarize", RECORDING, "--exclusive", "-o", tmp_path / "one.rttm").code == 0
    result = formats.read(tmp_path / "one.rttm")
    assert len(result.speakers) == 2
    assert result.overlap.duration == 0


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--format", "docx"], 2, "unknown format 'docx'; there is: "),
        (["--system", "nemo"], 2, "unknown system 'nemo'; there is: "),
        (["--system", "missing.toml"], 2, "missing.toml"),
        (["-o", RECORDING], 3, "it is not a folder"),
        (["-o", RECORDING / "x.rttm"], 3, "cannot write into"),
    ],
)
def test_what_is_refused_says_why(cli, options, code, message):
    outcome = cli("diarize", RECORDING, *options)
    assert (outcome.code, outcome.stdout) == (code, "")
    assert message in outcome.stderr
