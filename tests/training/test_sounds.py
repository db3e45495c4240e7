from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from tertulia.audio import Waveform, write_wav  # noqa: E402
from tertulia.errors import InputError, UsageError  # noqa: E402
from tertulia.features import fbank  # noqa: E402
from tertulia.inference import Network  # noqa: E402
from tertulia.networks.crdnn import CRDNN  # noqa: E402
from tertulia.networks.scenes import SceneNet  # noqa: E402
from tertulia.segmentation.scenes import CLASSES  # noqa: E402
from tertulia.training import make_task  # noqa: E402
from tertulia.training.instruments import Bell, Body, Plucked, Voice, hum  # noqa: E402
from tertulia.training.recipe import Recipe  # noqa: E402
from tertulia.training.scenery import audible  # noqa: E402
from tertulia.training.sounds import f1  # noqa: E402
from tertulia.training.tunes import tune  # noqa: E402

RATE = 16_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Speech is a buzz, music two tones, noise is noise; each once for training and once for the test."""
    folder = tmp_path_factory.mktemp("sounds")
    time = np.arange(2 * RATE) / RATE
    rng = np.random.default_rng(0)
    sounds = {
        "speech/ana/1.wav": np.sign(np.sin(2 * np.pi * 120 * time)),
        "speech/ben/1.wav": np.sign(np.sin(2 * np.pi * 150 * time)),
        "music/learnt.wav": np.sin(2 * np.pi * 660 * time) + np.sin(2 * np.pi * 880 * time),
        "music/unheard.wav": np.sin(2 * np.pi * 700 * time) + np.sin(2 * np.pi * 900 * time),
        "music/rag.wav": np.sin(2 * np.pi * 500 * time),
        "noise/a.wav": rng.standard_normal(2 * RATE),
        "noise/b.wav": rng.standard_normal(2 * RATE),
    }
    for name, samples in sounds.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        scaled = (0.2 * samples / np.abs(samples).max()).astype(np.float32)
        write_wav(folder / name, Waveform(scaled[None], RATE))
    (folder / "test.txt").write_text("ben\n")
    return folder


@pytest.fixture
def recipe(folder):
    data = {
        "speech": str(folder / "speech"),
        "music": str(folder / "music"),
        "noise": str(folder / "noise"),
        "test": str(folder / "test.txt"),
        "music_test": ["unheard*"],
        "music_left_out": ["rag*"],
        "noise_test": ["b*"],
        "window": 4.0,
        "examples": 8,
        "tests": 3,
        "tunes": 2,
    }
    return Recipe(
        name="small",
        task="sounds",
        seed=0,
        data=data,
        network={"name": "scenes", "bands": 40, "channels": 8, "dilations": [1, 2], "maps": [2, 4, 4]},
        loss={"targets": "scenes"},
        optimizer={"name": "adam", "lr": 1e-3},
        schedule={"name": "constant"},
        loop={"epochs": 1, "batch": 4},
    )


@pytest.fixture
def task(recipe, tmp_path):
    return make_task(recipe, tmp_path, print)


def test_examples_have_a_class_for_every_frame(task):
    example = task.example(0, np.random.default_rng(0))
    assert example["waveforms"].shape == (4 * RATE + 240,)
    assert example["waveforms"].dtype == np.float32
    assert example["labels"].shape == (400,)
    assert set(example["labels"].tolist()) <= set(range(len(CLASSES)))
    again = task.example(5, np.random.default_rng(0))
    assert np.array_equal(example["waveforms"], again["waveforms"])


def test_labels_say_what_is_heard(task):
    """Silence is quiet, and the buzz of speech is there exactly where the labels say so."""
    rng = np.random.default_rng(1)
    quiet, other, buzz, rest = [], [], [], []
    for number in range(20):
        example = task.example(number, rng)
        frames = example["waveforms"][120:-120].reshape(-1, 160)
        labels, power = example["labels"], (frames**2).mean(axis=1)
        inner = np.r_[False, (labels[1:-1] == labels[:-2]) & (labels[1:-1] == labels[2:]), False]  # no fades
        quiet += power[inner & (labels == 0)].tolist()
        other += power[inner & (labels > 0)].tolist()
        spectrum = np.abs(np.fft.rfft(frames, 1600))[:, 12] ** 2 / (power + 1e-12)
        spoken = np.isin(labels, [1, 4])
        buzz += spectrum[inner & spoken].tolist()
        rest += spectrum[inner & ~spoken].tolist()
    assert np.quantile(quiet, 0.99) < np.quantile(other, 0.05)
    assert np.median(buzz) > 5 * np.median(rest)


def test_sides_share_nothing(task):
    names = {key: packed.path.stem for key, packed in task.packs.items()}
    assert len(set(names.values())) == len(names) == 6
    kinds = ("speech", "music", "noise")
    assert task.identity.keys() == {f"{kind} {side}" for kind in kinds for side in ("train", "test")}
    assert len(task.packs["music", "train"]) == 1  # the rag is left out


def test_the_test_stays_the_same(task):
    model = task.model().eval()
    with torch.no_grad():
        first, second = task.evaluate(model), task.evaluate(model)
    assert first == second
    assert first.keys() == {"accuracy", *(f"f1_{name}" for name in CLASSES)}


def test_it_learns_and_the_file_computes_the_same(task, tmp_path):
    model = task.model()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    rng, losses = np.random.default_rng(0), []
    examples = [task.example(0, rng) for _ in range(4)]
    batch = {key: torch.from_numpy(np.stack([e[key] for e in examples])) for key in examples[0]}
    for _ in range(10):
        (loss,) = model(batch).values()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])
    about = task.finish(model.eval(), tmp_path, "small")
    assert float(about["largest difference from torch"]) < 1e-3
    samples = task.example(0, rng)["waveforms"]
    features = fbank(samples[120:-120], 40)
    found = Network(str(tmp_path / "small.onnx"))(features=features[None])
    with torch.no_grad():
        expected = model.logits(torch.from_numpy(samples)[None]).numpy()
    # Run-time features see a mirror image beyond the ends of the recording, training sees silence.
    assert np.abs(found - expected)[0, 20:-20].max() < 1e-2


def test_speech_alone_can_be_the_target(recipe, tmp_path):
    network = {"name": "crdnn", "bands": 40, "channels": 4, "hidden": 8, "layers": 1, "dense": 8}
    task = make_task(replace(recipe, network=network, loss={"targets": "speech"}), tmp_path, print)
    assert task.classes == ("rest", "speech")
    assert set(task.example(0, np.random.default_rng(0))["labels"].tolist()) <= {0, 1}
    about = task.finish(task.model().eval(), tmp_path, "crdnn")
    assert "logits (batch, frames, 2)" in about["output"]


def speech_recipe(recipe, folder, **data):
    """Recipe for speech alone, with a recording: two seconds of a buzz in eight of faint noise."""
    (folder / "talk").mkdir(exist_ok=True)
    time, rng = np.arange(8 * RATE) / RATE, np.random.default_rng(2)
    sound = 0.002 * rng.standard_normal(8 * RATE) + np.where(
        (time >= 3) & (time < 5), 0.1 * np.sign(np.sin(2 * np.pi * 120 * time)), 0.0
    )
    write_wav(folder / "talk/one.wav", Waveform(sound[None].astype(np.float32), RATE))
    (folder / "talk/one.rttm").write_text("SPEAKER one 1 3.000 2.000 <NA> <NA> ana <NA> <NA>\n")
    network = {"name": "crdnn", "bands": 40, "channels": 4, "hidden": 8, "layers": 1, "dense": 8}
    data = {**recipe.data, "recordings": str(folder / "talk"), "recorded": 1.0, **data}
    return replace(recipe, data=data, network=network, loss={"targets": "speech"})


def test_windows_of_recordings_can_be_examples(recipe, folder, tmp_path):
    task = make_task(speech_recipe(recipe, folder, recorded_gain=[-20.0, -20.0]), tmp_path, print)
    assert task.identity.keys() > {"recordings"}
    shares = []
    for number in range(10):
        example = task.example(number, np.random.default_rng(number))
        loud = example["waveforms"][120:-120].reshape(-1, 160).std(axis=1) > 0.005  # the buzz, 20 dB softer
        assert np.array_equal(loud, example["labels"] == 1)
        shares.append(loud.mean())
    assert len(set(shares)) > 1  # windows from here and there
    assert "recordings 0.00 h" in task.finish(task.model().eval(), tmp_path, "crdnn")["data"]


def test_a_share_of_the_examples_is_windows(recipe, folder, tmp_path):
    task = make_task(speech_recipe(recipe, folder, recorded=0.5), tmp_path, print)
    task._recorded = lambda _: (np.zeros(4 * RATE, np.float32), np.zeros(400, np.int64))
    drawn = [task.example(0, np.random.default_rng(number))["waveforms"] for number in range(40)]
    assert 8 < sum(not samples.any() for samples in drawn) < 32


def test_what_is_not_scored_does_not_count(recipe, folder, tmp_path):
    recipe = speech_recipe(recipe, folder)
    uem = folder / "talk/all.uem"
    uem.write_text("one 1 2.000 8.000\n")
    try:
        task = make_task(recipe, tmp_path, print)
    finally:
        uem.unlink()
    example = task.example(0, np.random.default_rng(3))
    assert set(example["labels"].tolist()) == {-1, 0, 1}
    model = task.model().eval()
    scored = example["labels"] >= 0
    with torch.no_grad():
        samples = torch.from_numpy(example["waveforms"])[None]
        chances = torch.log_softmax(model.logits(samples), dim=2)[0].numpy()
        batch = {"waveforms": samples, "labels": torch.from_numpy(example["labels"])[None]}
        loss = model(batch)["loss"].item()
    by_hand = -chances[np.flatnonzero(scored), example["labels"][scored]].mean()
    assert loss == pytest.approx(by_hand, rel=1e-5)


def test_recordings_that_cannot_be_used_are_named(recipe, folder, tmp_path):
    spoken = speech_recipe(recipe, folder)
    without = {key: value for key, value in spoken.data.items() if key != "recordings"}
    for changed, error, message in [
        (replace(spoken, loss={"targets": "scenes"}), UsageError, "tell where speech is"),
        (replace(spoken, data={**spoken.data, "recorded": 1.5}), UsageError, r"recorded is a share"),
        (replace(spoken, data={**spoken.data, "recorded_gain": [2.0, 1.0]}), UsageError, "recorded_gain"),
        (replace(spoken, data=without), UsageError, r"recordings is not set"),
        (replace(spoken, data={**spoken.data, "recorded": 0.0}), UsageError, "recorded is 0"),
    ]:
        with pytest.raises(error, match=message):
            make_task(changed, tmp_path, print)
    (folder / "talk/one.rttm").write_text("SPEAKER one 1 3.000 2.000 <NA> <NA> ben <NA> <NA>\n")
    with pytest.raises(InputError, match=r"1 speakers of the test are heard in .*: ben"):
        make_task(spoken, tmp_path, print)


@pytest.mark.parametrize("network", [SceneNet(40, 5, 8, (1, 2), (2, 4, 4)), CRDNN(40, 2, 4, 8, 1, 8)])
def test_a_class_for_every_frame(network):
    network.eval()
    for frames in (2, 10, 300):
        assert network(torch.randn(2, frames, 40)).shape[:2] == (2, frames)


def test_what_is_wrong_is_named(recipe, tmp_path):
    for changes, error, message in [
        ({"data": {**recipe.data, "speech": None}}, UsageError, r"data\.speech"),
        ({"data": {**recipe.data, "music_test": ["none*"]}}, InputError, "there is no music to test on"),
        ({"data": {**recipe.data, "noise_test": ["*"]}}, InputError, "there is no noise to train on"),
        ({"data": {**recipe.data, "window": 0.5}}, UsageError, "window from 1 s"),
        ({"loss": {"targets": "all"}}, UsageError, "targets"),
        ({"network": {"name": "x"}}, UsageError, "unknown network 'x'"),
    ]:
        with pytest.raises(error, match=message):
            make_task(replace(recipe, **changes), tmp_path, print)
    without = {key: value for key, value in recipe.data.items() if key != "noise"}
    with pytest.raises(UsageError, match=r"data\.noise is not set"):
        make_task(replace(recipe, data=without), tmp_path, print)


def test_f1_by_hand():
    table = np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]])
    assert f1(table) == [pytest.approx(6 / 9), pytest.approx(8 / 11), 1.0]


def test_a_recording_made_louder_looks_the_same():
    """What the network takes relative to the level is what the same sound gives at another one."""
    torch.manual_seed(0)
    network = SceneNet(40, 5, 8, (1, 2), (2, 4, 4)).eval()
    pictures = []
    network.picture.register_forward_hook(lambda _, inputs, __: pictures.append(inputs[0]))
    features = torch.randn(1, 400, 40)
    with torch.no_grad():
        quiet, loud = network(features), network(features + 3)
    assert torch.allclose(pictures[0], pictures[1], atol=1e-4)
    assert not torch.allclose(quiet, loud)  # silence is told by the level itself


def test_what_is_lost_in_the_background_is_silence():
    music, speech, both, noise = (CLASSES.index(n) for n in ("music", "speech", "speech over music", "noise"))
    labels = np.repeat([music, music, both, both, speech, noise, noise], 200)
    loud, soft, pause = np.ones(200 * 160), np.full(200 * 160, 1e-3), np.zeros(200 * 160)
    rest = np.concatenate([loud, pause, loud, soft, pause, loud, loud]).astype(np.float32)
    rest[1240 * 160 : 1260 * 160] = 0  # a pause of 0.2 s in the noise
    heard = audible(labels, rest, -50.0)
    middles = [CLASSES[heard[start + 100]] for start in range(0, 1400, 200)]
    assert middles == ["music", "silence", "speech over music", "speech", "speech", "noise", "noise"]
    assert (heard[1200:] == noise).all()
    assert (heard[:200] == music).all()


@pytest.mark.parametrize("pitch", [110.0, 440.0, 1760.0])
def test_instruments_play_the_pitch(pitch):
    """The autocorrelation of a note is highest at its period, or a multiple of it."""
    rng = np.random.default_rng(3)
    for instrument in (
        Plucked(RATE, rng),
        Voice(RATE, rng, held=True, players=1),
        Voice(RATE, rng, held=False, players=1),
    ):
        note = instrument(pitch, 1.0, 0.8)[800:8000].astype(float)
        assert np.isfinite(note).all()
        likeness = np.correlate(note, note, "full")[len(note) - 1 :]
        period = RATE / pitch
        at_period = likeness[round(8 * period) - 1 : round(8 * period) + 2].max()
        between = likeness[round(8.5 * period) - 1 : round(8.5 * period) + 2].max()
        assert at_period > 0.3 * likeness[0]
        assert at_period > between


def test_bells_do_not_alias():
    """A bell whose overtones are whole multiples of its pitch has nothing below it."""
    rng = np.random.default_rng(0)
    bells = [bell for bell in (Bell(RATE, rng) for _ in range(40)) if bell.ratio in (1, 2, 3)]
    assert len(bells) > 5
    for bell in bells:
        spectrum = np.abs(np.fft.rfft(bell(1500.0, 0.5, 1.0)))
        hertz = np.fft.rfftfreq(len(bell(1500.0, 0.5, 1.0)), 1 / RATE)
        assert spectrum[hertz < 1000].max() < 0.05 * spectrum.max()


def test_a_body_shapes_the_spectrum():
    body = Body(6.0, np.random.default_rng(0))
    noise = np.random.default_rng(1).standard_normal(8 * RATE).astype(np.float32)
    shaped = body.filter(noise, RATE)
    assert shaped.dtype == np.float32
    assert shaped.shape == noise.shape
    ratio = np.abs(np.fft.rfft(shaped)) / np.abs(np.fft.rfft(noise))
    for hertz in (100, 500, 2000, 6000):
        near = slice(8 * hertz - 80, 8 * hertz + 80)
        assert np.median(ratio[near]) == pytest.approx(body(np.array([hertz]))[0], rel=0.1)


def test_a_hum_is_a_steady_buzz():
    rng = np.random.default_rng(0)
    for _ in range(5):
        buzz = hum(2 * RATE, RATE, rng)
        levels = np.sqrt(np.square(buzz.reshape(-1, RATE // 4)).mean(axis=1))
        assert levels.min() > 0.5 * levels.max() > 0


def test_tunes_are_loud_and_never_twice_the_same():
    rng = np.random.default_rng(0)
    tunes = [tune(3.0, RATE, rng) for _ in range(24)]
    for samples in tunes:
        assert samples.shape == (3 * RATE,)
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() == pytest.approx(1.0)
    loud = [(np.abs(samples.reshape(-1, RATE // 2)).max(axis=1) > 0.02).mean() for samples in tunes]
    assert np.mean(loud) > 0.9  # few rests are as long as half a second
    assert not np.array_equal(tunes[0], tunes[1])
