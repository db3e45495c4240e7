"""What systems tell of the speakers of each channel, put together."""

from __future__ import annotations

import numpy as np
import pytest

from tertulia.speakers import ANY
from tertulia.split import by_channel
from tertulia.timeline import Diarization
from tertulia.traits import Traits, traits_of, with_traits

STEREO = (np.zeros((2, 16_000), np.float32), 16_000)


def scripted(*channels: Diarization):
    """A system that says so of each channel."""

    def system(source, speakers, *, channels: int, progress, name):
        return told[channels]

    told = channels
    return system


LEFT = Diarization(
    [(2.0, 3.0, "SPEAKER_00"), (2.5, 4.0, "SPEAKER_01")],
    confidence={"SPEAKER_00": [0.6], "SPEAKER_01": [0.7]},
    activity=[[0.1, 0.2, 0.3]],
)
RIGHT = Diarization([(1.0, 2.5, "SPEAKER_00")], confidence={"SPEAKER_00": [0.8]}, activity=[[0.4, 0.5, 0.6]])


def test_all_that_a_system_tells_is_kept():
    women = with_traits(LEFT, {"SPEAKER_01": Traits(gender="F")})
    result = by_channel(scripted(women, RIGHT), STEREO, ANY, None, "")
    assert result["SPEAKER_01"] == LEFT["SPEAKER_01"]
    assert result["SPEAKER_02"] == RIGHT["SPEAKER_00"]
    assert {name: values.tolist() for name, values in result.confidence.items()} == {
        "SPEAKER_00": [0.6],
        "SPEAKER_01": [0.7],
        "SPEAKER_02": [0.8],
    }
    assert traits_of(result)["SPEAKER_01"].gender == "F"
    assert not result.has_exclusive


def test_columns_are_in_order_of_first_speech_and_those_of_nobody_last():
    kept = by_channel(scripted(LEFT, RIGHT), STEREO, ANY, None, "")
    assert kept.speakers == ("SPEAKER_02", "SPEAKER_00", "SPEAKER_01")
    assert kept.activity is not None
    assert kept.activity.tolist() == [[0.4, 0.1, 0.2, 0.3, 0.5, 0.6]]
    silent = Diarization([(1.0, 2.0, "SPEAKER_00")])
    assert by_channel(scripted(LEFT, silent), STEREO, ANY, None, "").activity is None


def test_exclusive_answers_meet_between_channels():
    both = Diarization([(0.0, 4.0, "SPEAKER_00")], exclusive=Diarization([(0.0, 3.0, "SPEAKER_00")]))
    alone = by_channel(scripted(both, RIGHT), STEREO, ANY, None, "").exclusive()
    assert alone.overlap.duration == 0
    assert alone.speech.duration == pytest.approx(3.0)
    assert alone["SPEAKER_01"] == RIGHT["SPEAKER_00"]  # who began last has the floor
