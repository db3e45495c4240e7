"""Blocks and streaming with a network that knows everything: each frame of 10 samples says who speaks."""

from __future__ import annotations

import numpy as np
import pytest

from tertulia.endtoend import LATENCIES, Blocks, Latency, Listener, compress
from tertulia.endtoend.blocks import matched
from tertulia.endtoend.cache import scores

PEOPLE = 4


class Oracle:
    """Hears voices whose samples are 1 + person, and sorts them by arrival in what it is shown."""

    sample_rate, hop, speakers, before = 125, 10, PEOPLE, 2  # 12.5 frames a second

    def __init__(self) -> None:
        self.most = 0

    def frames(self, samples):
        blocks = np.pad(samples, (0, -len(samples) % self.hop)).reshape(-1, self.hop)
        who = np.rint(blocks.max(axis=1, initial=0)).astype(int)
        return np.eye(PEOPLE + 1, dtype=np.float32)[who]

    def activity(self, frames):
        self.most = max(self.most, len(frames))
        who = frames.argmax(axis=1)
        order = list(dict.fromkeys(int(w) for w in who if w))
        out = np.full((len(frames), PEOPLE), 0.02, np.float32)
        for column, person in enumerate(order):
            out[who == person, column] = 0.98
        return out


def conversation(minutes: float, rng: np.random.Generator, people: int = PEOPLE):
    """Samples, and who speaks in each frame (0: nobody); the last person says a word every twenty minutes."""
    frames: list[int] = []
    total, said = int(minutes * 60 * 12.5), -(10**9)
    while len(frames) < total:
        person = int(rng.integers(1, people))
        if len(frames) - said > 20 * 60 * 12.5 and len(frames) > 500:
            person, said = people, len(frames)
        frames += [person] * int(rng.integers(6, 60)) + [0] * int(rng.integers(0, 8))
    who = np.array(frames[:total])
    return np.repeat(who, Oracle.hop).astype(np.float32), who


def agrees(found, who) -> float:
    """Share of the frames in which the speaker in order of arrival over the whole recording is found."""
    order = list(dict.fromkeys(who[who > 0].tolist()))
    expected = np.array([[person == p for p in order] for person in who])
    return float(np.mean((found[:, : len(order)] > 0.5) == expected))


@pytest.mark.parametrize("name", LATENCIES)
def test_labels_stay_put_over_an_hour_in_bounded_memory(name):
    rng, latency = np.random.default_rng(0), LATENCIES[name]
    samples, who = conversation(65, rng)
    network = Oracle()
    listener = Listener(network, latency)
    found, sizes = [], []
    for piece in np.array_split(samples, 997):
        found.append(listener.push(piece))
        sizes.append(listener.state.size if listener.state else 0)
    found.append(listener.finish())
    together = np.concatenate(found)
    assert together.shape == (len(who), PEOPLE)
    assert agrees(together, who) == 1.0
    assert max(sizes) <= latency.cache + latency.queue
    assert network.most <= latency.cache + latency.queue + latency.frames


def test_without_a_cache_labels_would_not_stay_put():
    samples, who = conversation(10, np.random.default_rng(0))
    listener = Listener(Oracle(), Latency(chunk=50, ahead=0, queue=0, update=50, cache=1))
    assert agrees(np.concatenate([listener.push(samples), listener.finish()]), who) < 0.9


def test_decisions_come_no_later_than_promised():
    samples, _ = conversation(1, np.random.default_rng(0))
    for latency in LATENCIES.values():
        listener, decided = Listener(Oracle(), latency), 0
        for end in range(0, len(samples), Oracle.hop):
            decided += len(listener.push(samples[end : end + Oracle.hop]))
            assert end // Oracle.hop + 1 - decided < latency.frames
    assert [latency.frames * 0.08 for latency in LATENCIES.values()] == pytest.approx([0.32, 1.04, 10.0])


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.31, 3.0, 24.16])
def test_unbounded_look_ahead_is_offline(seconds):
    samples = conversation(1, np.random.default_rng(0))[0][: int(seconds * 125)]
    listener = Listener(Oracle(), Latency(chunk=10**6, ahead=0))
    network = Oracle()
    offline = network.activity(network.frames(samples))
    np.testing.assert_array_equal(np.concatenate([listener.push(samples), listener.finish()]), offline)


def test_pieces_make_no_difference():
    samples, _ = conversation(1, np.random.default_rng(3))
    results = []
    for count in (1, 7, 5000):
        listener = Listener(Oracle(), LATENCIES["1.04"])
        pieces = [listener.push(piece) for piece in np.array_split(samples, count)]
        results.append(np.concatenate([*pieces, listener.finish()]))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


# ── the cache ────────────────────────────────────────────────────────────────────────────────────────────


def test_scores_by_hand():
    activity = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.6, 0.0]])
    found = scores(activity, share=100)
    quarter, half = np.log(0.25), np.log(2)
    assert found[0, 0] == pytest.approx(-quarter + quarter + half)  # alone and certain
    assert found[1, 0] == pytest.approx(-quarter + 2 * quarter + half)  # with another
    assert np.isneginf(found[2]).all()
    assert np.isneginf(found[0, 1])
    assert found[3, 0] == pytest.approx(np.log(0.6) + half)
    assert np.isneginf(scores(activity, share=2)[1, 0])  # others show the speaker better


def test_the_cache_keeps_everybody_in_order_of_arrival():
    rng = np.random.default_rng(0)
    who = np.r_[np.zeros(300, int), 1, 1, np.zeros(300, int), 2, 2, 2, np.zeros(50, int)]
    activity = np.where(np.eye(3)[who] > 0, 0.9, 0.05).astype(np.float32)
    frames = (np.eye(3)[who] + 0.001 * rng.standard_normal((len(who), 3))).astype(np.float32)
    kept, said = compress(frames, activity, np.full(3, -1, np.float32), length=60)
    assert kept.shape == (60, 3)
    real = said.any(axis=1)
    np.testing.assert_array_equal(kept[~real], -1)
    order = said[real].argmax(axis=1)
    assert (np.diff(order) >= 0).all()
    assert np.bincount(order).tolist()[1:] == [2, 3]
    assert (~real).sum() == 9


def test_with_nobody_the_cache_holds_silence():
    kept, said = compress(np.ones((100, 2), np.float32), np.zeros((100, 2), np.float32), np.zeros(2), 20)
    assert not kept.any()
    assert not said.any()


# ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────


def test_columns_are_matched():
    before = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    assert matched(before, before[:, [2, 0, 1]]).tolist() == [1, 2, 0]
    assert matched(before, np.zeros((3, 3), np.float32)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("seconds", [0.0, 0.3, 20.0, 30.0, 30.05, 44.9, 600.0])
def test_blocks_make_one_recording(seconds):
    rng = np.random.default_rng(1)
    samples, who = conversation(10, rng, people=3)  # the third is rare: leave them out
    samples[samples == 3] = 0
    samples, who = samples[: int(seconds * 125)], np.where(who == 3, 0, who)
    who = who[: -(-len(samples) // Oracle.hop)]
    network = Oracle()
    pieces = list(Blocks(network, window=30.0, overlap=15.0)(iter(np.array_split(samples, 11))))
    together = np.concatenate(pieces)
    assert together.shape == (len(who), PEOPLE)
    assert network.most <= 375
    if who.any():
        assert agrees(together, who) > 0.999


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="overlap"):
        Blocks(Oracle(), 10.0, 10.0)
    with pytest.raises(ValueError, match="chunk"):
        Latency(chunk=0, ahead=1)
