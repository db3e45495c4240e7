"""Look-alikes of every layout, in seconds instead of hours."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tertulia.corpora import LAYOUTS, Corpus, open_corpus
from tertulia.errors import FormatError, InputError, MissingExtraError, UsageError
from tertulia.timeline import Timeline

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "diarization"


def files(corpus: Corpus) -> dict[str, dict[str, tuple[str | None, ...]]]:
    """Split → recording → audio, reference and UEM, relative to the root."""

    def shown(path: Path | None) -> str | None:
        return None if path is None else path.relative_to(corpus.root).as_posix()

    return {
        split: {item.uri: (shown(item.audio), shown(item.reference), shown(item.uem)) for item in items}
        for split, items in corpus.splits.items()
    }


def uris(corpus: Corpus) -> dict[str, list[str]]:
    return {split: [item.uri for item in items] for split, items in corpus.splits.items()}


# ── any folder ───────────────────────────────────────────────────────────────────────────────────────────


def test_files_belong_together_by_name(make):
    make.one("wav/a.wav", "ref/a.rttm")
    make.one("wav/b.WAV", "ref/b.RTTM")
    make("ref/a.uem", "a 1 0 1\n")
    corpus = open_corpus(make.root)
    assert (corpus.layout, corpus.name) == ("folder", make.root.name)
    assert files(corpus) == {
        "all": {"a": ("wav/a.wav", "ref/a.rttm", "ref/a.uem"), "b": ("wav/b.WAV", "ref/b.RTTM", None)}
    }


def test_names_may_hold_anything(make):
    for name in ("a[1]*", "b {uri} ?", "c'ñ"):
        make.wav(f"{name}.wav")
        make.rttm(f"{name}.rttm", ("x", 0, 1, "A"))
    make.wav("a1.wav")
    corpus = open_corpus(make.root)
    assert uris(corpus) == {"all": ["a1", "a[1]*", "b {uri} ?", "c'ñ"]}
    by_name = {item.uri: item for item in corpus.items()}
    assert by_name["a[1]*"].reference == make.root / "a[1]*.rttm"
    assert corpus.load_reference(by_name["a[1]*"]).uri == "a[1]*"
    assert by_name["a1"].reference is None


def test_a_file_of_several_recordings_is_shared(make):
    make.wav("a.wav")
    make.wav("b.wav")
    make.rttm("all.rttm", ("a", 0, 1, "A"), ("c", 0, 0.5, "C"), ("c", 0.5, 1, "D"))
    make("all.uem", "a 1 0 1\nc 1 0 0.25\nc 1 0.5 1\n")
    corpus = open_corpus(make.root)
    assert files(corpus)["all"] == {
        "a": ("a.wav", "all.rttm", "all.uem"),
        "b": ("b.wav", None, None),
        "c": (None, "all.rttm", "all.uem"),
    }
    a, _, c = corpus.items()
    assert corpus.load_reference(c).speakers == ("C", "D")
    assert corpus.load_reference(a).speakers == ("A",)
    assert corpus.load_uem(c) == Timeline([(0, 0.25), (0.5, 1)])


def test_shared_files_are_read_once(make):
    make.rttm("all.rttm", ("a", 0, 1, "A"), ("b", 0, 1, "B"))
    corpus = open_corpus(make.root)
    first, second = corpus.items()
    assert corpus.load_reference(first).speakers == ("A",)
    (make.root / "all.rttm").unlink()
    assert corpus.load_reference(second).speakers == ("B",)


def test_a_recording_without_turns_in_a_shared_file_is_silent(make):
    make("lists/train.txt", "a\nb\n")
    for uri in "ab":
        make.wav(f"audio/{uri}.wav")
    make("database.yml", PROTOCOL.replace("rttm/{uri}.rttm", "train.rttm"))
    make.rttm("train.rttm", ("a", 0, 1, "A"))
    make("lists/dev.txt", "")
    corpus = open_corpus(make.root)
    a, b = corpus.items("train")
    assert len(corpus.load_reference(a)) == 1
    assert len(corpus.load_reference(b)) == 0, "the only recording in a file of two is not the other one's"


def test_splits_come_from_lists(make):
    for uri in "abcd":
        make.one(f"audio/{uri}.wav", f"rttm/{uri}.rttm")
    make("lists/train.lst", "a\n\naudio/b.wav extra\na\n")
    make("lists/Dev.txt", "c\nmissing\n")
    make("notes/test.txt", "d")
    corpus = open_corpus(make.root)
    assert uris(corpus) == {"train": ["a", "b"], "dev": ["c", "missing"]}
    assert corpus.items("dev")[1].audio is None


def test_two_lists_of_a_split_are_refused(make):
    make.one("a.wav", "a.rttm")
    make("dev.txt", "a")
    make("lists/development.lst", "a")
    with pytest.raises(InputError, match="split 'dev' has two lists"):
        open_corpus(make.root)


def test_splits_come_from_folders(make):
    make.one("train/a.wav", "train/a.rttm")
    make.one("audio/my_eval-set/b.wav", "rttm/evaluation/b.rttm")
    make.one("c.wav", "rttm/c.rttm")
    make.one("audio/d.wav", "rttm/dev/d.rttm")
    corpus = open_corpus(make.root)
    assert uris(corpus) == {"train": ["a"], "dev": ["d"], "test": ["b"], "other": ["c"]}
    assert files(corpus)["dev"]["d"] == ("audio/d.wav", "rttm/dev/d.rttm", None)


def test_a_shared_file_tells_the_split_by_its_name(make):
    for uri in "ab":
        make.wav(f"{uri}.wav")
        make.rttm(f"{'dev' if uri == 'a' else 'test'}.rttm", (uri, 0, 1, "A"))
    assert uris(open_corpus(make.root)) == {"dev": ["a"], "test": ["b"]}


def test_one_name_in_two_splits_is_two_recordings(make):
    make.one("dev/a.wav", "dev/a.rttm")
    make.one("test/a.wav", "test/a.rttm")
    assert files(open_corpus(make.root)) == {
        split: {"a": (f"{split}/a.wav", f"{split}/a.rttm", None)} for split in ("dev", "test")
    }


def test_the_best_kind_of_audio_is_taken(make):
    make.one("a.wav", "a.rttm")
    make("a.mp4")
    make("v.mp4")
    make.wav("1/b.wav")
    make.wav("2/b.wav")
    assert [(item.uri, item.audio.name) for item in open_corpus(make.root).items()] == [
        ("a", "a.wav"),
        ("b", "b.wav"),
        ("b", "b.wav"),
        ("v", "v.mp4"),
    ]


def test_two_references_of_a_recording_are_refused(make):
    make.one("a.wav", "x/a.rttm")
    make.rttm("y/a.rttm", ("a", 0, 1, "B"))
    with pytest.raises(InputError, match=r"recording 'a' is both in .*x.*a\.rttm and in .*y.*a\.rttm"):
        open_corpus(make.root)


def test_hidden_files_and_circles_of_links_are_left_alone(make):
    make.one("audio/a.wav", "audio/a.rttm")
    make.one(".cache/b.wav", ".cache/b.rttm")
    make.wav("._c.wav")
    os.symlink(make.root, make.root / "audio" / "again")
    assert uris(open_corpus(make.root)) == {"all": ["a"]}


def test_linked_folders_are_followed(make, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("disk")
    make.one("a.wav", "a.rttm")
    (make.root / "a.wav").rename(elsewhere / "a.wav")
    os.symlink(elsewhere, make.root / "audio")
    assert files(open_corpus(make.root))["all"]["a"][0] == "audio/a.wav"


def test_links_to_nowhere_are_missing_files(make):
    make.one("a.wav", "a.rttm")
    os.symlink(make.root / "gone", make.root / "b.wav")
    os.symlink(make.root / "gone", make.root / "c.rttm")
    assert files(open_corpus(make.root))["all"] == {
        "a": ("a.wav", "a.rttm", None),
        "b": ("b.wav", None, None),
        "c": (None, "c.rttm", None),
    }


def test_a_broken_shared_reference_is_an_item_whose_loading_fails(make):
    make.wav("a.wav")
    make("refs.rttm", "SPEAKER a 1 nan 1 <NA> <NA> A <NA> <NA>\n")
    corpus = open_corpus(make.root)
    a, broken = corpus.items()
    assert (a.uri, broken.uri, broken.audio) == ("a", "refs", None)
    with pytest.raises(FormatError, match=r"refs\.rttm:1: a time needs a number"):
        corpus.load_reference(broken)
    with pytest.raises(InputError, match="recording 'a' has no reference"):
        corpus.load_reference(a)


def test_a_folder_of_nothing_and_wrong_calls(make):
    make("README.md")
    with pytest.raises(InputError, match="holds neither audio nor RTTM"):
        open_corpus(make.root)
    with pytest.raises(InputError, match="does not exist"):
        open_corpus(make.root / "nowhere")
    with pytest.raises(InputError, match="is neither a folder nor a manifest"):
        open_corpus(make.root / "README.md")
    with pytest.raises(InputError, match=r"cannot read .*: Not a directory"):
        open_corpus(make.root / "README.md", "folder")
    with pytest.raises(UsageError, match="unknown layout 'kaldi'; there is: ami, callhome"):
        open_corpus(make.root, "kaldi")
    with pytest.raises(UsageError, match="layout 'folder' has nothing to choose"):
        open_corpus(make.root, "folder:x")


def test_splits_that_are_not_there(make):
    make.one("a.wav", "a.rttm")
    with pytest.raises(UsageError, match="unknown split 'dev'; there is: all"):
        open_corpus(make.root).items("dev")


def test_the_values_are_frozen(make):
    make.one("a.wav", "a.rttm")
    corpus = open_corpus(make.root)
    with pytest.raises(AttributeError):
        corpus.name = "other"
    with pytest.raises(TypeError):
        corpus.splits["all"] = ()
    assert all(name == layout.name for name, layout in LAYOUTS.items())


# ── published corpora ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "audio",
    [
        ("audio/dev/abjxc.wav", "audio/test/aepyx.wav"),
        ("audio/abjxc.wav", "voxconverse_test_wav/aepyx.wav"),
        ("voxconverse_dev_wav/audio/abjxc.wav", "voxconverse_test_wav/aepyx.wav"),
    ],
)
def test_voxconverse(make, audio):
    make.one(audio[0], "dev/abjxc.rttm")
    make.one(audio[1], "test/aepyx.rttm")
    corpus = open_corpus(make.root)
    assert corpus.layout == "voxconverse"
    assert files(corpus) == {
        "dev": {"abjxc": (audio[0], "dev/abjxc.rttm", None)},
        "test": {"aepyx": (audio[1], "test/aepyx.rttm", None)},
    }


@pytest.fixture
def ami(make):
    for split, meeting in (("train", "ES2002a"), ("dev", "IS1008b"), ("test", "EN2002c")):
        make(f"AMI-diarization-setup/lists/{split}.meetings.txt", f"{meeting}\n")
        make.rttm(f"AMI-diarization-setup/only_words/rttms/{split}/{meeting}.rttm", (meeting, 0, 1, "MEE005"))
        make.rttm(
            f"AMI-diarization-setup/word_and_vocalsounds/rttms/{split}/{meeting}.rttm", (meeting, 0, 1, "X")
        )
        make(f"AMI-diarization-setup/uems/{split}/{meeting}.uem", f"{meeting} 1 0 1\n")
        make.wav(f"amicorpus/{meeting}/audio/{meeting}.Array1-01.wav")
        make.wav(f"amicorpus/{meeting}/audio/{meeting}.Headset-0.wav")
    make.wav("amicorpus/ES2002a/audio/ES2002a.Mix-Headset.wav")
    make("amicorpus/ES2002a/video/ES2002a.Overhead1.mp4")
    return make


def test_ami(ami):
    corpus = open_corpus(ami.root)
    setup = "AMI-diarization-setup"
    assert corpus.layout == "ami"
    assert list(corpus.splits) == ["train", "dev", "test"]
    assert files(corpus)["train"]["ES2002a"] == (
        "amicorpus/ES2002a/audio/ES2002a.Mix-Headset.wav",
        f"{setup}/only_words/rttms/train/ES2002a.rttm",
        f"{setup}/uems/train/ES2002a.uem",
    )
    assert files(corpus)["test"]["EN2002c"][0] == "amicorpus/EN2002c/audio/EN2002c.Array1-01.wav"


@pytest.mark.parametrize(
    ("microphone", "names"),
    [
        ("array", ["ES2002a.Array1-01.wav", "IS1008b.Array1-01.wav", "EN2002c.Array1-01.wav"]),
        ("headset", ["ES2002a.Mix-Headset.wav", None, None]),
        ("video", ["ES2002a.Overhead1.mp4", None, None]),
    ],
)
def test_the_microphone_of_ami_can_be_chosen(ami, microphone, names):
    items = open_corpus(ami.root, f"ami:{microphone}").items()
    assert [item.audio and item.audio.name for item in items] == names


def test_ami_without_lists_and_with_a_wrong_microphone(make):
    make.one("ES2004a/audio/ES2004a.Mix-Headset.wav", "ref/ES2004a.rttm", "ES2004a")
    corpus = open_corpus(make.root)
    assert (corpus.layout, uris(corpus)) == ("ami", {"all": ["ES2004a"]})
    assert corpus.load_reference(corpus.items()[0]).speakers == ("A",)
    with pytest.raises(UsageError, match="unknown microphone 'ihm'; there is: array, headset"):
        open_corpus(make.root, "ami:ihm")


@pytest.fixture
def dihard(make):
    for split, release in (
        ("dev", "LDC2022S12_Third_DIHARD_Challenge_Development"),
        ("eval", "third_dihard_challenge_eval"),
    ):
        for number in (1, 2):
            uri = f"DH_{split.upper()}_000{number}"
            make.one(f"{release}/data/flac/{uri}.wav", f"{release}/data/rttm/{uri}.rttm")
        full = "".join(f"DH_{split.upper()}_000{number} 1 0 1\n" for number in (1, 2))
        make(f"{release}/data/uem_scoring/full/all.uem", full)
        make(f"{release}/data/uem_scoring/core/all.uem", f"DH_{split.upper()}_0001 1 0 1\n")
    return make


def test_dihard(dihard):
    corpus = open_corpus(dihard.root)
    assert (corpus.layout, uris(corpus)) == (
        "dihard",
        {"dev": ["DH_DEV_0001", "DH_DEV_0002"], "test": ["DH_EVAL_0001", "DH_EVAL_0002"]},
    )
    assert corpus.items("dev")[0].uem.parts[-2:] == ("full", "all.uem")
    assert corpus.load_uem(corpus.items("test")[1]) == Timeline([(0, 1)])


def test_the_core_of_dihard(dihard):
    assert uris(open_corpus(dihard.root, "dihard:core")) == {"dev": ["DH_DEV_0001"], "test": ["DH_EVAL_0001"]}
    with pytest.raises(UsageError, match="unknown partition of DIHARD 'track1'; there is: core, full"):
        open_corpus(dihard.root, "dihard:track1")


def test_one_release_of_dihard_with_uem_for_each_recording(make):
    make.one("data/flac/DH_0001.wav", "data/rttm/DH_0001.rttm")
    make("data/uem/DH_0001.uem", "DH_0001 1 0 1\n")
    corpus = open_corpus(make.root)
    assert files(corpus)["all"]["DH_0001"][2] == "data/uem/DH_0001.uem"
    with pytest.raises(InputError, match="which says what the core is"):
        open_corpus(make.root, "dihard:core")


def test_callhome(make):
    make.wav("wav/iaaa.wav")
    make.wav("wav/iaab.wav")
    make.rttm("sre2000-key/fullref.rttm", ("iaaa", 0, 1, "A"), ("iaaa", 0.5, 1, "B"), ("iaab", 0, 1, "A"))
    assert uris(open_corpus(make.root)) == {"all": ["iaaa", "iaab"]}
    make("sre2000-key/callhome1.list", "iaab\n")
    make("sre2000-key/callhome2.list", "iaaa\n")
    corpus = open_corpus(make.root)
    assert (corpus.layout, uris(corpus)) == ("callhome", {"dev": ["iaab"], "test": ["iaaa"]})
    assert corpus.load_reference(corpus.items("test")[0]).speakers == ("A", "B")
    make.rttm("copy/fullref.rttm")
    with pytest.raises(InputError, match=r"one fullref\.rttm; .* has 2"):
        open_corpus(make.root)


# ── database.yml ─────────────────────────────────────────────────────────────────────────────────────────

PROTOCOL = """
Databases:
  Mine: ["nowhere/{uri}.wav", "audio/{uri}.wav"]
Protocols:
  Mine:
    SpeakerDiarization:
      First:
        train: {uri: lists/train.txt, annotation: "rttm/{uri}.rttm", annotated: "uem/{uri}.uem", lab: "x"}
        development: {uri: lists/dev.txt, annotation: "rttm/{uri}.rttm"}
  X:
    SpeakerDiarization:
      Both: {train: {Mine.SpeakerDiarization.First: [train]}}
"""

# A few lines that would be a million million words, written out.
LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 13))
LAUGHS += "Protocols: *a12\n"


@pytest.fixture
def database(make):
    pytest.importorskip("yaml")
    make("database.yml", PROTOCOL)
    make("lists/train.txt", "b[1]\nseries/a\n")
    make("lists/dev.txt", "c\n")
    make.wav("audio/series/a.wav")
    make.wav("audio/b[1].wav")
    make("uem/b[1].uem", "b[1] NA 0 0.5\n")
    return make


def test_a_database_of_pyannote(database):
    corpus = open_corpus(database.root)
    assert (corpus.layout, corpus.name) == ("pyannote", "Mine.SpeakerDiarization.First")
    assert files(corpus) == {
        "train": {
            "b[1]": ("audio/b[1].wav", "rttm/b[1].rttm", "uem/b[1].uem"),
            "series/a": ("audio/series/a.wav", "rttm/series/a.rttm", "uem/series/a.uem"),
        },
        "dev": {"c": (None, "rttm/c.rttm", None)},
    }
    assert corpus.load_uem(corpus.items("train")[0]) == Timeline([(0, 0.5)])
    assert open_corpus(database.root / "database.yml").splits == corpus.splits


def test_a_protocol_has_to_be_chosen_among_several(database):
    more = PROTOCOL.replace("  X:", "      Second: {test: {uri: lists/dev.txt}}\n  X:")
    database("database.yml", more)
    with pytest.raises(UsageError, match=r"First, pyannote:Mine\.SpeakerDiarization\.Second"):
        open_corpus(database.root)
    with pytest.raises(UsageError, match="unknown layout 'pyannote:Third'; there is: pyannote:Mine"):
        open_corpus(database.root, "pyannote:Third")
    corpus = open_corpus(database.root, "pyannote:Mine.SpeakerDiarization.Second")
    assert uris(corpus) == {"test": ["c"]}


def test_a_star_in_a_pattern_stands_for_part_of_a_name_only(database):
    database("database.yml", PROTOCOL.replace("nowhere/{uri}.wav", "a*o/{uri}*.wav"))
    assert files(open_corpus(database.root))["train"]["b[1]"][0] == "audio/b[1].wav"


def test_absolute_patterns(database):
    database("database.yml", PROTOCOL.replace("nowhere/", f"{database.root}/audio/"))
    assert open_corpus(database.root).items("train")[0].audio == database.root / "audio" / "b[1].wav"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "the file needs to be a table of names; got"),
        ("a: [", "not a YAML file"),
        (LAUGHS, "Protocols needs to be a table of names; got a list"),
        ("!!python/object/apply:os.system ['true']", "not a YAML file"),
        ("Databases: {}", "Protocols needs to be a table of names; got None"),
        ("Protocols: {M: {Collection: {A: {}}}}", "has no protocol of SpeakerDiarization"),
        (PROTOCOL.replace("{uri}.wav", "{uri.__class__}.wav"), r"has the placeholder \{uri.__class__\}"),
        (PROTOCOL.replace("nowhere", "**"), r"has \*\*"),
        (PROTOCOL.replace("uri: lists/train.txt", "uri: 3"), "a path is needed; got 3"),
        (
            PROTOCOL.replace('["nowhere/{uri}.wav", "audio/{uri}.wav"]', "3"),
            "a pattern or a list of them; got 3",
        ),
        (PROTOCOL.replace("lists/train.txt", "lists/none.txt"), r"none\.txt does not exist"),
    ],
)
def test_what_is_wrong_with_a_database(database, text, message):
    database("database.yml", text)
    with pytest.raises(InputError, match=message):
        open_corpus(database.root)


def test_yaml_is_an_extra(database, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tertulia\[yaml\]'"):
        open_corpus(database.root)


# ── lhotse ───────────────────────────────────────────────────────────────────────────────────────────────


def lhotse_recording(uri: str, source: str, kind: str = "file") -> dict[str, object]:
    sources = [{"type": kind, "channels": [0], "source": source}]
    return {"id": uri, "sources": sources, "sampling_rate": 8000, "num_samples": 8000, "duration": 1.0}


def supervision(uri: str, start: float, duration: float, speaker: str | None) -> dict[str, object]:
    return {
        "id": "s",
        "recording_id": uri,
        "start": start,
        "duration": duration,
        "channel": 0,
        "speaker": speaker,
    }


def test_lhotse(make):
    audio = make.wav("audio/a.wav")
    make.wav("manifests/b.wav")
    make.lines("manifests/x_recordings_dev.jsonl.gz", lhotse_recording("a-1", str(audio)))
    make.lines(
        "manifests/x_supervisions_dev.jsonl.gz",
        supervision("a-1", 0.1, 0.2, "A"),
        supervision("a-1", 0.2, 0.3, "B"),
    )
    make.lines("manifests/x_recordings_test.jsonl", lhotse_recording("b", "b.wav"))
    corpus = open_corpus(make.root / "manifests")
    assert (corpus.layout, corpus.name) == ("lhotse", "x")
    assert uris(corpus) == {"dev": ["a-1"], "test": ["b"]}
    a, b = corpus.items()
    assert (a.audio, b.audio, b.reference) == (audio, make.root / "manifests" / "b.wav", None)
    reference = corpus.load_reference(a)
    assert [(turn.start, turn.end, turn.speaker) for turn in reference] == [(0.1, 0.3, "A"), (0.2, 0.5, "B")]
    assert uris(open_corpus(make.root / "manifests" / "x_recordings_dev.jsonl.gz")) == {"dev": ["a-1"]}


def test_a_corpus_has_to_be_chosen_among_several_of_lhotse(make):
    make.lines("ami-ihm_recordings_dev.jsonl", lhotse_recording("a", "a.wav"))
    make.lines("ami-sdm_recordings_dev.jsonl", lhotse_recording("b", "b.wav"))
    with pytest.raises(UsageError, match="lhotse:ami-ihm, lhotse:ami-sdm"):
        open_corpus(make.root)
    assert uris(open_corpus(make.root, "lhotse:ami-sdm")) == {"dev": ["b"]}
    make("empty/x")
    with pytest.raises(InputError, match="holds no manifests of lhotse"):
        open_corpus(make.root / "empty", "lhotse")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (lhotse_recording("a", "touch HACKED |", "command"), "a source needs the type 'file'; got 'command'"),
        (lhotse_recording("a", "https://example.org/a.wav", "url"), "got 'url'"),
        ({"id": "a", "sources": []}, "'sources' needs to be a list of one file"),
        (lhotse_recording("\ud800", "a.wav"), r"'id' needs to be text; got '\\ud800'"),
        ({"id": 3, "sources": [{"type": "file", "source": "a.wav"}]}, "'id' needs to be text; got 3"),
    ],
)
def test_recordings_of_lhotse_that_are_refused(make, record, message):
    make.lines("recordings.jsonl", lhotse_recording("z", "z.wav"), record)
    with pytest.raises(FormatError, match=rf"recordings\.jsonl:2: .*{message}"):
        open_corpus(make.root)
    assert not list(make.root.rglob("HACKED"))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (supervision("a", -1, 1, "A"), "a time needs a number of seconds"),
        (supervision("a", 0, 1, None), "'speaker' needs to be text; got None"),
        ({"start": 0, "duration": 1, "speaker": "A"}, "'recording_id' needs to be text"),
        ([1], "one object a line"),
    ],
)
def test_supervisions_that_are_refused(make, record, message):
    make.lines("recordings.jsonl", lhotse_recording("a", "a.wav"))
    make.lines("supervisions.jsonl", supervision("a", 0, 1, "A"), record)
    corpus = open_corpus(make.root)
    with pytest.raises(FormatError, match=rf"supervisions\.jsonl:2: .*{message}"):
        corpus.load_reference(corpus.items()[0])


def test_damaged_gzip_and_json(make):
    path = make.lines("recordings.jsonl.gz", lhotse_recording("a", "a.wav"))
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(FormatError, match="not a whole gzip file"):
        open_corpus(path, "lhotse")
    path.write_bytes(b"no gzip")
    with pytest.raises(FormatError, match="not a whole gzip file"):
        open_corpus(path, "lhotse")
    path = make("recordings.jsonl", '{"a": ' + "[" * 100_000)
    with pytest.raises(FormatError, match=r"recordings\.jsonl:1: this is not JSON"):
        open_corpus(path, "lhotse")


# ── NeMo ─────────────────────────────────────────────────────────────────────────────────────────────────


def nemo_line(audio: str, **fields: object) -> dict[str, object]:
    return {"audio_filepath": audio, "offset": 0, "duration": None, "label": "infer", "text": "-", **fields}


def test_nemo(make):
    make.one("audio/a.Mix-Headset.wav", "rttm/a.rttm", "TS3012d.Mix-Headset")
    a = nemo_line(
        "../audio/a.Mix-Headset.wav", num_speakers=1, rttm_filepath="../rttm/a.rttm", uem_filepath=None
    )
    make.lines("manifests/train_manifest.json", a)
    make.lines("manifests/dev_manifest.json", nemo_line("/nowhere/b.wav", duration=0.5))
    corpus = open_corpus(make.root / "manifests")
    assert (corpus.layout, uris(corpus)) == ("nemo", {"train": ["a.Mix-Headset"], "dev": ["b"]})
    (item,), (other,) = corpus.items("train"), corpus.items("dev")
    assert (item.num_speakers, corpus.load_uem(item)) == (1, None)
    assert corpus.load_reference(item).speakers == ("A",), "the only recording in it, whatever its name"
    assert (other.audio, corpus.load_uem(other)) == (Path("/nowhere/b.wav"), Timeline([(0, 0.5)]))


def test_parts_of_one_recording_are_one_recording(make):
    make.one("a.wav", "a.rttm")
    make("a.uem", "a 1 0.25 1\n")
    parts = [
        nemo_line(
            "a.wav",
            offset=offset,
            duration=0.25,
            rttm_filepath="a.rttm",
            uem_filepath="a.uem",
            num_speakers=count,
        )
        for offset, count in ((0, 1), (0.125, 1), (0.5, 2))
    ]
    corpus = open_corpus(make.lines("manifest.json", *parts))
    (item,) = corpus.items()
    assert (item.part, item.num_speakers) == (Timeline([(0, 0.375), (0.5, 0.75)]), None)
    assert corpus.load_uem(item) == Timeline([(0.25, 0.375), (0.5, 0.75)])
    make.lines("manifest.json", *parts, nemo_line("a.wav", rttm_filepath="a.rttm", uem_filepath="a.uem"))
    assert open_corpus(make.root / "manifest.json").items()[0].part is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"audio_filepath": None}, ":2: 'audio_filepath' needs to be text; got None"),
        ({"offset": 1}, ":2: an 'offset' needs a 'duration'"),
        ({"offset": -1, "duration": 1}, ":2: a time needs a number"),
        ({"duration": "long"}, ":2: a time needs a number"),
        ({"duration": 0}, ":2: a segment needs"),
        ({"num_speakers": True}, ":2: 'num_speakers' needs to be a whole number"),
        ({"num_speakers": -1}, ":2: 'num_speakers' needs to be a whole number"),
        ({"rttm_filepath": 3}, ":2: 'rttm_filepath' needs to be text; got 3"),
        ({"rttm_filepath": "b.rttm"}, "parts of .*a.wav need the same RTTM and UEM"),
    ],
)
def test_lines_of_nemo_that_are_refused(make, fields, message):
    path = make.lines("manifest.json", nemo_line("a.wav"), nemo_line("a.wav") | fields)
    with pytest.raises(FormatError, match=message):
        open_corpus(path)


def test_no_manifest_of_nemo(make):
    make("config.json", "{}")
    with pytest.raises(InputError, match="holds no manifests of NeMo"):
        open_corpus(make.root, "nemo")


# ── the development recordings ───────────────────────────────────────────────────────────────────────────


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the development recordings are not here")
def test_the_development_recordings():
    corpus = open_corpus(SHARED / "real")
    assert len(corpus.items("all")) == 13
    assert all(item.audio and len(corpus.load_reference(item)) for item in corpus.items())
