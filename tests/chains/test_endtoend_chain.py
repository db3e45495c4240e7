"""Activity to turns, with networks that are not trained: what is tested is what is made of their output."""

from __future__ import annotations

import numpy as np
import pytest

import tertulia
from tertulia.chains import WholeRecording
from tertulia.chains.endtoend import EndToEnd, folded
from tertulia.errors import UsageError
from tertulia.featurefiles import Features
from tertulia.formats import npy
from tertulia.speakers import ANY, Speakers


@pytest.fixture(scope="module")
def chain(untrained):
    return EndToEnd(untrained, window=10.0, overlap=5.0, threads=1)


def activity(*columns: str) -> Features:
    """A row for each letter: 9 is 0.9, 0 is 0.0."""
    return Features(np.array([[int(c) / 10 for c in column] for column in columns], np.float32).T, 0.08)


def nothing(share: float) -> None: ...


def test_turns_by_hand(chain):
    found = chain(activity("0945300", "0000990", "0000000", "0000000"), ANY, nothing)
    assert [turn.bounds.tolist() for turn in found.turns[:2]] == [
        [[pytest.approx(0.08), pytest.approx(0.32)]],  # begins at 0.9, 0.4 keeps it, 0.3 ends it
        [[pytest.approx(0.32), pytest.approx(0.48)]],
    ]
    assert not any(len(turn) for turn in found.turns[2:])
    assert found.confidence[0].tolist() == [pytest.approx(0.6)]


def test_one_at_a_time(chain):
    found = chain(activity("0999900", "0099990", "0000000", "0000000"), ANY, nothing)
    spoken = [turn.bounds for turn in found.exclusive if len(turn)]
    assert len(spoken) >= 1
    assert sum(float(np.diff(bounds).sum()) for bounds in spoken) == pytest.approx(0.4)


def test_a_promise_about_the_number_is_kept(chain):
    heard = activity("9900000", "0099000", "0000900", "0000000")
    count = lambda found: sum(1 for turn in found.turns if len(turn))  # noqa: E731
    assert count(chain(heard, ANY, nothing)) == 3
    assert count(chain(heard, Speakers(2), nothing)) == 2
    assert count(chain(heard, Speakers(maximum=1), nothing)) == 1
    with pytest.raises(UsageError, match="5 speakers were asked for"):
        chain(heard, Speakers(5), nothing)


def test_who_was_taken_for_two_becomes_one():
    given = np.array([[0.9, 0, 0], [0, 0.9, 0], [0.9, 0, 0.8], [0.0, 0, 0.8]], np.float32)
    found = folded(given, np.array([True, True, True]), 2)
    # The second speaks least; the first is never active with it, nor is the third: the lower number takes it.
    np.testing.assert_allclose(found[:, 0], [0.9, 0.9, 0.9, 0])
    np.testing.assert_allclose(found[:, 2], given[:, 2])
    assert not found[:, 1].any()


@pytest.mark.parametrize("latency", ["unlimited", "0.32", "1.04", "10"])
def test_a_recording_and_its_matrix(untrained, recording, latency):
    system = WholeRecording(
        EndToEnd(untrained, latency=latency, window=10.0, overlap=5.0, threads=1, onset=0.4)
    )
    result = system(recording)
    matrix = npy.matrix(result)
    assert matrix.shape == (375, 4)
    assert result.provenance.models
    for column, (name, turns) in enumerate(result.items()):
        assert name == f"SPEAKER_{column:02d}"
        assert matrix[int(turns.bounds[0, 0] / 0.08 + 0.5), column] >= 0.4
    np.testing.assert_array_equal(result.replace(uri="other").activity, result.activity)


@pytest.mark.parametrize("samples", [10, 1280, 20_000])
def test_short_recordings(untrained, samples):
    for latency in ("unlimited", "1.04"):
        result = WholeRecording(EndToEnd(untrained, latency=latency, threads=1))(
            (np.zeros(samples, np.float32), 16_000)
        )
        assert result.duration == samples / 16_000


def test_latencies_and_weights_that_are_not_there(untrained):
    with pytest.raises(UsageError, match=r"unknown latency '2'; there is: 0\.32, 1\.04, 10, unlimited"):
        EndToEnd(untrained, latency="2")
    with pytest.raises(UsageError, match="waits for the end"):
        tertulia.load("default", latency="1.04")
