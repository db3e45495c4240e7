import gc
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tertulia.audio import Limits, open_audio, read
from tertulia.audio import source as source_module
from tertulia.audio.child import Child, commands, ffmpeg_command
from tertulia.audio.decode import missing_end
from tertulia.errors import AudioError

RATE = 16_000
TONE = (0.3 * np.sin(2 * np.pi * 300 * np.arange(RATE * 8) / RATE)).astype(np.float32)
TONE += np.random.default_rng(0).normal(0, 0.02, len(TONE)).astype(np.float32)
KINDS = {
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "aiff": ("AIFF", "PCM_16"),
}
HANG = (  # 58 bytes on which libsndfile 1.2.2 never returns; A-law, so that the own reader leaves it alone
    b"RIFF\x32\0\0\0WAVEfmt \x10\0\0\0\x06\0\x01\0\x80\x3e\0\0\x80\x3e\0\0\x01\0\x08\0"
    b"LIST\x0e\0\0\0INFOabcd\xf7\xff\xff\xff\0\0"
)
has_av = pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="av is not installed")
has_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not on the PATH")


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    gc.collect()
    assert list(folder.iterdir()) == []


@pytest.fixture
def started(monkeypatch):
    """The decoders a test has started, which must all be gone at its end."""
    children = []

    class Watched(Child):
        def __init__(self, *args):
            super().__init__(*args)
            children.append(self)

    monkeypatch.setattr(source_module, "Child", Watched)
    yield children
    gc.collect()
    assert all(child._process.returncode is not None for child in children)
    assert not any(thread.is_alive() for child in children for thread in child._threads)


@pytest.fixture
def only(monkeypatch):
    """Leave one way of decoding: the child as it is, without `av`, or ffmpeg."""

    def choose(which):
        def chosen(path, limits):
            python, *ffmpeg = commands(path, limits)
            return ffmpeg if which == "ffmpeg" else [python]

        monkeypatch.setattr(source_module, "commands", chosen)

    return choose


def encoded(kind: str, values=TONE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, values, RATE, format=KINDS[kind][0], subtype=KINDS[kind][1])
    return file.getvalue()


# ── formats ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_compressed_files_by_content_not_by_name(kind, tmp_path, started):
    path = tmp_path / "Besprechung é 1.wav"
    path.write_bytes(encoded(kind))
    expected, rate = soundfile.read(io.BytesIO(path.read_bytes()), dtype="float32")
    with open_audio(path, sample_rate=None) as recording:
        assert recording.sample_rate == rate
        # libmpg123 rounds by the size of what is asked for
        np.testing.assert_allclose(np.concatenate(list(recording), axis=1)[0], expected, atol=1e-6)
        assert recording.duration == pytest.approx(8, abs=0.1)
    assert recording.messages == ()
    assert len(started) == 1


@pytest.mark.parametrize("name", ["x.raw", "x.vox", "x.flac", "x"])
def test_no_extension_is_believed(name, tmp_path):
    (tmp_path / name).write_bytes(encoded("flac"))
    assert read(tmp_path / name).duration == 8
    (tmp_path / name).write_text("not sound at all\n" * 1_000)
    with pytest.raises(AudioError, match="is not audio that can be decoded"):
        read(tmp_path / name)


@pytest.mark.parametrize("wrap", [bytes, io.BytesIO])
def test_compressed_streams_are_spooled_and_the_copy_is_deleted(wrap, started):
    assert read(wrap(encoded("flac"))).duration == 8


def test_spooling_is_bounded():
    with pytest.raises(AudioError, match="bytes: goes on past 1000 bytes"):
        read(encoded("flac"), limits=Limits(spool_bytes=1_000))


def test_stereo_comes_in_order():
    values = np.stack([TONE, np.zeros_like(TONE)], axis=1)
    wave = read(encoded("flac", values), channels="split")
    assert wave.channels == 2
    assert not wave.samples[1].any()
    assert wave.samples[0].any()


@pytest.fixture(scope="module")
def m4a():
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "x.flac").write_bytes(encoded("flac"))
        subprocess.run(
            ["ffmpeg", "-v", "error", "-i", path / "x.flac", "-c:a", "aac", path / "x.m4a"],
            check=True,
        )
        return (path / "x.m4a").read_bytes()


@has_ffmpeg
@pytest.mark.parametrize("which", [pytest.param("av", marks=has_av), "ffmpeg"])
def test_what_libsndfile_does_not_know(which, m4a, only, started):
    only(which)
    with open_audio(m4a) as recording:
        samples = np.concatenate(list(recording), axis=1)[0]
    assert recording.messages == ()
    assert len(samples) == pytest.approx(len(TONE), abs=2_048)
    assert np.corrcoef(samples[: len(TONE)], TONE)[0, 1] > 0.9


@has_av
def test_av_reads_what_av_wrote(only):
    import av

    only("av")
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(TONE[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    wave = read(file.getvalue())
    assert wave.duration == pytest.approx(8, abs=0.2)
    assert np.abs(wave.samples).max() > 0.2


# ── truncation ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_files_give_what_there_is_and_say_so(kind):
    content = encoded(kind)
    with open_audio(content[: len(content) * 6 // 10]) as recording:
        seconds = sum(block.shape[1] for block in recording) / RATE
    assert 3 < seconds < 6
    assert any("truncated" in message for message in recording.messages)


def test_ogg_page_check(tmp_path):
    content = encoded("ogg")
    for end, fault in [
        (len(content), False),
        (len(content) - 1, True),
        (len(content) // 2, True),
        (20, True),
    ]:
        (tmp_path / "x.ogg").write_bytes(content[:end])
        assert bool(missing_end(str(tmp_path / "x.ogg"))) is fault


@has_ffmpeg
def test_damage_inside_is_survived_by_ffmpeg(m4a, only):
    only("ffmpeg")
    damaged = bytearray(m4a)
    middle = len(m4a) // 2
    damaged[middle : middle + 2_000] = bytes(2_000)
    with open_audio(bytes(damaged)) as recording:
        assert sum(block.shape[1] for block in recording) / RATE > 6
    assert recording.messages
    assert not any("0x" in message for message in recording.messages)  # the same text every time


# ── what is not audio ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "content", [b"hello world\n" * 99, b"x", bytes(5_000), b"RIFFxxxxWAV", b"OggS", b"fLaC"]
)
def test_not_audio(content, tmp_path, started):
    path = tmp_path / "text.wav"
    path.write_bytes(content)
    begin = time.perf_counter()
    with pytest.raises(AudioError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: is not audio that can be decoded (soundfile: ")
    assert len(str(caught.value)) < 400 + len(str(path))
    assert time.perf_counter() - begin < 10


def test_the_hint_names_what_would_help(monkeypatch):
    monkeypatch.setattr(source_module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(AudioError, match=r"pip install 'tertulia\[media\]'` or ffmpeg"):
        read(b"not audio")


PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile '{}'\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXTINF:8,\n{}\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize(
    "which", [pytest.param("av", marks=has_av), pytest.param("ffmpeg", marks=has_ffmpeg)]
)
def test_play_lists_open_no_other_file(kind, which, only, tmp_path):
    only(which)
    other = tmp_path / "other.flac"
    other.write_bytes(encoded("flac"))
    for name in (f"list.{kind}", "list.wav"):
        (tmp_path / name).write_text(PLAYLISTS[kind].format(other))
        with pytest.raises(AudioError, match="is not audio that can be decoded"):
            read(tmp_path / name)


@has_ffmpeg
def test_the_play_list_would_work_without_the_white_list(tmp_path):
    (tmp_path / "other.flac").write_bytes(encoded("flac"))
    (tmp_path / "list.ffconcat").write_text("ffconcat version 1.0\nfile other.flac\n")
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", tmp_path / "list.ffconcat", "-f", "wav", "pipe:1"]
    assert len(subprocess.run(command, capture_output=True, check=True).stdout) > 100_000


def test_ffmpeg_is_called_with_white_lists():
    command = " ".join(ffmpeg_command("/usr/bin/ffmpeg", Path("-x.m4a"), Limits()))
    assert "-nostdin" in command
    assert "-protocol_whitelist" in command
    assert f"file:{os.path.abspath('-x.m4a')}" in command
    listed = command.split("-format_whitelist")[1].strip(' ",').split(" ")[0].strip('",').split(",")
    assert {"mov", "matroska"} <= set(listed)
    assert not {"concat", "hls", "dash", "sdp", "lavfi", "image2", "tedcaptions", "imf"} & set(listed)


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_file_that_hangs_libsndfile_ends_in_an_error(tmp_path, started):
    path = tmp_path / "hang.wav"
    path.write_bytes(HANG)
    assert path.stat().st_size == 58
    begin = time.perf_counter()
    with pytest.raises(AudioError) as caught:
        read(path, limits=Limits(stall_seconds=1.5))
    assert time.perf_counter() - begin < 10
    assert str(caught.value).startswith(f"{path}: ")
    assert Limits().stall_seconds <= 8  # the same, by default, within ten seconds


def test_the_pcm_version_of_it_never_reaches_libsndfile(started):
    with pytest.raises(AudioError, match="ends before its samples"):
        read(HANG.replace(b"\x10\0\0\0\x06\0", b"\x10\0\0\0\x01\0").replace(b"\x01\0\x08\0", b"\x02\0\x10\0"))
    assert not started


def script(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def test_a_silent_decoder_is_killed():
    child = Child(script("import time; time.sleep(60)"), 0.5)
    with pytest.raises(AudioError, match=r"the decoder gave nothing for 0\.5 s"):
        child.read(10)
    assert child._process.returncode is not None


def test_a_decoder_that_gets_no_core_is_waited_for(monkeypatch):
    waited = iter([0.0, 0.2, 0.5, *[60.0] * 99])
    monkeypatch.setattr(Child, "_starved", lambda self: next(waited))
    child = Child(script("import time; time.sleep(1.5); print('x')"), 0.5)
    assert child.read(1) == b"x"
    child.close()


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="Linux tells")
def test_waiting_for_a_core_is_told_from_sleeping():
    sleeping = Child(script("import time; print('x', flush=True); time.sleep(30)"), 5)
    assert sleeping.read(1) == b"x"
    before = sleeping._starved()
    time.sleep(0.3)
    assert 0 <= before <= sleeping._starved() <= before + 0.2
    sleeping.close()
    assert sleeping._starved() == 0, "the process has gone"


def test_a_slow_consumer_is_no_stall_and_the_lead_is_bounded():
    endless = script("import os\nwhile True: os.write(1, bytes(1 << 16))")
    child = Child(endless, 0.3)
    assert child.read(1)
    time.sleep(0.8)
    assert child._chunks.qsize() == 16  # full, and waiting
    assert child.read(1 << 20)
    child.close()
    assert child._process.returncode is not None


def test_output_and_report_come_through():
    child = Child(
        script("import sys; sys.stdout.write('abc'); sys.stderr.write('one\\ntwo @ 0xaf\\none\\n')"), 5
    )
    assert child.read(2) + child.read(9) == b"abc"
    assert child.read(1) == child.read(1) == b""
    assert child.report() == ("one", "two")
    child.close()


def test_chatter_neither_blocks_nor_grows():
    child = Child(script("import sys\nfor i in range(99999): print(i, file=sys.stderr)"), 5)
    assert child.read(1) == b""
    assert child.report()[-1] == "99998"
    assert len(child._report) <= 1 << 14
    child.close()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_crash_is_reported():
    child = Child(script("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), 5)
    assert child.read(1) == b""
    assert child.report() == ("damaged: the decoder died of signal 11",)
    child.close()


def test_a_decoder_that_cannot_start():
    with pytest.raises(AudioError, match="needs a decoder, and /no/such cannot be started"):
        Child(["/no/such"], 5)


def test_leaving_early_ends_the_decoder(started, tmp_path):
    (tmp_path / "x.flac").write_bytes(encoded("flac", np.tile(TONE, 60)))
    with open_audio(tmp_path / "x.flac") as recording:
        next(recording)
        assert started[0]._process.poll() is None
    assert started[0]._process.returncode is not None


def test_an_interruption_ends_the_decoder(started, tmp_path):
    (tmp_path / "x.flac").write_bytes(encoded("flac", np.tile(TONE, 60)))
    recording = open_audio(tmp_path / "x.flac")
    next(recording)

    def interrupted(size):
        raise KeyboardInterrupt

    started[0].read = interrupted
    with pytest.raises(KeyboardInterrupt):
        next(recording)
    assert started[0]._process.returncode is not None


def test_a_forgotten_recording_ends_its_decoder(started, tmp_path):
    (tmp_path / "x.flac").write_bytes(encoded("flac", np.tile(TONE, 60)))
    open_audio(tmp_path / "x.flac")
    gc.collect()
    assert started[0]._process.returncode is not None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_of_the_decoder_is_limited(tmp_path, started):
    (tmp_path / "x.flac").write_bytes(encoded("flac", np.tile(TONE, 60)))
    with open_audio(tmp_path / "x.flac", limits=Limits(decoder_bytes=1 << 30)) as recording:
        next(recording)
        limits = Path(f"/proc/{started[0]._process.pid}/limits").read_text()
    address_space = next(line for line in limits.splitlines() if line.startswith("Max address space"))
    assert str(1 << 30) in address_space
    with pytest.raises(AudioError):
        read(tmp_path / "x.flac", limits=Limits(decoder_bytes=1 << 20))


def test_the_decoder_imports_nothing_of_the_package():
    text = Path(sys.modules["tertulia.audio.decode"].__file__).read_text(encoding="utf-8")
    assert "import tertulia" not in text
    assert "from tertulia" not in text


def test_the_decoder_starts_fast(tmp_path):
    (tmp_path / "x.flac").write_bytes(encoded("flac", TONE[:1_600]))
    durations = []
    for _ in range(3):
        begin = time.perf_counter()
        read(tmp_path / "x.flac")
        durations.append(time.perf_counter() - begin)
    assert min(durations) < 1.0  # about 0.1 s on an idle machine
