"""The torch definitions and the bundled ONNX files are the same networks.

The checkpoints are not part of the repository, so the weights are taken back out of the ONNX files: layers
that the export has fused with their normalisation come back as a layer and a normalisation that only adds.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tertulia.inference import Network, weights

torch = pytest.importorskip("torch", reason="needs the train extra")
onnx = pytest.importorskip("onnx", reason="needs the train extra")

TOOL = Path(__file__).parents[2] / "tools" / "convert_weights.py"


def graph(name: str):
    """Nodes of a bundled network and its parameters by name."""
    model = onnx.load(str(weights(name))).graph
    return model.node, {item.name: onnx.numpy_helper.to_array(item) for item in model.initializer}


def trace(network, *inputs):
    """Convolutions in the order they run in, each with the normalisation that takes its output, if any."""
    convolutions, normalised, alive = [], {}, []

    def hook(module, given, made):
        alive.append((given, made))  # so that no id is used twice
        if isinstance(module, torch.nn.Conv1d | torch.nn.Conv2d):
            convolutions.append((module, id(made)))
        elif isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            normalised[id(given[0])] = module

    handles = [module.register_forward_hook(hook) for module in network.modules()]
    with torch.no_grad():
        network(*inputs)
    for handle in handles:
        handle.remove()
    return [(module, normalised.get(made)) for module, made in convolutions]


def only_adds(normalisation, bias) -> None:
    """Make a normalisation one that adds `bias` to each channel."""
    normalisation.eps = 0.0
    with torch.no_grad():
        normalisation.running_var.fill_(1)
        if normalisation.affine:
            normalisation.running_mean.zero_()
            normalisation.weight.fill_(1)
            normalisation.bias.copy_(bias)
        else:
            normalisation.running_mean.copy_(-bias)


def campplus():
    """CAM++ in torch, with the parameters of the two bundled files."""
    from tertulia.networks.campplus import CAMPPlus

    network = CAMPPlus().eval()
    nodes, parameters = [], {}
    for name in ("campplus-frames", "campplus-projection"):
        more, values = graph(name)
        nodes += [node for node in more if node.op_type == "Conv"]
        parameters |= values
    named = {name.removeprefix("network."): torch.tensor(value) for name, value in parameters.items()}
    state = network.state_dict()
    state |= {name: value for name, value in named.items() if name in state}
    network.load_state_dict(state)
    for (module, normalisation), node in zip(trace(network, torch.randn(1, 40, 80)), nodes, strict=True):
        weight, *bias = (torch.tensor(parameters[name]) for name in node.input[1:])
        with torch.no_grad():
            module.weight.copy_(weight)
        if bias and module.bias is None:
            only_adds(normalisation, bias[0])
        elif bias:
            with torch.no_grad():
                module.bias.copy_(bias[0])
    return network


def pyannet():
    """PyanNet in torch, with the parameters of the bundled file."""
    from tertulia.networks.pyannet import PyanNet

    network = PyanNet().eval()
    nodes, parameters = graph("segmentation-3.0")
    state = network.state_dict()
    taken = {name: torch.tensor(value) for name, value in parameters.items() if name in state}
    for layer, node in enumerate(node for node in nodes if node.op_type == "LSTM"):
        for kind, values in zip(("weight_ih", "weight_hh", "bias"), node.input[1:4], strict=True):
            for way, value in zip(("", "_reverse"), parameters[values], strict=True):
                for part, name in _lstm(kind, value):
                    taken[f"lstm.{name}_l{layer}{way}"] = torch.tensor(part)
    matrices = [
        parameters[node.input[1]]
        for node in nodes
        if node.op_type == "MatMul" and node.input[1] in parameters
    ]
    linear = [value for value in matrices if value.ndim == 2 and value.shape[0] > 1]
    for name, value in zip(("linear.0", "linear.1", "classifier"), linear, strict=True):
        taken[f"{name}.weight"] = torch.tensor(value.T)
    assert set(taken) == set(state), "every parameter is in the file"
    network.load_state_dict(taken)
    return network


def _lstm(kind: str, values: np.ndarray):
    """ONNX orders gates as input, output, forget, cell; torch as input, forget, cell, output."""

    def reordered(rows):
        given = np.split(rows, 4)
        return np.concatenate([given[0], given[2], given[3], given[1]])

    if kind != "bias":
        return [(reordered(values), kind)]
    ours, theirs = np.split(values, 2)
    return [(reordered(ours), "bias_ih"), (reordered(theirs), "bias_hh")]


@pytest.fixture(scope="module")
def speaker_network():
    return campplus()


@pytest.fixture(scope="module")
def segmentation_network():
    return pyannet()


def noise(*shape: int):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("time", [20, 50, 98, 201, 298])
def test_campplus_frames(time, speaker_network):
    from tertulia.networks.campplus import block_context

    features = noise(2, time, 80)
    context, spread = block_context((time + 1) // 2)
    with torch.no_grad():
        expected = speaker_network.frames(features, context, spread).numpy()
    got = Network("campplus-frames")(
        features=features.numpy(), context=context.numpy(), spread=np.ascontiguousarray(spread.numpy())
    )
    assert got.shape == (2, (time + 1) // 2, 512)
    np.testing.assert_allclose(got, expected, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("batch", [1, 2, 3, 8, 64])
def test_campplus_projection(batch, speaker_network):
    statistics = noise(batch, 1024)
    with torch.no_grad():
        expected = speaker_network.embed(statistics).numpy()
    np.testing.assert_allclose(
        Network("campplus-projection")(statistics=statistics.numpy()), expected, atol=1e-4, rtol=1e-4
    )


def test_the_last_layer_of_campplus_has_no_relu(speaker_network):
    with torch.no_grad():
        assert (speaker_network.embed(noise(8, 1024)) < 0).any()


def test_a_window_is_embedded_as_the_published_network_does(speaker_network, sound):
    """One person all through a window: the network in torch on the same features gives the same vector."""
    from tertulia.audio.windows import slide
    from tertulia.embedding import CAMPPlusWindow
    from tertulia.features import fbank
    from tertulia.frames import Grid
    from tertulia.segmentation import Activity

    samples = sound[22 * 16_000 : 27 * 16_000]
    (windows,) = slide([samples], 16_000, size=80_000, hop=80_000, batch=1)
    always = np.ones((1, 250, 1), np.float32)
    activity = Activity(always, always > 0, always, always[..., 0], Grid(0.02), 5.0)
    voices = CAMPPlusWindow()(windows, activity)
    features = fbank(samples, centred=False)
    with torch.no_grad():
        (expected,) = speaker_network(torch.tensor(features - features.mean(axis=0))[None]).numpy()
    got = voices.vectors[0, 0, 0]
    assert got @ expected / np.linalg.norm(got) / np.linalg.norm(expected) > 0.99999
    np.testing.assert_allclose(got, expected, atol=5e-3)


def test_the_paper_s_context_is_two_means():
    from tertulia.networks.campplus import block_context

    context, spread = block_context(250)
    x = noise(250, 3)
    assert (context.shape, spread.shape) == ((250, 3), (3, 250))
    gates = (context.T @ x).numpy()
    for cell, (begin, end) in enumerate([(0, 100), (100, 200), (200, 250)]):
        np.testing.assert_allclose(gates[cell], x.mean(0) + x[begin:end].mean(0), atol=1e-5)
        assert spread[cell].nonzero().flatten().tolist() == list(range(begin, end))


@pytest.mark.parametrize("samples", [4_000, 8_000, 16_000, 31_234, 80_000])
def test_segmentation(samples, segmentation_network):
    waveforms = 0.1 * noise(2, 1, samples)
    with torch.no_grad():
        expected = segmentation_network(waveforms).numpy()
    got = Network("segmentation-3.0")(waveforms=waveforms.numpy())
    assert got.shape == (2, (samples - 991) // 270 + 1, 7)
    np.testing.assert_allclose(got, expected, atol=2e-3)
    np.testing.assert_allclose(np.exp(got).sum(axis=2), 1, atol=1e-5)


def test_filters_pass_their_band():
    from tertulia.networks.pyannet import SincFilters

    bank = SincFilters()
    with torch.no_grad():
        responses = bank.filters()[:, 0].numpy()
    assert responses.shape == (80, 251)
    np.testing.assert_allclose(responses[:40], responses[:40, ::-1], atol=1e-6)  # cosine phases are even
    np.testing.assert_allclose(responses[40:], -responses[40:, ::-1], atol=1e-6)  # sine phases are odd
    low = 50 + np.abs(bank.low_hz_.detach().numpy()[:, 0])
    high = np.minimum(low + 50 + np.abs(bank.band_hz_.detach().numpy()[:, 0]), 8000)
    spectrum = np.abs(np.fft.rfft(responses[:40], 4096))
    peaks = spectrum.argmax(axis=1) * 16_000 / 4096
    assert (peaks > low - 64).all()
    assert (peaks < high + 64).all()


# ── exporting ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def tool(tmp_path, monkeypatch):
    specification = importlib.util.spec_from_file_location("convert_weights", TOOL)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "WEIGHTS", tmp_path)
    return module


def test_a_network_left_in_training_mode_is_exported_as_it_runs(tool):
    """Batch statistics in an exported network are the classic trap: results would depend on the batch."""
    from tertulia.networks.campplus import CAMPPlus

    torch.manual_seed(0)
    network = CAMPPlus(dim=16, growth=4).train()
    wide = network.xvector["dense"].linear.in_channels
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.uniform_(-1, 1)
    projection = tool.Projection(network)
    with torch.no_grad():
        trained = projection(noise(4, wide)).numpy()
    path = tool.export(
        projection,
        "small.onnx",
        {"statistics": noise(2, wide)},
        {"statistics": {0: "batch"}, "embeddings": {0: "batch"}},
        "embeddings",
    )
    assert not any(module.training for module in network.modules())
    examples = [{"statistics": noise(batch, wide)} for batch in (1, 2, 3, 8, 64)]
    assert tool.largest_difference(projection, path, examples) < 1e-5
    got = Network(str(path))(statistics=noise(4, wide).numpy())
    assert np.abs(got - trained).max() > 0.1, "the two modes differ, so the test can tell them apart"
