import os
import stat
from pathlib import Path

import pytest

from tertulia import formats
from tertulia.errors import InputError, OutputError, UsageError
from tertulia.timeline import Diarization

TALK = Diarization([(0, 1, "ana"), (2, 3, "bo")], uri="talk")
LINES = (
    "SPEAKER talk 1 0.000 1.000 <NA> <NA> ana <NA> <NA>\nSPEAKER talk 1 2.000 1.000 <NA> <NA> bo <NA> <NA>\n"
)


def test_write_replaces_what_was_there_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "talk.rttm"
    path.write_text("old")
    TALK.write(path)
    assert path.read_bytes() == LINES.encode()
    assert os.listdir(tmp_path) == ["talk.rttm"]


def test_a_format_by_name_goes_before_the_extension(tmp_path):
    path = tmp_path / "talk.json"
    formats.write(TALK, str(path), "rttm")
    assert path.read_text() == LINES
    assert formats.read(str(path), "rttm") == TALK
    assert formats.read_many(str(path), "rttm") == {"talk": TALK}


@pytest.mark.parametrize("kind", ["open", "replace", "write"])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, kind):
    path = tmp_path / "talk.rttm"
    path.write_text("old")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    if kind == "write":
        opened = Path.open

        def open_full(self, *args, **kwargs):
            file = opened(self, *args, **kwargs)
            return Full(file)

        class Full:
            def __init__(self, file):
                self.file = file

            def __enter__(self):
                return self

            def __exit__(self, *_):
                self.file.close()

            write = full

        monkeypatch.setattr(Path, "open", open_full)
    else:
        monkeypatch.setattr(Path, kind, full)
    with pytest.raises(OutputError, match=r"cannot write .*talk\.rttm: No space left on device"):
        TALK.write(path)
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["talk.rttm"]


def test_an_interruption_leaves_nothing_either(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        TALK.write(tmp_path / "talk.rttm")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_are_what_the_umask_says(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        TALK.write(tmp_path / "talk.rttm")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "talk.rttm").stat().st_mode) == mode


@pytest.mark.skipif(os.name != "posix", reason="links and devices of POSIX")
def test_links_are_followed_and_devices_stay_devices(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "talk.rttm"
    link.symlink_to(tmp_path / "real" / "file.rttm")
    TALK.write(link)
    assert link.is_symlink()
    assert (tmp_path / "real" / "file.rttm").read_text() == LINES
    reader, writer = os.pipe()
    formats.write(TALK, f"/dev/fd/{writer}", "rttm")
    os.close(writer)
    with os.fdopen(reader) as pipe:
        assert pipe.read() == LINES


def test_a_long_file_name_is_no_obstacle(tmp_path):
    path = tmp_path / ("x" * 250 + ".rttm")
    TALK.write(path)
    assert formats.read(path) == TALK


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="No such file or directory"):
        TALK.write(tmp_path / "none" / "talk.rttm")
    (tmp_path / "folder.rttm").mkdir()
    with pytest.raises(OutputError, match="it is a directory"):
        TALK.write(tmp_path / "folder.rttm")
    with pytest.raises(OutputError, match="it is a directory"):
        formats.write(TALK, "/", "rttm")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory"):
        TALK.write(tmp_path / "file" / "talk.rttm")


def test_text_that_cannot_be_encoded(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*: '\\udce9' is not text"):
        Diarization([(0, 1, "caf\udce9")]).write(tmp_path / "talk.csv")
    assert os.listdir(tmp_path) == []


def test_a_name_that_does_not_fit_leaves_the_old_file(tmp_path):
    path = tmp_path / "talk.srt"
    path.write_text("old")
    with pytest.raises(OutputError, match="cannot carry the speaker name"):
        Diarization([(0, 1, "a\nb")]).write(path)
    assert path.read_text() == "old"


def test_places_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*talk\.srt: No such file"):
        formats.read(tmp_path / "talk.srt")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InputError, match="Is a directory"):
        formats.read_many(tmp_path / "folder.json")


@pytest.mark.parametrize("call", [formats.read, formats.read_many, lambda *a: formats.write(TALK, *a)])
def test_unknown_names_and_extensions_list_the_known_ones(call, tmp_path):
    with pytest.raises(UsageError, match="unknown format 'mp3'; there is: audacity, audioseg, console, csv,"):
        call(tmp_path / "talk.rttm", "mp3")
    for name in ("talk.mp3", "talk", "rttm", "pyannote-3.1"):
        with pytest.raises(
            UsageError, match=r"ends in no known extension; there is: \.txt \(text\), \.rttm \(rttm\)"
        ):
            call(tmp_path / name)


@pytest.mark.parametrize(
    ("path", "name", "stem"),
    [
        ("a.json", "json", "a"),
        ("a.pyannote.json", "pyannote-json", "a"),
        ("dir.rttm/a.b.audacity.txt", "audacity", "a.b"),
        ("A.TXT", "text", "A"),
        ("a.console.txt", "console", "a"),
    ],
)
def test_the_longest_extension_counts(path, name, stem):
    assert formats.by_extension(path).name == name
    assert formats.stem(path) == stem


def test_other_files_have_no_format():
    assert formats.by_extension("out/pyannote-3.1") is None
    assert formats.stem("talk.v2.wav") == "talk.v2"


def test_public_names_exist():
    assert all(hasattr(formats, name) for name in formats.__all__)


@pytest.mark.parametrize("name", sorted(formats.FORMATS))
def test_ten_thousand_turns_take_well_under_a_second(name, tmp_path):
    import time

    talk = Diarization([(i * 2.0, i * 2.0 + 1.5, f"S{i % 6}") for i in range(10_000)])
    path = tmp_path / f"long.{formats.FORMATS[name].extension}"
    began = time.process_time()
    talk.write(path)
    again = formats.read(path)
    assert time.process_time() - began < 1.5
    assert len(again) == 10_000
