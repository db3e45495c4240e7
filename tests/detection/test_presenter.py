from __future__ import annotations

import numpy as np
import pytest

from tertulia.detection import Presenter
from tertulia.errors import InputError


@pytest.fixture(scope="module")
def voice(sound, reference):
    """What the first speaker of the bundled recording says in its first 22 s, as a recording of its own."""
    other = reference.speakers[1]
    mine = reference[reference.speakers[0]] - reference[other]
    spoken = mine.covers(np.arange(22 * 16_000) / 16_000)
    return sound[: 22 * 16_000][spoken], 16_000


def test_the_turns_of_the_presenter_are_found(voice, recording, reference):
    presenter = Presenter.enrol(voice, one_speaker=True)
    found = presenter(recording)
    mine, other = (reference[name] for name in reference.speakers)
    assert (found & mine).duration > 0.8 * mine.duration
    assert (found & (other - mine)).duration < 0.1 * other.duration


def test_silence_is_no_presenter():
    with pytest.raises(InputError, match="too little to know a voice by"):
        Presenter.enrol((np.zeros(32_000, np.float32), 16_000))


def test_impossible_rates_are_refused(voice):
    presenter = Presenter.enrol(voice, one_speaker=True)
    with pytest.raises(ValueError, match="false_accept lies between 0 and 1; got 1"):
        Presenter(presenter.voice, presenter.ear, 1.0)
