from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from tertulia.audio import Waveform, write_wav  # noqa: E402
from tertulia.emotions import EMOTIONS, EmotionDetector, Spectral, VoiceAndProsody  # noqa: E402
from tertulia.errors import FormatError, InputError, UsageError  # noqa: E402
from tertulia.timeline import Diarization  # noqa: E402
from tertulia.training import make_task, train  # noqa: E402
from tertulia.training.emotions import trimmed  # noqa: E402
from tertulia.training.recipe import Recipe  # noqa: E402

RATE = 16_000
HIGHER = {"neutral": 0.0, "happy": 9.0, "sad": -7.0, "angry": 0.0}  # semitones
SPEAKERS = {"ana": 200.0, "ben": 110.0, "cem": 150.0}


def said(pitch, emotion, rng):
    """A tone of a speaker's pitch that is higher when happy, lower when sad, and harsh when angry."""
    time = np.arange(round(1.2 * RATE)) / RATE
    phase = 2 * np.pi * pitch * 2 ** (HIGHER[emotion] / 12) * (time + 0.002 * np.sin(20 * time))
    tone = sum(np.sin(k * phase) / k ** (0.3 if emotion == "angry" else 1.7) for k in range(1, 15))
    quiet = np.zeros(RATE // 4)
    speech = np.concatenate([quiet, 0.05 * tone, quiet])
    return (speech + 1e-4 * rng.standard_normal(len(speech))).astype(np.float32)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("acted"), np.random.default_rng(0)
    rows = ["path\tspeaker\temotion"]
    for speaker, pitch in SPEAKERS.items():
        for emotion in EMOTIONS:
            for number in range(2):
                name = f"{speaker}-{emotion}-{number}.wav"
                write_wav(folder / name, Waveform(said(pitch, emotion, rng)[None], RATE))
                rows.append(f"{name}\t{speaker}\t{emotion}")
    (folder / "acted.tsv").write_text("\n".join(rows) + "\n")
    return folder / "acted.tsv"


DENSE = Recipe(
    name="acted",
    task="emotions",
    seed=0,
    data={"stretches": [0.5], "others": [0, 2, 4], "even": 0.5, "test": ["cem"]},
    network={"name": "dense", "hidden": 0, "dropout": 0.0},
    optimizer={"name": "adam", "lr": 0.003},
    schedule={"name": "constant"},
    loop={"epochs": 12, "batch": 8},
)
SPECTRAL = replace(
    DENSE,
    name="seen",
    data={"stretches": [], "test": ["cem"]},
    network={
        "name": "spectral",
        "bands": 24,
        "channels": 8,
        "dilations": [1, 2],
        "dropout": 0.0,
        "seconds": 1.0,
    },
    loop={"epochs": 1, "batch": 8},
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def made(recipe, table, cache, **data):
    changed = replace(recipe, data={**recipe.data, "speech": str(table), **data})
    return changed, make_task(changed, cache, lambda _: None)


def test_trained_and_run(table, cache, tmp_path):
    recipe, task = made(DENSE, table, cache)
    train(recipe, task, tmp_path, report=lambda _: None)
    card = (tmp_path / "acted.md").read_text()
    assert "16 utterances of 2 speakers" in card
    assert "accuracy_among_others" in card
    samples = np.concatenate(
        [said(SPEAKERS["ana"], emotion, np.random.default_rng(5)) for emotion in EMOTIONS]
    )
    seconds = len(samples) / RATE / 4
    turns = Diarization([(k * seconds + 0.2, (k + 1) * seconds - 0.2, "ana") for k in range(4)])
    weights = str(tmp_path / "acted.onnx")
    found = EmotionDetector(VoiceAndProsody(weights, threads=1))((samples, RATE), turns)
    hits = [turn.emotion == emotion for turn, emotion in zip(found.turns, EMOTIONS, strict=True)]
    assert sum(hits) >= 3


def test_the_other_network_runs_too(table, cache, tmp_path):
    recipe, task = made(SPECTRAL, table, cache)
    train(recipe, task, tmp_path, report=lambda _: None)
    recognizer = type("Narrow", (Spectral,), {"bands": 24})(str(tmp_path / "seen.onnx"), 1)
    speech = said(200.0, "sad", np.random.default_rng(1))
    described = recognizer.describe(speech, np.array([[0.0, 1.0], [0.5, 0.6]]))
    assert recognizer.judge(described, described[0]).sum(axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_no_speaker_of_the_test_is_learnt_from(table, cache):
    _, task = made(DENSE, table, cache)
    assert set(task.speakers[task.train]) == {"ana", "ben"}
    assert set(task.speakers[task.test]) == {"cem"}
    assert task.whole.sum() == 24
    numbers = task.order(np.random.default_rng(0))
    assert sorted(numbers.tolist()) == task.train.tolist()
    weights = np.array([task.example(n, np.random.default_rng(0))["weights"] for n in numbers])
    assert weights.mean() == pytest.approx(1)
    each = [weights[task.labels[numbers] == emotion].sum() for emotion in range(4)]
    assert each == pytest.approx([each[0]] * 4)


def test_what_is_usual_holds_the_utterance_itself(table, cache):
    _, task = made(DENSE, table, cache)
    number = int(np.flatnonzero(~task.whole)[0])
    alone = task.usual(number, 0, True, np.random.default_rng(0))
    first = number - 1
    assert task.whole[first]
    assert alone == pytest.approx(task.statistics[first])
    mine = task.speakers == task.speakers[number]
    among = task.usual(number, 400, True, np.random.default_rng(0))
    every = task.statistics[mine & task.whole].mean(axis=0)
    spread = task.statistics[mine & task.whole].std(axis=0)
    assert (np.abs(among - every) <= 0.35 * spread + 1e-4).all()


def test_statistics_are_computed_once(table, cache):
    made(DENSE, table, cache)
    told = []
    make_task(replace(DENSE, data={**DENSE.data, "speech": str(table)}), cache, told.append)
    assert told == []


def test_silence_is_cut_off():
    speech = said(150.0, "neutral", np.random.default_rng(0))
    first, last = trimmed(speech)
    assert first / RATE == pytest.approx(0.15, abs=0.06)
    assert last / RATE == pytest.approx(1.55, abs=0.06)
    assert trimmed(np.zeros(100, np.float32)) == (0, 100)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ({"test": ["nobody"]}, UsageError, "there is no speaker nobody"),
        ({"test": ["ana", "ben", "cem"]}, InputError, "not every emotion to learn from"),
        ({"stretches": [0.1]}, UsageError, "stretches are seconds from 0.25"),
        ({"others": [-1]}, UsageError, "others are whole numbers from 0"),
        ({"even": 2.0}, UsageError, "even is a share"),
    ],
)
def test_data_that_makes_no_sense(table, cache, data, error, message):
    with pytest.raises(error, match=message):
        made(DENSE, table, cache, **data)


def test_emotions_must_be_known(table, cache, tmp_path):
    row = f"{table.parent / 'ana-sad-0.wav'}\tana\tbored\n"
    (tmp_path / "t.tsv").write_text("path\tspeaker\temotion\n" + row)
    with pytest.raises(FormatError, match=r"ana-sad-0.wav: an emotion is one of neutral.*got 'bored'"):
        made(DENSE, tmp_path / "t.tsv", cache)
    with pytest.raises(UsageError, match="--data speech=PATH"):
        make_task(DENSE, cache, print)
