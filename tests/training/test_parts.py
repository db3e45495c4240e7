"""Curves, the teacher's targets, networks and features."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tertulia.embedding import EMBEDDERS
from tertulia.errors import InputError
from tertulia.features import fbank
from tertulia.networks.ecapa import ECAPA
from tertulia.networks.frontend import Cepstra, LogMel
from tertulia.training import make_task, read_recipe
from tertulia.training.curves import draw_curves
from tertulia.training.export import export, round_to_half
from tertulia.training.pack import pack
from tertulia.training.teacher import targets

Written = Callable[..., Path]
SVG = "{http://www.w3.org/2000/svg}"


# ── curves ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_panel_for_each_kind_of_figure() -> None:
    history = [
        {"epoch": 0, "eer_dev": 0.4},
        {"epoch": 1, "loss": 2.0, "eer_dev": 0.2},
        {"epoch": 2, "loss": 1.0},
    ]
    root = ET.fromstring(draw_curves(history))
    titles = [g.find(f"{SVG}text").text for g in root.iter(f"{SVG}g")]
    assert titles == ["eer", "loss"]
    lines = [line.get("points").split() for line in root.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [2, 2]
    (_, high), (_, low) = ([float(x) for x in point.split(",")] for point in lines[1])
    assert high < low, "a falling loss falls"


def test_curves_survive_what_is_no_number() -> None:
    root = ET.fromstring(draw_curves([{"epoch": 1, "loss": math.nan, "a<b": 1.0}]))
    assert any(text.text == "a<b" for text in root.iter(f"{SVG}text"))
    ET.fromstring(draw_curves([]))


def test_curves_become_png() -> None:
    pytest.importorskip("resvg_py")
    from tertulia.drawing import to_png

    assert to_png(draw_curves([{"epoch": 1, "loss": 1.0}])).startswith(b"\x89PNG")


# ── networks ─────────────────────────────────────────────────────────────────────────────────────────────


def test_ecapa_has_the_source_s_number_of_parameters() -> None:
    recipe = read_recipe(Path(__file__).parents[2] / "recipes" / "ecapa.toml")
    widths = {key: value for key, value in recipe.network.items() if key != "name"}
    count = sum(p.numel() for p in ECAPA(**widths).parameters())
    assert count == pytest.approx(1_329_000, rel=0.02)


def test_log_mel_is_kaldi_s() -> None:
    samples = (0.1 * np.random.default_rng(0).standard_normal(24_000)).astype(np.float32)
    got = LogMel()(torch.from_numpy(samples)[None])[0].numpy()
    np.testing.assert_allclose(got, fbank(samples, centred=False), atol=1e-3)


def test_cepstra_are_a_cosine_transform() -> None:
    from scipy.fft import dct

    features = torch.randn(2, 5, 80, generator=torch.Generator().manual_seed(0))
    expected = dct(features.numpy(), norm="ortho")[..., :24]
    np.testing.assert_allclose(Cepstra(80, 24)(features).numpy(), expected, atol=1e-5)


@pytest.fixture(scope="module")
def ecapa() -> ECAPA:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ECAPA(16, 80, 20, channels=16, blocks=2, scale=4, bottleneck=8, wide=24, attention=8)
        for _ in range(3):  # batch normalisation that does something
            network(torch.randn(4, 50, 80))
    return network.eval()


def test_pooling_looks_at_frames_with_weight_only(ecapa: ECAPA) -> None:
    frames = torch.randn(1, 30, 24, generator=torch.Generator().manual_seed(1)).relu()
    weights = (torch.arange(30) < 20).float()[None]
    with torch.no_grad():
        masked = ecapa.embed(frames, weights)
        torch.testing.assert_close(
            masked, ecapa.embed(frames[:, :20], torch.ones(1, 20)), atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(masked, ecapa.embed(frames, 3 * weights))
        assert torch.isfinite(ecapa.embed(frames, torch.zeros(1, 30))).all()


def test_uniform_attention_is_plain_statistics(ecapa: ECAPA) -> None:
    pool, x = ecapa.pool, torch.randn(2, 24, 40, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        before = pool.scores.weight.clone()
        pool.scores.weight.zero_()
        pooled = pool(x, torch.ones(2, 40))
        pool.scores.weight.copy_(before)
    np.testing.assert_allclose(pooled[:, :24], x.mean(dim=2), atol=1e-5)
    np.testing.assert_allclose(pooled[:, 24:], x.std(dim=2, correction=0), atol=1e-4)


def test_an_export_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    class Drifting(torch.nn.Module):
        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return x + float(self.calls)

    with pytest.raises(InputError, match="differs by"):
        export(Drifting(), tmp_path / "x.onnx", [{"x": torch.zeros(1, 2)}], {})
    assert not list(tmp_path.iterdir())


def test_matrices_in_16_bits(tmp_path: Path) -> None:
    network, example = nn.Sequential(nn.Linear(40, 60), nn.BatchNorm1d(60)), {"x": torch.randn(3, 40)}
    round_to_half(network)
    sizes = {}
    for half in (False, True):
        path = tmp_path / f"{half}.onnx"
        assert export(network, path, [example], {"x": {0: "n"}}, half=half) < 1e-5
        sizes[half] = path.stat().st_size
    assert sizes[False] - sizes[True] > 0.9 * 2 * 40 * 60


# ── the teacher ──────────────────────────────────────────────────────────────────────────────────────────


def test_targets_are_the_teacher_s_and_are_kept(speech: Path, tmp_path: Path) -> None:
    files = sorted(speech.rglob("*.wav"))[:3]
    packed = pack([(path, 0.0, None) for path in files], tmp_path, report=print)
    teacher = EMBEDDERS["campplus-window"](threads=1)
    made = targets(teacher, packed, [0, 2], [1.0, 1.1])
    assert made.shape == (2, 2, 192)
    np.testing.assert_allclose(np.linalg.norm(made, axis=2), 1, atol=1e-5)
    assert not np.allclose(made[0], made[1]), "a faster voice is another"
    np.testing.assert_array_equal(targets(teacher, packed, [0, 2], [1.0, 1.1]), made)
    (kept,) = tmp_path.glob("*.npy")
    np.testing.assert_array_equal(np.load(kept, allow_pickle=False), made)


def test_distilling_needs_no_labels(written: Written, speech: Path, tmp_path: Path) -> None:
    changes = {"loss": {"softmax": None, "distillation": 1.0}, "network": {"dim": 192}}
    task = make_task(read_recipe(written(**changes), {"speech": str(speech)}), tmp_path, print)
    example = task.example(0, np.random.default_rng(0))
    assert example["targets"].shape == (192,)
    model = task.model()
    batch = {name: torch.from_numpy(np.stack([value, value])) for name, value in example.items()}
    losses = model(batch)
    assert set(losses) == {"loss_distillation"}
    losses["loss_distillation"].backward()
    assert all(p.grad is not None for p in model.network.parameters())


def test_a_teacher_of_crops_hears_them_clean_and_is_no_part_of_the_model(
    written: Written, speech: Path, tmp_path: Path
) -> None:
    changes = {
        "loss": {"softmax": None, "distillation": 1.0, "hears": "crops"},
        "network": {"dim": 192},
        "augmentation": {"noise": 1.0, "snr": [0.0, 0.0], "speeds": [0.8, 1.2]},
    }
    task = make_task(read_recipe(written(**changes), {"speech": str(speech)}), tmp_path, print)
    examples = [task.example(i, np.random.default_rng(i)) for i in range(4)]
    for example in examples:
        noise = example["waveforms"] - example["clean"]
        assert np.std(noise) == pytest.approx(np.std(example["clean"]), rel=0.1)
    model = task.model()
    parameters = sum(p.numel() for p in model.network.parameters())
    assert sum(p.numel() for p in model.parameters()) == parameters
    batch = {name: torch.from_numpy(np.stack([e[name] for e in examples])) for name in examples[0]}
    heard = []
    model._teacher, teacher = lambda features: heard.append(teacher(features)) or heard[-1], model._teacher
    losses = model(batch)
    targets = F.normalize(heard[0] - heard[0].mean(dim=0), dim=1)
    expected = 1 - F.cosine_similarity(model.embed(batch["waveforms"]), targets).mean()
    assert losses["loss_distillation"].item() == pytest.approx(expected.item(), abs=1e-3)
    torch.testing.assert_close(model.state_dict()["centre"], heard[0].mean(dim=0))


def test_an_epoch_of_several_passes(written: Written, speech: Path, tmp_path: Path) -> None:
    once, thrice = (
        make_task(read_recipe(written(data={"passes": n}), {"speech": str(speech)}), tmp_path, print)
        for n in (1, 3)
    )
    order = thrice.order(np.random.default_rng(0))
    assert sorted(order) == sorted(np.tile(once.order(np.random.default_rng(0)), 3))


def test_masks_blank_features_in_training_only(written: Written, speech: Path, tmp_path: Path) -> None:
    changes = {"augmentation": {"masks": 2, "band": 20, "time": 0.2}}
    model = make_task(read_recipe(written(**changes), {"speech": str(speech)}), tmp_path, print).model()
    seen: list[torch.Tensor] = []
    model.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    waveforms = 0.1 * torch.randn(3, 8000, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model.train().embed(waveforms)
    model.eval().embed(waveforms)
    masked, clean = seen
    assert 0 < (masked == 0).float().mean() < 0.9
    assert not (clean == 0).all(dim=1).any()
    assert torch.equal(masked[masked != 0], clean[masked != 0])
