from __future__ import annotations

import hashlib
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from comparison.fake_systems import Fake, without_weights
from tertulia import systems
from tertulia.chains import LIUMChain
from tertulia.comparison import Cache, Entrant, find_recordings, named_entrant, run
from tertulia.comparison.cache import key_of
from tertulia.comparison.parameters import count_parameters
from tertulia.comparison.process import About, SystemProcess
from tertulia.errors import ModelMissingError, OutputError, TertuliaError, UsageError
from tertulia.inference import WEIGHTS


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "calls.log"


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(tmp_path / "cache")


def calls(log: Path) -> list[str]:
    return sorted(log.read_text().split()) if log.exists() else []


def test_a_run_has_turns_and_costs_and_comes_from_the_cache_the_second_time(data, log, cache):
    entrant = Entrant("fake", partial(Fake, log))
    recordings, shares = find_recordings(data), []
    weight = np.ones(20_000_000)  # 160 MB of our own, which the system must not be charged
    first = run(entrant, recordings, cache, shares.append)
    assert weight.all()
    assert shares == pytest.approx([5 / 10, 1, 1 + 5 / 10, 2])
    assert first.cached == 0
    assert first.runs["a"].turns == ((0.0, 6.0, "1"), (6.0, 10.0, "2"))
    assert first.runs["a"].seconds == 12
    assert 0 < first.runs["a"].wall < 10
    assert first.runs["a"].memory is None or 5e6 < first.runs["a"].memory < 150e6
    second = run(entrant, recordings, cache)
    assert (second.cached, second.runs) == (2, first.runs)
    assert calls(log) == ["a", "b"]


def test_another_setting_or_other_sound_is_another_run(data, log, cache):
    recordings = find_recordings(data)
    run(Entrant("fake", partial(Fake, log), {"hop": 1.0}), recordings, cache)
    run(Entrant("fake", partial(Fake, log), {"hop": 2.0}), recordings, cache)
    assert calls(log) == ["a", "a", "b", "b"]
    sound = recordings[0].audio
    sound.write_bytes(sound.read_bytes() + b"\0\0")
    run(Entrant("fake", partial(Fake, log), {"hop": 1.0}), recordings, cache)
    assert len(calls(log)) == 5


def test_models_defaults_and_version_are_part_of_the_key(data, monkeypatch):
    audio = find_recordings(data)[0].audio
    abouts = [About(), About({"voice": "1f"}), About({"voice": "2e"}), About(settings={"chain": {"hop": 2}})]
    keys = {key_of(audio, {}, about) for about in abouts}
    monkeypatch.setattr("tertulia.comparison.cache.__version__", "another")
    assert len(keys | {key_of(audio, {}, About())}) == 5


def test_what_a_system_is_made_of():
    with SystemProcess("lium-clr", named_entrant("lium-clr").load) as system:
        about = system.about
    weights = WEIGHTS / "background.npz"
    assert about.models == {"background": hashlib.sha256(weights.read_bytes()).hexdigest()}
    assert about.parameters == count_parameters(weights) > 100_000
    # One from the file of the system, one that the chain has by default.
    assert about.settings["chain"]["clustering"] == "clr"
    assert about.settings["chain"]["purity"] == LIUMChain.purity


def test_the_runs_of_one_system_can_be_forgotten(data, log, cache):
    def cached() -> list[int]:
        entrants = [Entrant(name, partial(Fake, log)) for name in ("fake", "../other")]
        return [run(entrant, find_recordings(data), cache).cached for entrant in entrants]

    assert cached() == [0, 0]
    assert len(list(cache.folder.iterdir())) == 2  # none beside it
    shutil.rmtree(cache.folder / "fake")
    assert cached() == [0, 2]


def test_an_interrupted_comparison_goes_on_where_it_was(data, log, cache):
    def impatient(done: float) -> None:
        if done == 1:
            raise KeyboardInterrupt

    entrant, recordings = Entrant("fake", partial(Fake, log)), find_recordings(data)
    with pytest.raises(KeyboardInterrupt):
        run(entrant, recordings, cache, impatient)
    assert len(calls(log)) == 1
    assert run(entrant, recordings, cache).cached == 1
    assert calls(log) == ["a", "b"]


def test_a_recording_that_cannot_be_read_costs_no_other_its_result(data, log, cache):
    runs = run(Entrant("fake", partial(Fake, log, stumbles="a")), find_recordings(data), cache)
    assert list(runs.runs) == ["b"]
    assert "is no sound" in runs.failed["a"]


@pytest.mark.parametrize(
    ("how", "message"),
    [("dies", "process of fake ended with code 7"), ("divides", "ZeroDivisionError: by nothing")],
)
def test_a_system_that_breaks_down_is_named(how, message, data, log, cache):
    entrant = Entrant("fake", partial(Fake, log, stumbles="b", how=how))
    with pytest.raises(TertuliaError, match=message) as caught:
        run(entrant, find_recordings(data), cache)
    assert caught.value.exit_code == 1


def test_missing_weights_keep_their_error(data, cache):
    with pytest.raises(ModelMissingError, match="take other ones"):
        run(Entrant("fake", without_weights), find_recordings(data), cache)


@pytest.mark.parametrize("damage", ["", "[1]", '{"turns": [[0, 1]]}', "\udcff"])
def test_a_damaged_cache_entry_counts_as_none(damage, tmp_path):
    cache = Cache(tmp_path)
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "abc.json").write_bytes(damage.encode(errors="surrogateescape"))
    assert cache.get("fake", "abc") is None


def test_a_cache_that_cannot_be_written_is_an_error(data, log, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot keep results"):
        run(Entrant("fake", partial(Fake, log)), find_recordings(data), Cache(tmp_path / "file"))


def test_settings_of_a_named_system_are_its_numbers(tmp_path):
    described = tmp_path / "mine.toml"
    named = named_entrant("default", 1)
    assert named.name == "default"
    assert named.settings["sliding"]["least"] == 24
    assert named.settings["threads"] == 1
    source = systems.FOLDER / "default.toml"
    described.write_text(source.read_text().replace("bundled", "the same, in other words, bundled"))
    assert named_entrant(str(described), 1).settings == named.settings
    with pytest.raises(UsageError, match="unknown system 'nobody'"):
        named_entrant("nobody")
