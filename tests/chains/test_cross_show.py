"""A collection: the bundled conversation, and the same from farther away."""

import numpy as np
import pytest

import tertulia
from tertulia import Speakers
from tertulia.crossshow import cross_show
from tertulia.errors import UsageError
from tertulia.evaluation import cross_show_errors

NAMES = ["one.wav", "two.wav"]


@pytest.fixture(scope="module")
def collection(sound):
    hiss = np.random.default_rng(0).normal(0, 1e-3, len(sound)).astype(np.float32)
    return [(sound, 16_000), (0.3 * sound + hiss, 16_000)]


@pytest.fixture(scope="module")
def systems():
    return {name: tertulia.load(name) for name in ("lium-clr", "lium-ilp", "lium-ilp-neural")}


@pytest.mark.parametrize("at_once", [False, True])
def test_people_keep_their_names(systems, collection, reference, at_once):
    found = cross_show(systems["lium-ilp-neural"], collection, at_once=at_once, names=NAMES)
    hypotheses = {result.uri: result for result in found}
    assert list(hypotheses) == ["one", "two"]
    errors = cross_show_errors(dict.fromkeys(hypotheses, reference), hypotheses)
    assert all(error.confusion_rate < 0.1 for error in errors.values())
    assert {speaker for result in found for speaker in result.speakers} == {"SPEAKER_00", "SPEAKER_01"}
    assert found[0].speakers[0] == "SPEAKER_00"


@pytest.mark.parametrize("name", ["lium-clr", "lium-ilp", "lium-ilp-neural"])
@pytest.mark.parametrize("speakers", [Speakers(1), Speakers(2), Speakers(maximum=1)], ids=str)
def test_hints_hold_for_the_collection(systems, collection, name, speakers):
    found = cross_show(systems[name], collection, speakers, at_once=True)
    assert len({speaker for result in found for speaker in result.speakers}) in speakers


def test_more_people_than_there_are_clusters_are_refused(systems):
    silence = (np.zeros(48_000, np.float32), 16_000)
    with pytest.raises(UsageError, match="exactly 2 speakers were asked for, but there are 0 stretches"):
        cross_show(systems["lium-ilp"], [silence], Speakers(2))


def test_provenance_tells_the_collection(systems, collection):
    result = cross_show(systems["lium-clr"], collection, names=NAMES)[1]
    about = result.provenance
    assert about.system == "lium-clr"
    assert about.settings["collection"] == ("one", "two")
    assert about.settings["at_once"] is False
    assert result.duration == pytest.approx(30.0)


def test_silence_is_part_of_a_collection(systems, collection):
    silence = (np.zeros(48_000, np.float32), 16_000)
    for name in ("lium-ilp", "lium-ilp-neural"):
        quiet, talk = cross_show(systems[name], [silence, collection[0]])
        assert not len(quiet)
        assert len(talk)
        (alone,) = cross_show(systems[name], [silence])
        assert not len(alone)
        assert cross_show(systems[name], []) == []


def test_other_systems_and_split_channels_are_refused(default, systems, collection):
    with pytest.raises(UsageError, match=r"default cannot cluster a collection; .*lium-ilp"):
        cross_show(default, collection)
    with pytest.raises(UsageError, match="channels mixed"):
        cross_show(systems["lium-clr"], collection, channels="split")
