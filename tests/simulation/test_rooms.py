from __future__ import annotations

import math

import numpy as np
import pytest

from tertulia.errors import UsageError
from tertulia.simulation import Room, image_response, reverberation_time
from tertulia.simulation.rooms import SPEED_OF_SOUND, draw_room

RATE = 16_000
ROOM = Room((6.0, 5.0, 3.0), 0.4, (1.5, 2.0, 1.2), ((4.5, 1.0, 1.5), (2.0, 4.0, 1.6)))


@pytest.mark.parametrize("source", [0, 1])
def test_the_direct_sound_comes_first_and_in_time(source):
    response = image_response(ROOM, source, RATE)
    delay = round(ROOM.distances[source] / SPEED_OF_SOUND * RATE)
    assert not response[:delay].any()
    assert response[delay] == pytest.approx(1 / (4 * math.pi * ROOM.distances[source]), rel=0.05)


def test_the_first_reflection_is_the_mirror_image_in_the_floor():
    response = image_response(ROOM, 0, RATE, beta=0.5)
    image = (4.5, 1.0, -1.5)
    distance = math.dist(image, ROOM.microphone)
    at = round(distance / SPEED_OF_SOUND * RATE)
    # The high-pass filter takes little away from one sample that follows quiet ones.
    assert response[at] == pytest.approx(0.5 / (4 * math.pi * distance), rel=0.1)


def test_dead_walls_leave_the_direct_sound():
    response = image_response(ROOM, 0, RATE, beta=0.0)
    assert response.argmax() == round(ROOM.distances[0] / SPEED_OF_SOUND * RATE)
    assert (response**2).max() > 0.95 * (response**2).sum()


@pytest.mark.parametrize("rt60", [0.15, 0.3, 0.6])
@pytest.mark.parametrize("seed", range(3))
def test_rooms_ring_as_long_as_asked(rt60, seed):
    room = draw_room(2, rt60, np.random.default_rng(seed))
    beta = room.reflection()
    for source in range(2):
        measured = reverberation_time(image_response(room, source, RATE, beta), RATE)
        assert measured == pytest.approx(rt60, rel=0.2)


def test_an_exponential_decay_is_measured_exactly():
    seconds = np.arange(RATE) / RATE
    assert reverberation_time(10 ** (-3 * seconds / 0.5), RATE) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize("response", [np.zeros(10), np.ones(1)])
def test_without_a_decay_there_is_no_reverberation_time(response):
    with pytest.raises(UsageError, match="too short"):
        reverberation_time(response, RATE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rt60": 3.0}, "rt60"),
        ({"microphone": (7.0, 1.0, 1.0)}, "outside"),
        ({"sources": ((1.5, 2.0, 1.2),)}, "1 cm"),
        ({"sources": ()}, "has a source"),
    ],
)
def test_impossible_rooms_are_refused(change, said):
    given = {"size": ROOM.size, "rt60": 0.4, "microphone": ROOM.microphone, "sources": ROOM.sources} | change
    with pytest.raises(UsageError, match=said):
        Room(**given)
