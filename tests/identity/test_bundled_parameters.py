"""The bundled `known-voices.npz`: what is in it, and the tool that makes it."""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tertulia.identity.listening import Listener
from tertulia.identity.scoring import PARAMETERS, default_scorer
from tertulia.identity.voiceprint import Voiceprint

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    for name in ("voice_items", "calibrate_voices"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("calibrate_voices")


def test_its_card_has_its_checksum_and_its_network():
    card = PARAMETERS.with_suffix(".md").read_text(encoding="utf-8")
    assert hashlib.sha256(PARAMETERS.read_bytes()).hexdigest() in card
    assert Listener().model in card


@pytest.mark.parametrize("speakers", [5, 9, 10, 11, 97, 249])
def test_every_vector_of_a_cohort_averages_five_people_or_more(tool, speakers):
    """Voices along axes of their own: who is in an average is seen in it."""
    made = tool.averages(np.eye(speakers), tool.FEWEST)
    members = made > 0
    assert tool.FEWEST == 5
    assert (members.sum(axis=1) >= 5).all()
    assert (members.sum(axis=0) == 1).all(), "everybody is in one"


def test_nothing_but_the_cohort_could_be_a_voice():
    with np.load(PARAMETERS) as file:
        sizes = {name: file[name].shape for name in file.files if file[name].ndim == 2}
    assert sizes == {"compensation": (192, 192), "cohort": (32, 192)}


def test_a_close_match_is_one_whatever_voice_it_is_close_to():
    """Cosines of 0.9 at 10 s: no direction of the space makes another person of that."""
    model = Listener().model
    scorer, rng = default_scorer(model), np.random.default_rng(0)
    for _ in range(50):
        direction, other = rng.standard_normal((2, 192))
        other -= direction * (direction @ other) / (direction @ direction)
        other *= np.linalg.norm(direction) / np.linalg.norm(other)
        one = Voiceprint(direction, 10.0, model)
        alike, unlike = (
            Voiceprint(cosine * direction + np.sqrt(1 - cosine**2) * other, 10.0, model)
            for cosine in (0.9, 0.1)
        )
        assert scorer.verify(one, alike, 0.001).accepted
        assert not scorer.verify(one, unlike, 0.1).accepted


def test_more_speech_needs_a_lower_ratio_at_the_same_rate():
    """One threshold for all seconds of speech was far stricter than it said for ten."""
    thresholds = default_scorer(Listener().model).thresholds
    for telephone in ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)):
        asked = [float(thresholds(0.01, s, s, telephone)) for s in (1.0, 1.5, 3.0, 5.0, 10.0, 20.0)]
        assert asked == sorted(asked, reverse=True)
        assert asked[0] - asked[-1] > 2
