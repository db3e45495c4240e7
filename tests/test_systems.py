"""The named systems, and what everything in a registry has to do."""

from __future__ import annotations

import dataclasses
import inspect
import re

import numpy as np
import pytest

import tertulia
from tertulia import systems
from tertulia.audio.windows import slide
from tertulia.binarize import BINARIZERS
from tertulia.chains import PIPELINES
from tertulia.clustering import CLUSTERERS
from tertulia.config import from_table, settings
from tertulia.embedding import EMBEDDERS, Voices
from tertulia.errors import ModelMissingError, UsageError
from tertulia.evaluation import diarization_error
from tertulia.frames import Frames, Grid
from tertulia.segmentation import SEGMENTERS, Activity
from tertulia.speakers import ANY, Speakers
from tertulia.stitch import Stitched

FAMILIES = {
    "segmentation": SEGMENTERS,
    "embedding": EMBEDDERS,
    "clustering": CLUSTERERS,
    "binarize": BINARIZERS,
}
NAMES = [described.name for described in systems.available()]
MINIMAL = {
    "segmentation": {"name": "powerset"},
    "embedding": {"name": "campplus"},
    "clustering": {"name": "duration"},
}
# Worst DER allowed on the bundled recording, without a collar; a system that is not listed has the last one.
BOUNDS = {"default": 0.12, "pyannote-3.1": 0.12}
ANY_BOUND = 0.75


def bundled(kind: type) -> bool:
    """Whether a part can be made without weights from elsewhere."""
    return all("/" not in str(f.default) for f in dataclasses.fields(kind) if f.name == "weights")


# ── every named system ───────────────────────────────────────────────────────────────────────────────────


def test_the_default_comes_first_and_the_rest_by_name():
    assert NAMES[0] == "default"
    assert NAMES[1:] == sorted(NAMES[1:])
    assert {path.stem for path in systems.FOLDER.glob("*.toml")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_system_says_what_it_is_in_one_line(name):
    described = systems.read(name)
    assert described.name == name
    for line in (described.summary, described.weights):
        assert line.strip()
        assert "\n" not in line
        assert "\t" not in line


@pytest.mark.parametrize("name", [d.name for d in systems.available() if not d.pipeline])
def test_every_system_of_windows_builds_from_registered_parts(name):
    described = systems.read(name)
    for table, family in FAMILIES.items():
        assert getattr(described, table)["name"] in family
    built = systems.build(described, threads=1)
    assert built.name == name
    assert built.segmenter.threads == 1 or not hasattr(built.segmenter, "threads")


@pytest.mark.parametrize("name", [d.name for d in systems.available() if d.pipeline])
def test_every_other_system_builds_a_registered_chain(name):
    described = systems.read(name)
    built = systems.build(described, threads=1)
    assert built.name == name
    assert type(built.chain) is PIPELINES[described.pipeline["name"]]


@pytest.mark.parametrize("name", NAMES)
def test_every_system_diarizes(name, recording, reference, default):
    result = (default if name == "default" else tertulia.load(name))(recording)
    assert result.uri == "conversation"
    assert result.duration == 30.0
    assert result.provenance.system == name
    assert diarization_error(reference, result).der <= BOUNDS.get(name, ANY_BOUND)


# ── reading and building ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["pyanote", "", "../systems/default", "default.tom", "/etc/passwd", "a\0b"])
def test_an_unknown_name_lists_those_there_are(name):
    with pytest.raises(UsageError, match=r"unknown system .*; there is: .*default") as caught:
        systems.read(name)
    assert all(known in str(caught.value) for known in NAMES)
    with pytest.raises(UsageError):
        tertulia.load(name)


def written(tmp_path, text: str):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


FILE = """
[segmentation]
name = "powerset"
hop = 2
[embedding]
name = "campplus"
[clustering]
name = "duration"
"""


def test_a_file_of_one_s_own(tmp_path):
    path = written(tmp_path, FILE)
    described = systems.read(path)
    assert (described.name, described.summary, described.weights) == ("mine", "", "its own")
    built = tertulia.load(str(path))
    assert built.segmenter.hop == 2.0
    assert built.name == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs segmentation, embedding, clustering, or pipeline"),
        ('[pipeline]\nname = "limu"\n', "unknown pipeline 'limu'; there is: .*lium"),
        ('[pipeline]\nname = "lium"\nstayy = 3\n', "unknown key in mine.pipeline 'stayy'; there is: .*stay"),
        ('[pipeline]\nname = "lium"\nclustering = "vb"\n', "mine.pipeline.clustering cannot be 'vb'"),
        ('[pipeline]\nname = "lium"\nstay = 0\n', "mine.pipeline: .* above zero"),
        (FILE + '[pipeline]\nname = "lium"\n', "of its own has no segmentation, embedding, clustering"),
        ("segmentation =", "not a TOML file"),
        ("segmentation = 3" + FILE.replace("[segmentation]", "[other]"), "cannot be 3; it is of type dict"),
        (FILE + "[sampling]\n", "unknown key in .*mine.toml 'sampling'"),
        (
            FILE.replace("powerset", "powersets"),
            "unknown segmentation model 'powersets'; there is: .*powerset",
        ),
        (FILE.replace("campplus", "os.system"), "unknown embedding model 'os.system'; there is: .*campplus"),
        (FILE.replace("duration", "kmean"), "unknown clusterer 'kmean'; there is: .*duration"),
        (FILE + '[binarize]\nname = "otsu"\n', "unknown binarizer 'otsu'; there is: count, hysteresis"),
        (FILE + "[binarize]\nmin_duration_on = 1\n", "mine.binarize needs a name"),
        (
            FILE + "[sliding]\nbatches = 3\n",
            "unknown key in mine.sliding 'batches'; there is: batch, least, shortest",
        ),
        (FILE + "[sliding]\nbatch = 0\n", "mine.sliding: .*whole numbers from 1"),
        (FILE.replace("hop = 2", "hop = 11"), r"mine.segmentation: hop lies in \(0, 10\] seconds; got 11"),
        (FILE.replace("hop = 2", 'hop = "2"'), "mine.segmentation.hop cannot be '2'; it is of type float"),
        (FILE.replace("hop = 2", "window = 5.0"), "unknown key in mine.segmentation 'window'"),
    ],
)
def test_a_file_that_describes_no_system(tmp_path, text, said):
    with pytest.raises(UsageError, match=said) as caught:
        tertulia.load(written(tmp_path, text))
    assert caught.value.exit_code == 2


def test_missing_weights_are_missing_weights(tmp_path):
    """… and no mistake in the file: the command line has another exit code for them."""
    path = written(tmp_path, FILE.replace("hop = 2", 'weights = "segmentation-9"'))
    with pytest.raises(ModelMissingError, match="no weights 'segmentation-9'") as caught:
        tertulia.load(path)
    assert caught.value.exit_code == 4


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("folder.toml", "missing.toml"):
        with pytest.raises(UsageError, match=f"{name}: cannot be read"):
            systems.read(tmp_path / name)
    with pytest.raises(UsageError, match="not a TOML file"):
        systems.read(tmp_path / "binary.toml")
    with pytest.raises(UsageError, match="not a TOML file"):
        systems.read("a\0b.toml")


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_impossible_numbers_of_threads(threads):
    with pytest.raises(UsageError, match="threads is a whole number from 1; got"):
        tertulia.load(threads=threads)


def test_threads_of_the_file_stay_unless_given(tmp_path):
    path = written(tmp_path, FILE.replace("hop = 2", "threads = 3"))
    assert tertulia.load(path).segmenter.threads == 3
    assert tertulia.load(path, threads=8).segmenter.threads == 4, "half for each of two networks"


@pytest.mark.parametrize(("threads", "each"), [(1, 1), (2, 1), (3, 1), (4, 2), (9, 4)])
def test_two_networks_share_the_threads(threads, each):
    built = tertulia.load(threads=threads)
    assert (built.segmenter.threads, built.embedder.threads) == (each, each)


@pytest.mark.parametrize(("quality", "name"), [(None, "default"), *systems.QUALITIES.items()])
def test_a_quality_is_a_system(quality, name):
    assert tertulia.load(quality=quality).name == name


def test_a_quality_of_a_named_system_makes_no_sense():
    with pytest.raises(UsageError, match=r"give pyannote-3\.1 or best, not both"):
        tertulia.load("pyannote-3.1", quality="best")
    with pytest.raises(UsageError, match="unknown quality 'good'; there is: balanced, best, fast"):
        tertulia.load(quality="good")


def test_a_device_reaches_every_network(monkeypatch):
    monkeypatch.setattr("tertulia.inference.check_device", lambda device: None)
    diarizer = tertulia.load(device="cuda")
    assert (diarizer.segmenter.device, diarizer.embedder.device) == ("cuda", "cuda")
    assert diarizer.embedder.frames.path.stem == "campplus-frames"  # 8 bits are for the CPU
    assert diarizer.segmenter.network.device == "cuda"


def test_a_system_without_networks_has_no_use_for_a_device(monkeypatch):
    monkeypatch.setattr("tertulia.inference.check_device", lambda device: None)
    with pytest.raises(UsageError, match="nothing in this system can compute on cuda"):
        tertulia.load("lium-clr", device="cuda")


def test_a_table_is_as_good_as_a_file():
    built = systems.build(systems.system(MINIMAL, "table", "here"))
    assert (built.name, built.binarize) == ("table", BINARIZERS["count"]())


# ── every registry ───────────────────────────────────────────────────────────────────────────────────────


def kinds_named(name: str) -> list[type]:
    return [kind for kinds in FAMILIES.values() for kind in kinds.values() if kind.__name__ == name]


@pytest.mark.parametrize(
    ("family", "name", "kind"),
    [(family, name, kind) for family, kinds in FAMILIES.items() for name, kind in kinds.items()],
)
def test_every_part_is_a_frozen_dataclass_with_documented_settings(family, name, kind):
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    assert name == name.lower()
    documented = " ".join(inspect.getdoc(base) or "" for base in kind.__mro__ if base is not object)
    if elsewhere := re.search(r"see `(\w+)` for settings", documented):
        documented += " ".join(inspect.getdoc(other) for other in kinds_named(elsewhere[1]))
    for field in dataclasses.fields(kind):
        assert f"{field.name}: " in documented, f"{kind.__name__}.{field.name} has no description"
        assert field.default is not dataclasses.MISSING, "every setting has a default"


@pytest.mark.parametrize(
    "kind", [kind for kinds in FAMILIES.values() for kind in kinds.values() if bundled(kind)]
)
def test_settings_make_the_same_part_again(kind):
    part = kind()
    assert from_table(kind, {k: v for k, v in settings(part).items() if v is not None}, "again") == part


@pytest.fixture(scope="module")
def ten_seconds(sound):
    """Two windows, the second of them half beyond the end."""
    (batch,) = slide([sound[8 * 16_000 : 23 * 16_000]], 16_000, size=160_000, hop=80_000, batch=4)
    return batch


@pytest.mark.parametrize("name", SEGMENTERS)
def test_segmenters(name, ten_seconds):
    segmenter = SEGMENTERS[name]()
    assert segmenter.sample_rate == 16_000
    assert 0 < segmenter.hop <= segmenter.window
    assert segmenter.window >= 10.0
    before = ten_seconds.samples.copy()
    seen = segmenter(ten_seconds)
    np.testing.assert_array_equal(ten_seconds.samples, before)
    assert isinstance(seen, Activity)
    windows, frames, local = seen.scores.shape
    assert windows == len(ten_seconds)
    assert seen.active.shape == seen.solo.shape == seen.scores.shape
    assert seen.count.shape == (windows, frames)
    assert seen.active.dtype == bool
    assert {x.dtype for x in (seen.scores, seen.solo, seen.count)} == {np.dtype(np.float32)}
    assert seen.hop == 5.0
    for values in (seen.scores, seen.solo):
        assert values.min() >= 0
        assert values.max() <= 1 + 1e-5
    assert not seen.solo[seen.active.sum(axis=2) != 1].any()
    assert not seen.solo[~seen.active].any()
    assert seen.count.min() >= 0
    assert seen.count.max() <= local + 1e-5
    assert seen.active.any()
    # Frames tile the window: none begins before it by more than a frame, and none is missing at its end.
    assert abs(seen.grid.edge(0)) < 0.05
    assert abs(seen.grid.edge(frames) - 10.0) < 0.05
    again = segmenter(ten_seconds)
    np.testing.assert_array_equal(again.scores, seen.scores)


@pytest.mark.parametrize("name", [name for name, kind in EMBEDDERS.items() if bundled(kind)])
def test_embedders(name, ten_seconds, default):
    embedder = EMBEDDERS[name]()
    assert embedder.margin >= 0
    activity = default.segmenter(ten_seconds)
    voices = embedder(ten_seconds, activity)
    assert isinstance(voices, Voices)
    windows, local, pieces, dim = voices.vectors.shape
    assert (windows, local) == activity.scores.shape[::2]
    assert dim == embedder.dim
    assert pieces * voices.piece == pytest.approx(10.0)
    assert voices.hop == 5.0
    for values in (voices.support, voices.solo, voices.present):
        assert values.shape == (windows, local, pieces)
        assert values.min() >= 0
    silent = ~activity.active.any(axis=1)
    assert np.isnan(voices.vectors[silent]).all()
    assert not voices.present[silent].any()
    assert voices.embedded.any()
    assert (np.isnan(voices.vectors).any(axis=-1) == np.isnan(voices.vectors).all(axis=-1)).all()
    assert {name: len(network.sha256) for name, network in embedder.networks.items()}


@pytest.mark.parametrize("name", CLUSTERERS)
@pytest.mark.parametrize(
    "speakers", [ANY, Speakers(1), Speakers(2), Speakers(minimum=3), Speakers(maximum=1)]
)
@pytest.mark.parametrize("kind", ["campplus", "campplus-window"])
def test_clusterers(name, speakers, kind, request):
    voices = request.getfixturevalue({"campplus": "voices", "campplus-window": "per_window"}[kind])
    labels = CLUSTERERS[name]()(voices, speakers)
    assert labels.shape == voices.present.shape
    assert labels.dtype == np.intp
    silent = ~(voices.present > 0).any(axis=2)
    assert (labels[silent] == -1).all()
    assert (labels[~silent] >= 0).all()
    found = np.unique(labels[~silent])
    assert found[-1] < len(voices.present.reshape(-1))
    assert len(found) in speakers
    np.testing.assert_array_equal(CLUSTERERS[name]()(voices, speakers), labels)


@pytest.fixture(scope="module")
def per_window(windows, activity) -> Voices:
    return EMBEDDERS["campplus-window"]()(windows, activity)


@pytest.mark.parametrize("name", CLUSTERERS)
def test_clusterers_refuse_what_cannot_be_had(name, voices):
    with pytest.raises(UsageError, match="exactly 5000 speakers were asked for"):
        CLUSTERERS[name]()(voices, Speakers(5000))
    nobody = dataclasses.replace(
        voices,
        vectors=np.full_like(voices.vectors, np.nan),
        **{x: np.zeros_like(voices.present) for x in ("support", "solo", "present")},
    )
    assert (CLUSTERERS[name]()(nobody, ANY) == -1).all()
    with pytest.raises(UsageError, match="no speech at all"):
        CLUSTERERS[name]()(nobody, Speakers(1))


@pytest.mark.parametrize("name", BINARIZERS)
@pytest.mark.parametrize("at_most", [None, 1, 2])
def test_binarizers(name, at_most):
    random = np.random.default_rng(0)
    scores = random.random((200, 4)).astype(np.float32)
    before = scores.copy()
    stitched = Stitched(Frames(scores, Grid(0.1)), scores.sum(axis=1))
    binarize = BINARIZERS[name]()
    mask = binarize(stitched, at_most)
    assert mask.shape == scores.shape
    assert mask.dtype == bool
    assert mask.any()
    assert mask.sum(axis=1).max() <= (at_most or 4)
    np.testing.assert_array_equal(scores, before)
    assert binarize.timeline(mask[:, 0], Grid(0.1)).duration == pytest.approx(mask[:, 0].sum() / 10)
