"""`.nemo` archives: what is read, and what is refused."""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tertulia.endtoend.archive import CONFIG, PARAMETERS, read_archive, read_config
from tertulia.errors import InputError

CONTENT = b"encoder:\n  d_model: 32\n"


def made(
    path: Path, *members: tuple[str, bytes], change: Callable[[tarfile.TarInfo], None] | None = None
) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if change and name not in (f"./{CONFIG}", f"./{PARAMETERS}"):
                change(info)
            archive.addfile(info, io.BytesIO(content[: info.size]))
    return path


WHOLE = ((f"./{CONFIG}", CONTENT), (f"./{PARAMETERS}", b"numbers"))


def test_members_are_read_without_extraction(tmp_path, monkeypatch):
    archive = made(tmp_path / "m.nemo", *WHOLE, ("./tokenizer.model", b"x"))
    monkeypatch.chdir(tmp_path)
    config, parameters = read_archive(archive)
    assert config == {"encoder": {"d_model": 32}}
    assert parameters.read() == b"numbers"
    assert [path.name for path in tmp_path.iterdir()] == ["m.nemo"]


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:\\evil", "./../evil"]
)
def test_names_that_lead_out_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="leads out of the archive"):
        read_archive(made(tmp_path / "m.nemo", *WHOLE, (name, b"x")))


@pytest.mark.parametrize("name", [CONFIG, f"./{CONFIG}", f"./{PARAMETERS}", f".//{PARAMETERS}"])
def test_members_that_are_there_twice_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="is there twice"):
        read_archive(made(tmp_path / "m.nemo", *WHOLE, (name, CONTENT)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname, info.size = kind, "/etc/passwd", 0

    with pytest.raises(InputError, match="a link or a device"):
        read_archive(made(tmp_path / "m.nemo", *WHOLE, ("other", b""), change=change))


def test_sizes_are_bounded(tmp_path):
    with pytest.raises(InputError, match="1048576 are allowed"):
        read_archive(made(tmp_path / "m.nemo", (CONFIG, b"#" * (1 << 21)), (PARAMETERS, b"")))
    many = [(str(n), b"") for n in range(1001)]
    with pytest.raises(InputError, match="more than 1000 members"):
        read_archive(made(tmp_path / "n.nemo", *many))


def test_what_is_no_archive(tmp_path):
    (tmp_path / "m.nemo").write_bytes(b"PK\3\4 something else")
    with pytest.raises(InputError, match=r"no \.nemo archive"):
        read_archive(tmp_path / "m.nemo")
    with pytest.raises(InputError, match=f"lacks {PARAMETERS}"):
        read_archive(made(tmp_path / "n.nemo", WHOLE[0]))
    whole = made(tmp_path / "o.nemo", *WHOLE).read_bytes()
    (tmp_path / "o.nemo").write_bytes(whole[:600])
    with pytest.raises(InputError, match=r"no \.nemo archive"):
        read_archive(tmp_path / "o.nemo")


def test_configurations_are_plain_values():
    assert read_config(b"encoder: {d: '${model.dim}', e: '${encoder.d}'}\ndim: 8", "m") == {
        "encoder": {"d": 8, "e": 8}
    }
    for content, message in [
        (b"a: !!python/object/apply:os.system ['true']", "no plain YAML"),
        (b"a: {b: '${c.d}'}", "refers to 'c.d'"),
        (b"a: {b: '${a.b}'}", "in circles"),
        (b"- 1", "no table"),
        (b"\xff\xfe", "no plain YAML"),
        (b"a: [", "no plain YAML"),
    ]:
        with pytest.raises(InputError, match=message):
            read_config(content, "m")


# ── with parameters ──────────────────────────────────────────────────────────────────────────────────────


class Evil:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return exec, ("raise SystemExit('code ran')",)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """An archive laid out as the published ones, small and of random weights; and the network in it."""
    torch = pytest.importorskip("torch")
    from tertulia.networks.sortformer import Sortformer, SortformerSize

    torch.manual_seed(0)
    network = Sortformer(
        SortformerSize(
            channels=8,
            dim=16,
            layers=2,
            heads=2,
            expansion=4,
            hidden=8,
            hidden_layers=2,
            hidden_heads=2,
            scaled=True,
        )
    ).eval()
    return network, laid_out(tmp_path_factory.mktemp("published") / "small.nemo", network)


YAML = """
sample_rate: 16000
max_num_of_spks: 4
preprocessor: {_target_: whatever.it.is, normalize: per_feature, window_size: 0.025, window_stride: 0.01,
  features: 80, n_fft: 512, sample_rate: '${sample_rate}'}
encoder: {feat_in: '${preprocessor.features}', n_layers: 2, d_model: 16, n_heads: 2, subsampling: dw_striding,
  subsampling_factor: 8, subsampling_conv_channels: 8, ff_expansion_factor: 4, conv_kernel_size: 9, xscaling:
      true}
transformer_encoder: {num_layers: 2, hidden_size: 8, inner_size: 32, num_attention_heads: 2, pre_ln: false}
sortformer_modules: {num_spks: '${model.max_num_of_spks}'}
"""


def laid_out(path, network, change=lambda state: None, yaml=YAML):
    import torch

    from tertulia.endtoend.spectrogram import mel_filters

    state = dict(network.state_dict())
    state["preprocessor.featurizer.window"] = torch.hann_window(400, periodic=False)
    state["preprocessor.featurizer.fb"] = torch.from_numpy(mel_filters(80))[None]
    state["sortformer_modules.hidden_to_spks.weight"] = torch.zeros(4, 16)
    state["sortformer_modules.hidden_to_spks.bias"] = torch.zeros(4)
    change(state)
    file = io.BytesIO()
    torch.save(state, file)
    return made(path, (f"./{CONFIG}", yaml.encode()), (f"./{PARAMETERS}", file.getvalue()))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("tertulia.endtoend.published.cache", lambda: tmp_path / "cache")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "cache"


def test_an_archive_computes_what_its_network_does(published, sound):
    import numpy as np
    import torch

    from tertulia.endtoend.published import opened
    from tertulia.endtoend.spectrogram import Spectrogram, mel_filters

    network, archive = published
    found = opened(str(archive), threads=1)(sound[:64_000])
    features = Spectrogram(np.hanning(400).astype(np.float32), mel_filters(80), True)(sound[:64_000])
    with torch.no_grad():
        expected = network(torch.from_numpy(features)[None]).sigmoid()[0].numpy()
    assert found.shape == (50, 4)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_conversion_is_kept(published, cache, monkeypatch):
    import sys

    from tertulia.endtoend.published import opened
    from tertulia.errors import MissingExtraError

    _, archive = published
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "tertulia.networks.nemo", None)
        with pytest.raises(MissingExtraError, match="needs torch"):
            opened(str(archive))
    opened(str(archive))
    monkeypatch.setitem(sys.modules, "tertulia.networks.nemo", None)
    assert opened(str(archive)).speakers == 4
    assert len(list(cache.iterdir())) == 1


def test_all_keys_that_do_not_fit_are_listed(published, tmp_path):
    from tertulia.networks.nemo import read

    network, _ = published

    def change(state):
        for number in range(6):
            state[f"more.{number}"] = state["sortformer_modules.encoder_proj.bias"]
        del state["encoder.layers.0.norm_out.weight"]
        state["encoder.layers.1.norm_out.bias"] = state["encoder.layers.1.norm_out.bias"][:3]

    with pytest.raises(InputError) as caught:
        read(laid_out(tmp_path / "m.nemo", network, change))
    message = str(caught.value)
    assert "missing: encoder.layers.0.norm_out.weight;" in message
    assert "unexpected: more.0, more.1, more.2, more.3, more.4, more.5;" in message
    assert message.endswith("of another shape: encoder.layers.1.norm_out.bias")


def test_code_in_parameters_is_refused(published, tmp_path):
    pytest.importorskip("torch")
    from tertulia.networks.nemo import read

    for content in (pickle.dumps({"a": Evil()}), pickle.dumps(Evil())):
        path = made(tmp_path / "m.nemo", (CONFIG, YAML.encode()), (PARAMETERS, content))
        with pytest.raises(InputError, match=r"refused|no parameters"):
            read(path)

    def change(state):
        state["evil"] = Evil()

    with pytest.raises(InputError, match="could run code"):
        read(laid_out(tmp_path / "n.nemo", published[0], change))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dw_striding", "vggnet", r"encoder\.subsampling is 'vggnet'"),
        ("n_layers: 2", "n_layers: 100000", "whole number from 1 to 8192"),
        ("n_layers: 2", "n_layers: yes", "got True"),
        ("d_model: 16", "d_model: 15", "heads have to divide"),
        ("inner_size: 32", "inner_size: 33", "inner_size is 33"),
        ("pre_ln: false", "pre_ln: true", "pre_ln is True"),
    ],
)
def test_other_networks_are_refused(published, tmp_path, old, new, message):
    from tertulia.networks.nemo import read

    with pytest.raises(InputError, match=message):
        read(laid_out(tmp_path / "m.nemo", published[0], yaml=YAML.replace(old, new)))


def test_weights_by_name_that_are_nowhere(tmp_path):
    from tertulia.endtoend.published import opened
    from tertulia.errors import ModelMissingError

    for name in ("no-such-weights", str(tmp_path / "none.nemo")):
        with pytest.raises(ModelMissingError, match="no weights"):
            opened(name)
    with pytest.raises(ModelMissingError, match="HF_HUB_OFFLINE"):
        opened("nvidia/diar_sortformer_4spk-v1")


def test_an_archive_in_the_cache_of_the_hub(published, tmp_path):
    from tertulia.endtoend.published import opened

    folder = tmp_path / "hf" / "hub" / "models--nvidia--diar_sortformer_4spk-v1"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "snapshots" / "abc" / "diar_sortformer_4spk-v1.nemo").write_bytes(published[1].read_bytes())
    assert opened("nvidia/diar_sortformer_4spk-v1").speakers == 4
