"""Finding models: local paths, a cache laid out as huggingface_hub does, and a hub that is made up."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from tertulia.errors import ModelMissingError
from tertulia.hub import is_id, locate

FILES = ("model.safetensors", "pytorch_model.bin")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class EntryNotFoundError(Exception): ...


class LocalEntryNotFoundError(EntryNotFoundError): ...


class Hub(types.ModuleType):
    """Stands in for huggingface_hub: repositories are a table, and every question is noted."""

    def __init__(self, folder: Path, repositories: dict[str, set[str]]) -> None:
        super().__init__("huggingface_hub")
        self.folder, self.repositories = folder, repositories
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.errors = types.SimpleNamespace(
            EntryNotFoundError=EntryNotFoundError, LocalEntryNotFoundError=LocalEntryNotFoundError
        )

    def hf_hub_url(self, repository: str, name: str, *, revision: str) -> str:
        return f"{repository}@{revision}:{name}"

    def get_hf_file_metadata(self, url: str, *, timeout: float) -> None:
        self.asked.append(url)
        if self.error:
            raise self.error
        if url.partition(":")[2] not in self.repositories[url.partition("@")[0]]:
            raise EntryNotFoundError(url)

    def hf_hub_download(self, repository: str, name: str, *, revision: str) -> str:
        path = self.folder / name
        path.write_text(f"{repository}@{revision}")
        return str(path)


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    made_up = Hub(tmp_path, {"org/bin": {"pytorch_model.bin"}, "org/both": set(FILES), "org/none": set()})
    monkeypatch.setitem(sys.modules, "huggingface_hub", made_up)
    return made_up


def cached(cache: Path, name: str = "pytorch_model.bin") -> Path:
    """Lay `org/voice` out, its branch `main` and its tag `v1` at COMMIT."""
    folder = cache / "models--org--voice"
    for reference in ("main", "v1"):
        (folder / "refs" / reference).parent.mkdir(parents=True, exist_ok=True)
        (folder / "refs" / reference).write_text(COMMIT)
    path = folder / "snapshots" / COMMIT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("weights")
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pyannote/embedding", True),
        ("pyannote/wespeaker-voxceleb-resnet34-LM@v1.0", True),
        ("org/name@refs/pr/3", True),
        ("org/name.v2", True),
        ("models/voice.bin", False),
        ("./org/name", False),
        ("/org/name", False),
        ("org/name/file", False),
        ("embedding", False),
        ("org/name@", False),
        ("org/na me", False),
        ("../name", False),
    ],
)
def test_shape_of_an_id(text: str, expected: bool) -> None:
    assert is_id(text) is expected


def test_a_local_file_is_taken_as_it_is(tmp_path: Path, hub: Hub) -> None:
    path = tmp_path / "anything.at.all"
    path.touch()
    assert locate(str(path), FILES, "…") == path
    assert hub.asked == []


def test_a_local_folder_comes_before_cache_and_hub(tmp_path: Path, hub: Hub) -> None:
    cached(tmp_path / "hf" / "hub")
    folder = tmp_path / "org" / "voice"
    folder.mkdir(parents=True)
    (folder / "pytorch_model.bin").touch()
    assert locate("org/voice", FILES, "…") == Path("org/voice/pytorch_model.bin")
    (folder / "model.safetensors").touch()
    assert locate("org/voice", FILES, "…") == Path("org/voice/model.safetensors")
    assert hub.asked == []


def test_a_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "voice.bin").touch()
    assert locate("~/voice.bin", FILES, "…") == tmp_path / "voice.bin"


def test_a_folder_without_weights_is_refused(tmp_path: Path, hub: Hub) -> None:
    (tmp_path / "org" / "bin").mkdir(parents=True)
    with pytest.raises(ModelMissingError, match=r"'org/bin' holds none of model.safetensors, .*; do this"):
        locate("org/bin", FILES, "do this")
    assert hub.asked == []


@pytest.mark.parametrize("model", ["models/voice.bin", "/no/such/folder", "voice", "~/nowhere/voice.pt"])
def test_a_path_is_never_looked_for_on_the_hub(model: str, hub: Hub) -> None:
    with pytest.raises(ModelMissingError, match="not a file or folder, and no id like org/name; do this"):
        locate(model, FILES, "do this")
    assert hub.asked == []


@pytest.mark.parametrize("model", ["org/voice", "org/voice@main", "org/voice@v1", f"org/voice@{COMMIT}"])
def test_the_cache_needs_neither_network_nor_package(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    path = cached(tmp_path / "hf" / "hub")
    assert locate(model, FILES, "…") == path


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"HF_HUB_CACHE": "{0}/exact"}, "exact"),
        ({"HF_HOME": "{0}/home"}, "home/hub"),
        ({"HF_HOME": "", "XDG_CACHE_HOME": "{0}/xdg"}, "xdg/huggingface/hub"),
        ({"HF_HOME": "", "HOME": "{0}/me"}, "me/.cache/huggingface/hub"),
    ],
)
def test_the_cache_is_where_the_variables_say(
    variables: dict[str, str], folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    path = cached(tmp_path / folder)
    assert locate("org/voice", FILES, "…") == path


def test_another_revision_is_not_taken_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    cached(tmp_path / "hf" / "hub")
    with pytest.raises(ModelMissingError, match="org/voice@v2 is not in"):
        locate("org/voice@v2", FILES, "…")


@pytest.mark.parametrize("value", ["1", "true", "YES", "on"])
def test_offline_asks_nobody(value: str, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    with pytest.raises(ModelMissingError, match=r"HF_HUB_OFFLINE forbids .*; do this"):
        locate("org/bin", FILES, "do this")
    assert hub.asked == []


def test_without_the_extra_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModelMissingError, match=r"pip install 'tertulia\[hub\]'; do this") as caught:
        locate("org/bin", FILES, "do this")
    assert caught.value.exit_code == 4


def test_the_best_file_there_is_gets_downloaded(hub: Hub) -> None:
    assert locate("org/both", FILES, "…").name == "model.safetensors"
    assert locate("org/bin@v3", FILES, "…").read_text() == "org/bin@v3"
    assert hub.asked == [
        "org/both@main:model.safetensors",
        "org/bin@v3:model.safetensors",
        "org/bin@v3:pytorch_model.bin",
    ]


def test_a_repository_without_weights(hub: Hub) -> None:
    with pytest.raises(ModelMissingError, match=r"org/none on the hub holds none of .*; do this"):
        locate("org/none", FILES, "do this")


@pytest.mark.parametrize(
    "error", [OSError("no\nroute  to host"), LocalEntryNotFoundError("no\nroute  to host")]
)
def test_what_keeps_a_download_back_is_told_in_one_line(error: Exception, hub: Hub) -> None:
    hub.error = error
    with pytest.raises(ModelMissingError, match="no route to host") as caught:
        locate("org/both", FILES, "do this")
    message = str(caught.value)
    assert "https://huggingface.co/org/both" in message
    assert "HF_TOKEN" in message
    assert message.endswith("; do this")
    assert "\n" not in message
    assert len(hub.asked) == 1


def test_long_messages_are_cut_and_empty_ones_named(hub: Hub) -> None:
    hub.error = OSError("x" * 1000)
    with pytest.raises(ModelMissingError, match=r"x{199}…;"):
        locate("org/both", FILES, "…")
    hub.error = TimeoutError()
    with pytest.raises(ModelMissingError, match="TimeoutError"):
        locate("org/both", FILES, "…")
