"""From manifests and folders to utterances, from files to samples, from samples to examples."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.audio import Waveform, write_wav
from tertulia.errors import FormatError, InputError, OutputError, UsageError
from tertulia.simulation.sounds import rms
from tertulia.training import make_task, read_recipe
from tertulia.training.augment import Augmentation, Augmenter, at_speed, fitted
from tertulia.training.pack import pack
from tertulia.training.utterances import Utterance, read_names, read_utterances, split
from tertulia.training.verification import trials_of

RATE = 16_000
Written = Callable[..., Path]


def sound(path: Path, seconds: float = 1.0, level: float = 0.1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = level * np.random.default_rng(0).standard_normal(round(seconds * RATE))
    write_wav(path, Waveform.from_array(samples.astype(np.float32), RATE))
    return path


# ── utterances ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_tree_goes_by_its_outermost_folder(tmp_path: Path) -> None:
    """As LibriSpeech and VoxCeleb lie on the disk."""
    for name in ("84/121123/0.wav", "84/121550/0.wav", "id10001/video/1.wav"):
        sound(tmp_path / name)
    found = read_utterances(tmp_path)
    assert [(u.speaker, u.path.name) for u in found] == [
        ("84", "0.wav"),
        ("84", "0.wav"),
        ("id10001", "1.wav"),
    ]


def test_a_table_keeps_its_columns(tmp_path: Path) -> None:
    (tmp_path / "all.tsv").write_text("path\tspeaker\tage\nx/1.wav\tAna\t30\nx/2.wav\tBen\t\n")
    first, second = read_utterances(tmp_path / "all.tsv")
    assert first == Utterance("Ana", tmp_path / "x/1.wav", about=first.about)
    assert (first.about["age"], second.about["age"]) == ("30", "")


def test_a_manifest_of_nemo(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav", 3)
    lines = [
        {"audio_filepath": "a.wav", "offset": 1.0, "duration": 0.5, "label": "Ana"},
        {"audio_filepath": "a.wav", "duration": None, "label": "Ben"},
    ]
    (tmp_path / "train.json").write_text("\n".join(map(json.dumps, lines)))
    found = read_utterances(tmp_path / "train.json")
    assert [(u.speaker, u.start, u.end) for u in found] == [("Ben", 0.0, None), ("Ana", 1.0, 1.5)]


def test_supervisions_of_lhotse(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav", 3)
    recording = {"id": "a", "sources": [{"type": "file", "channels": [0], "source": "a.wav"}]}
    supervision = {"id": "1", "recording_id": "a", "start": 0.25, "duration": 2.0, "speaker": "Ana"}
    for name, record in (("recordings", recording), ("supervisions", supervision)):
        with gzip.open(tmp_path / f"mine_{name}_train.jsonl.gz", "wt") as file:
            file.write(json.dumps(record) + "\n")
    (found,) = read_utterances(tmp_path / "mine_supervisions_train.jsonl.gz")
    assert (found.speaker, found.path, found.start, found.end) == ("Ana", tmp_path / "a.wav", 0.25, 2.25)
    (tmp_path / "mine_recordings_train.jsonl.gz").unlink()
    with pytest.raises(InputError, match="need the manifest of recordings beside them"):
        read_utterances(tmp_path / "mine_supervisions_train.jsonl.gz")


def test_recordings_with_references_give_what_is_said_alone(tmp_path: Path) -> None:
    sound(tmp_path / "talk.wav", 10)
    (tmp_path / "talk.rttm").write_text(
        "SPEAKER talk 1 0 4 <NA> <NA> Ana <NA> <NA>\nSPEAKER talk 1 3 3 <NA> <NA> Ben <NA> <NA>\n"
    )
    found = read_utterances(tmp_path)
    assert [(u.speaker, u.start, u.end) for u in found] == [("talk/Ana", 0, 3), ("talk/Ben", 4, 6)]


@pytest.mark.parametrize(
    ("name", "text", "error", "said"),
    [
        ("a.tsv", "path\tname\nx\ty\n", FormatError, "a.tsv:1: .*missing: speaker"),
        ("a.tsv", "path\tspeaker\nx\t\n", FormatError, "a.tsv:2: path and speaker cannot be empty"),
        ("a.tsv", "path\tspeaker\n", InputError, "lists no utterances"),
        ("a.json", '{"audio_filepath": "a.wav"}\n', FormatError, "a.json:1: 'label' needs to be text"),
        ("a.json", '{"audio_filepath": "a.wav", "label": "A", "offset": -1}\n', FormatError, "a.json:1"),
    ],
)
def test_manifests_that_are_none(tmp_path: Path, name: str, text: str, error: type, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(error, match=said):
        read_utterances(tmp_path / name)


def test_names(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("Ana\n\n Ben \n")
    assert read_names(tmp_path / "names.txt") == {"Ana", "Ben"}
    (tmp_path / "a.rttm").write_text("SPEAKER talk 1 0 4 <NA> <NA> Cleo <NA> <NA>\n")
    assert read_names(tmp_path / "a.rttm") == read_names(tmp_path) == {"Cleo"}
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(InputError, match="names no speakers"):
        read_names(tmp_path / "empty.txt")
    with pytest.raises(InputError, match="cannot read names"):
        read_names(tmp_path / "none.txt")


names = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 3)), unique=True, min_size=8)


@given(names, st.sets(st.sampled_from("abcdefgh"), max_size=3), st.integers(0, 2), st.integers(0, 5))
@settings(deadline=None)
def test_no_speaker_is_in_two_splits(files: list, test: set[str], dev: int, seed: int) -> None:
    utterances = [Utterance(speaker, Path(f"{speaker}{i}.wav")) for speaker, i in files]
    try:
        parts = split(utterances, test, dev, seed)
    except UsageError:
        return
    speakers = {name: {u.speaker for u in mine} for name, mine in parts.items()}
    assert sum(map(len, parts.values())) == len(utterances)
    assert sum(map(len, speakers.values())) == len({u.speaker for u in utterances})
    assert speakers["test"] <= test
    assert len(speakers["dev"]) == dev
    assert all(sum(u.speaker == s for u in parts["dev"]) > 1 for s in speakers["dev"])
    assert len(speakers["train"]) >= 2


def test_a_test_of_nobody() -> None:
    utterances = [Utterance(s, Path(f"{s}.wav")) for s in "ab"]
    with pytest.raises(UsageError, match="none of the 1 test speakers is among the 2"):
        split(utterances, {"z"}, 0, 0)


def test_a_speaker_with_one_file_is_named_where_it_cannot_be_measured(
    written: Written, speech: Path, tmp_path: Path
) -> None:
    for path in speech.rglob("*.wav"):
        if path.parent.name != "a" or path.name == "0.wav":
            target = tmp_path / "speech" / path.relative_to(speech)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (tmp_path / "test.txt").write_text("a\nb\nc\n")
    said: list[str] = []
    places = {"speech": str(tmp_path / "speech"), "test": str(tmp_path / "test.txt")}
    task = make_task(read_recipe(written(data={"dev_speakers": 0}), places), tmp_path, said.append)
    assert said == ["test: a has one utterance, so there is nothing to compare it with"]
    assert len(task.speech.trials["test"]) == 8 * 7 // 2


def test_a_split_on_which_nothing_can_be_measured(written: Written, speech: Path, tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("a\n")
    places = {"speech": str(speech), "test": str(tmp_path / "test.txt")}
    with pytest.raises(InputError, match=r"test split has no two speakers with two utterances of 0\.5 s"):
        make_task(read_recipe(written(data={"dev_speakers": 0}), places), tmp_path, print)


def test_rows_can_be_left_out(written: Written, speech: Path, tmp_path: Path) -> None:
    rows = [
        f"{path}\t{path.parent.name}\t{'mine' if path.parent.name != 'f' else 'theirs'}"
        for path in sorted(speech.rglob("*.wav"))
    ]
    (tmp_path / "all.tsv").write_text("\n".join(["path\tspeaker\tcorpus", *rows]))
    places = {"speech": str(tmp_path / "all.tsv")}
    recipe = written(data={"leave_out": {"corpus": ["theirs"]}, "dev_speakers": 0})
    task = make_task(read_recipe(recipe, places), tmp_path, print)
    assert list(task.speech.speakers) == list("abcde")
    with pytest.raises(UsageError, match="has no column 'licence'"):
        make_task(read_recipe(written(data={"leave_out": {"licence": ["x"]}}), places), tmp_path, print)


# ── samples ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pack_holds_the_samples(tmp_path: Path) -> None:
    samples = (0.2 * np.sin(np.arange(RATE) / 9)).astype(np.float32)
    soundfile.write(tmp_path / "a.flac", samples, RATE)
    packed = pack(
        [(tmp_path / "a.flac", 0.0, None), (tmp_path / "a.flac", 0.25, 0.5)], tmp_path, report=print
    )
    np.testing.assert_allclose(packed.read(0), samples, atol=1 / (1 << 14))
    np.testing.assert_array_equal(packed.read(1), packed.read(0)[4000:8000])
    np.testing.assert_array_equal(packed.read(0, 100, 50), packed.read(0)[100:150])
    assert len(packed.read(1, 3900, 500)) == 100
    assert (len(packed), packed.length(1)) == (2, 4000)


def test_a_pack_is_made_once_and_anew_when_a_file_changes(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.wav")
    first = pack([(path, 0.0, None)], tmp_path / "cache", report=print).path
    made = first.stat().st_mtime_ns
    assert pack([(path, 0.0, None)], tmp_path / "cache", report=print).path.stat().st_mtime_ns == made
    sound(path, 0.5)
    assert pack([(path, 0.0, None)], tmp_path / "cache", report=print).path != first


def test_bad_files_are_named_counted_and_too_many_refused(tmp_path: Path) -> None:
    good = [sound(tmp_path / f"{i}.wav", 0.2) for i in range(200)]
    (tmp_path / "corrupt.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEjunk")
    bad = {
        tmp_path / "corrupt.wav": "corrupt.wav",
        sound(tmp_path / "silent.wav", 1.0, 0.0): "it is silent",
        sound(tmp_path / "short.wav", 0.05): "0.05 s are too short",
        tmp_path / "missing.ogg": "cannot be read",
    }
    said: list[str] = []
    two = [*good, *list(bad)[:2]]
    packed = pack([(path, 0.0, None) for path in two], tmp_path / "cache", report=said.append)
    assert set(packed.bad) == {200, 201}
    assert "corrupt.wav" in said[0]
    assert said[1] == f"left out: {tmp_path / 'silent.wav'}: it is silent"
    assert said[2] == "2 of 202 left out"
    with pytest.raises(InputError, match="4 of 204 pieces of sound cannot be used, more than 1%; the first"):
        pack([(path, 0.0, None) for path in [*good, *bad]], tmp_path / "cache", report=said.append)
    assert all(any(reason in line for line in said) for reason in bad.values())


def test_no_sound_and_no_space(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sound"):
        pack([], tmp_path, report=print)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        pack([(sound(tmp_path / "a.wav"), 0.0, None)], tmp_path / "file", report=print)


# ── examples ─────────────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(1, 300), st.integers(1, 200))
@settings(deadline=None)
def test_padding_is_repetition_in_the_time_domain(length: int, count: int) -> None:
    samples = np.arange(1, length + 1, dtype=np.float32)
    out = fitted(samples, count, np.random.default_rng(0))
    assert len(out) == count
    assert (np.diff(out)[np.diff(out) != 1] == 1 - length).all()


def test_speed_changes_length_and_pitch() -> None:
    tone = np.sin(2 * np.pi * 400 * np.arange(RATE) / RATE).astype(np.float32)
    fast = at_speed(tone, 1.25, RATE)
    assert abs(len(fast) - RATE / 1.25) <= 1
    spectrum = np.abs(np.fft.rfft(fast * np.hanning(len(fast))))
    assert abs(spectrum.argmax() * RATE / len(fast) - 500) < 2
    assert at_speed(tone, 1.0, RATE) is tone


EVERYTHING = Augmentation(
    rooms=1.0, responses=2, noise=1.0, snr=(5.0, 10.0), babble=1.0, babble_snr=(5.0, 10.0),
    codec=1.0, codecs=("telephone", "opus"), gain=(-6.0, 0.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def babble(speech: Path, tmp_path_factory: pytest.TempPathFactory):
    files = sorted(speech.rglob("*.wav"))
    return pack([(path, 0.0, None) for path in files], tmp_path_factory.mktemp("pack"), report=print)


def test_augmentation_is_the_generator_s_and_keeps_the_length(babble) -> None:
    augment = Augmenter(EVERYTHING, babble, babble, RATE, seed=1)
    clean = babble.read(0)
    one, again, other = (augment(clean, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.shape == clean.shape
    assert one.dtype == np.float32
    assert np.abs(one).max() <= 1


def test_nothing_asked_for_is_nothing_done(babble) -> None:
    clean = babble.read(3)
    np.testing.assert_array_equal(
        Augmenter(Augmentation(), None, None, RATE, 0)(clean, np.random.default_rng(0)), clean
    )


def test_noise_is_as_loud_as_asked(babble) -> None:
    augment = Augmenter(Augmentation(noise=1.0, snr=(6.0, 6.0)), None, None, RATE, 0)
    clean = babble.read(0)
    noise = augment(clean, np.random.default_rng(0)) - clean
    assert 20 * np.log10(rms(clean) / rms(noise)) == pytest.approx(6, abs=0.01)


def test_rooms_keep_level_and_onset(babble) -> None:
    augment = Augmenter(Augmentation(rooms=1.0, responses=3), None, None, RATE, 0)
    clean = np.zeros(RATE, np.float32)
    clean[4000:8000] = babble.read(0)[:4000]
    wet = augment(clean, np.random.default_rng(0))
    assert rms(wet) == pytest.approx(rms(clean), rel=1e-3)
    assert np.abs(wet[:3990]).max() < 1e-4
    assert rms(wet[8000:10000]) > 0, "it rings on"


@pytest.mark.parametrize("codec", ["telephone", "mulaw", "opus", "mp3", "vorbis"])
def test_codecs_leave_it_recognisable(codec: str) -> None:
    tone = (0.3 * np.sin(2 * np.pi * 800 * np.arange(RATE) / RATE)).astype(np.float32)
    out = Augmenter(Augmentation(codec=1.0, codecs=(codec,)), None, None, RATE, 0)(
        tone, np.random.default_rng(0)
    )
    assert out.shape == tone.shape
    spectrum = np.abs(np.fft.rfft(out))
    assert abs(spectrum.argmax() - 800) <= 2
    assert not np.array_equal(out, tone)


def test_balanced_batches_hold_speakers_equally_often(written: Written, speech: Path, tmp_path: Path) -> None:
    recipe = read_recipe(written(data={"per_speaker": 2, "dev_speakers": 0}), {"speech": str(speech)})
    task = make_task(recipe, tmp_path, print)
    order = task.order(np.random.default_rng(0))
    labels = [int(task.example(n, np.random.default_rng(0))["labels"]) for n in order.tolist()]
    assert labels[::2] == labels[1::2]
    assert np.bincount(labels).tolist() == [4] * 6


def test_voices_at_another_speed_are_other_speakers(written: Written, speech: Path, tmp_path: Path) -> None:
    changes = {"augmentation": {"speeds": [1.0, 0.9, 1.1]}, "data": {"dev_speakers": 0, "whole": True}}
    task = make_task(read_recipe(written(**changes), {"speech": str(speech)}), tmp_path, print)
    seen = {int(task.example(0, np.random.default_rng(seed))["labels"]) for seed in range(30)}
    assert seen == {0, 6, 12}
    assert task.model().softmax.classify.out_features == 18


def test_trials_are_all_pairs() -> None:
    trials = trials_of([5, 6, 7, 8, 9], ["a", "a", "b", "b", "c"], most=10)
    assert trials.pieces.tolist() == [5, 6, 7, 8]
    assert (len(trials), trials.targets) == (6, 2)
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32)
    assert trials.eer(vectors) == 0
    assert trials.eer(vectors[[0, 2, 1, 3]]) == 0.5
    assert trials_of([1, 2, 3], ["a", "a", "b"], 10) is None
    assert len(trials_of([1, 2, 3, 4, 5], ["a", "a", "a", "b", "b"], 2).pieces) == 4
