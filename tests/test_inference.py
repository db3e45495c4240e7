import hashlib
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tertulia.errors import MissingExtraError, ModelMissingError, UsageError
from tertulia.inference import WEIGHTS, Network, check_device, weights

BUNDLED = sorted(path.stem for path in WEIGHTS.glob("*.onnx"))


def test_bundled_weights_are_found_by_name():
    assert "segmentation-3.0" in BUNDLED
    for name in BUNDLED:
        assert weights(name) == WEIGHTS / f"{name}.onnx"


@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_network_opens_and_has_a_card_with_its_checksum(name):
    network = Network(name, threads=1)
    assert network.session.get_outputs()
    assert network.sha256 == hashlib.sha256((WEIGHTS / f"{name}.onnx").read_bytes()).hexdigest()
    cards = "".join(card.read_text(encoding="utf-8") for card in WEIGHTS.glob("*.md"))
    assert network.sha256 in cards


def test_a_file_of_one_s_own(tmp_path):
    path = tmp_path / "mine.onnx"
    path.write_bytes((WEIGHTS / "campplus-projection.onnx").read_bytes())
    assert weights(str(path)) == path
    statistics = np.ones((2, 1024), np.float32)
    np.testing.assert_array_equal(
        Network(str(path))(statistics=statistics), Network("campplus-projection")(statistics=statistics)
    )


@pytest.mark.parametrize("name", ["segmentation-9", "", "../weights", "/", "a\0b"])
def test_weights_that_are_not_here(name):
    with pytest.raises(
        ModelMissingError, match=r"bundled are: campplus-frames, .*segmentation-3\.0"
    ) as caught:
        weights(name)
    assert caught.value.exit_code == 4
    with pytest.raises(ModelMissingError):
        Network(name)


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x00" * 100])
def test_a_file_that_is_no_network(tmp_path, content):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelMissingError, match=r"broken\.onnx cannot be opened as a network"):
        Network(str(path)).session  # noqa: B018 — opening is what fails


def test_checksums_follow_the_file(tmp_path):
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"one")
    network = Network(str(path))
    first = network.sha256
    path.write_bytes(b"another")
    assert first == hashlib.sha256(b"one").hexdigest()
    assert network.sha256 == hashlib.sha256(b"another").hexdigest()


def test_networks_open_at_their_first_use():
    network = Network("campplus-projection")
    assert network._session is None
    network(statistics=np.ones((1, 1024), np.float32))
    assert network._session is network.session


def test_an_unopened_network_can_be_pickled():
    network = pickle.loads(pickle.dumps(Network("campplus-projection", threads=1)))
    assert network(statistics=np.ones((3, 1024), np.float32)).shape == (3, 192)


def test_named_outputs():
    network = Network("campplus-projection")
    inputs = {"statistics": np.ones((3, 1024), np.float32)}
    (embeddings,) = network.run(["embeddings"], inputs)
    np.testing.assert_array_equal(embeddings, network(**inputs))


class FakeRuntime:
    """Stands in for ONNX Runtime on a machine with a graphics processor, or one that lacks its driver."""

    def __init__(self, has, works):
        self.has, self.works = has, works
        self.asked = []

    def get_available_providers(self):
        return self.has

    class SessionOptions:
        def add_session_config_entry(self, key, value):
            pass

    def InferenceSession(self, path, options, providers):  # noqa: N802
        self.asked.append(providers)
        return SimpleNamespace(get_providers=lambda: self.works)


CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def test_a_device_is_what_the_session_is_opened_on(monkeypatch):
    runtime = FakeRuntime([CUDA, CPU], [CUDA, CPU])
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    assert Network("segmentation-3.0", device="cuda").session is not None
    assert Network("segmentation-3.0").session is not None
    assert runtime.asked == [[CUDA], [CPU]]


def test_a_device_without_its_runtime_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime([CPU], [CPU]))
    with pytest.raises(MissingExtraError, match=r"CUDAExecutionProvider.*pip install onnxruntime-gpu"):
        check_device("cuda")


def test_no_silent_way_back_to_the_cpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime([CUDA, CPU], [CPU]))
    with pytest.raises(MissingExtraError, match="no driver or no libraries"):
        _ = Network("segmentation-3.0", device="cuda").session


def test_unknown_devices():
    with pytest.raises(UsageError, match="unknown device 'tpu'; there is: cpu, cuda"):
        check_device("tpu")
