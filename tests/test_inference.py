import hashlib
import pickle

import numpy as np
import pytest

from tertulia.errors import ModelMissingError
from tertulia.inference import WEIGHTS, Network, weights

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
