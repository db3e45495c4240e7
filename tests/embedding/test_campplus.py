from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from tertulia.audio.windows import slide
from tertulia.embedding import CAMPPlus, CAMPPlusWindow, Voices
from tertulia.errors import ModelMissingError
from tertulia.features import fbank
from tertulia.segmentation import Activity


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Between vectors of two arrays, over the last axis."""
    return (a * b).sum(axis=-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def silent(activity: Activity) -> Activity:
    return replace(activity, active=np.zeros_like(activity.active), solo=np.zeros_like(activity.solo))


@pytest.fixture(scope="module")
def whole(windows, activity) -> Voices:
    return CAMPPlusWindow()(windows, activity)


# ── frames computed once ─────────────────────────────────────────────────────────────────────────────────


def test_shapes(voices):
    assert voices.vectors.shape == (5, 3, 20, 192)
    assert voices.support.shape == voices.solo.shape == voices.present.shape == (5, 3, 20)
    assert voices.vectors.dtype == np.float32
    assert (voices.hop, voices.piece, voices.redundancy) == (5.0, 0.5, 50 / 30)  # 5 windows in 30 s
    assert len(voices) == 5


def test_vectors_are_of_length_one_or_missing(voices):
    lengths = np.linalg.norm(voices.vectors, axis=-1)
    assert voices.embedded.any()
    assert not voices.embedded.all()
    np.testing.assert_array_equal(np.isnan(lengths), ~voices.embedded)
    np.testing.assert_allclose(lengths[voices.embedded], 1, rtol=1e-5)


def test_there_is_a_vector_where_somebody_is_present_with_enough_support(voices):
    np.testing.assert_array_equal(voices.embedded, (voices.present > 0) & (voices.support >= 0.25))


def test_seconds_add_up(voices, activity):
    """The pieces share out the seconds in which each local speaker is active, and active alone."""
    step = activity.grid.step
    np.testing.assert_allclose(voices.present.sum(axis=2), activity.active.sum(axis=1) * step, atol=0.1)
    np.testing.assert_allclose(voices.solo.sum(axis=2), activity.solo.sum(axis=1) * step, atol=0.1)
    assert (voices.solo <= voices.present + 1e-6).all()
    assert (voices.solo <= voices.support + 1e-6).all()
    assert voices.present.max() <= 0.5 + 1e-6
    assert voices.support.max() <= 1.5 + 1e-6


def test_support_is_that_of_the_piece_and_half_a_second_on_either_side(voices):
    sides = np.pad(voices.solo, ((0, 0), (0, 0), (1, 1)))
    present = (voices.present > 0).any(axis=2)
    expected = sides[:, :, :-2] + sides[:, :, 1:-1] + sides[:, :, 2:]
    np.testing.assert_allclose(voices.support[present], expected[present], atol=0.03)


def test_one_person_is_nearer_than_two(voices, activity, windows, reference):
    """Vectors of the reference's two speakers are told apart by their mean vectors."""
    middles = (np.arange(20) + 0.5) * 0.5
    times = np.arange(5)[:, None, None] * 5.0 + middles
    who = np.full(voices.embedded.shape, -1)
    for number, speaker in enumerate(reference.speakers):
        here = reference[speaker].covers(times.ravel()).reshape(5, 1, 20)
        alone = here & ~reference.overlap.covers(times.ravel()).reshape(5, 1, 20)
        who[np.broadcast_to(alone, who.shape) & (voices.present > 0.4)] = number
    used = voices.embedded & (voices.support > 1.0)
    means = [voices.vectors[used & (who == number)].mean(axis=0) for number in (0, 1)]
    for number in (0, 1):
        own = cosines(voices.vectors[used & (who == number)], means[number])
        other = cosines(voices.vectors[used & (who == number)], means[1 - number])
        assert (own > other).mean() > 0.9


def test_batches_do_not_matter_much(sound, activity, voices, default):
    """Sliding means see 1.5 s beyond a batch; what lies further away moves a vector by little."""
    parts, begin = [], 0
    for batch in slide([sound], 16_000, size=160_000, hop=80_000, batch=2, margin=24_000):
        mine = slice(begin, begin + len(batch))
        part = Activity(
            *(x[mine] for x in (activity.scores, activity.active, activity.solo, activity.count)),
            activity.grid,
            activity.hop,
        )
        parts.append(default.embedder(batch, part))
        begin += len(batch)
    joined = Voices.join(parts)
    np.testing.assert_array_equal(joined.embedded, voices.embedded)
    np.testing.assert_allclose(joined.support, voices.support, atol=0.05)
    at = voices.embedded
    alike = cosines(joined.vectors[at], voices.vectors[at])
    assert alike.min() > 0.97  # 8 bits round differently where the context differs
    assert np.median(alike) > 0.99


def test_chunks_do_not_matter_much(windows, activity, voices):
    @dataclass(frozen=True)
    class SmallChunks(CAMPPlus):
        _chunk = 8.0

    small = SmallChunks()(windows, activity)
    at = voices.embedded
    np.testing.assert_array_equal(small.embedded, at)
    np.testing.assert_array_equal(small.support, voices.support)
    assert cosines(small.vectors[at], voices.vectors[at]).min() > 0.97


@pytest.mark.parametrize("length", [1, 79, 80, 400, 1600])
def test_a_blink_of_sound(length, default):
    (batch,) = slide([np.full(length, 0.1, np.float32)], 16_000, size=160_000, hop=80_000, batch=4)
    activity = default.segmenter(batch)
    everything = replace(activity, active=np.ones_like(activity.active), solo=np.ones_like(activity.solo))
    voices = default.embedder(batch, everything)
    assert not voices.embedded.any()
    assert voices.present.sum(axis=2).max() <= length / 16_000 + 0.02


@pytest.mark.parametrize("kind", [CAMPPlus, CAMPPlusWindow])
def test_silence_has_no_voice(kind, windows, activity):
    voices = kind()(windows, silent(activity))
    assert np.isnan(voices.vectors).all()
    assert not voices.support.any()
    assert not voices.present.any()


@pytest.mark.parametrize("wrong", [{"piece": 0.0}, {"reach": -0.1}, {"least": 0.0}, {"context": 0.0}])
def test_impossible_settings(wrong):
    with pytest.raises(ValueError, match="piece, least and context are seconds above zero"):
        CAMPPlus(**wrong)


@pytest.mark.parametrize("kind", [CAMPPlus, CAMPPlusWindow])
def test_missing_weights_are_told_at_once(kind):
    with pytest.raises(ModelMissingError, match="no weights 'nobody-frames"):
        kind(weights="nobody")


# ── the published network on every window ────────────────────────────────────────────────────────────────


def test_one_vector_for_each_local_speaker(whole, activity):
    assert whole.vectors.shape == (5, 3, 1, 192)
    assert (whole.hop, whole.piece, whole.redundancy) == (5.0, 10.0, 50 / 30)
    step = activity.grid.step
    np.testing.assert_allclose(whole.present[..., 0], activity.active.sum(axis=1) * step, rtol=1e-5)
    np.testing.assert_allclose(whole.solo[..., 0], activity.solo.sum(axis=1) * step, rtol=1e-5)
    np.testing.assert_array_equal(whole.embedded[..., 0], activity.active.sum(axis=1) * step > 0.05)


def test_it_finds_the_same_voices_as_shared_frames(whole, voices):
    """The mean of the pieces is near the vector of the window: the same network, almost the same context."""
    seconds = np.where(voices.embedded, voices.solo, 0)[..., None]
    means = (np.nan_to_num(voices.vectors) * seconds).sum(axis=2)
    long = (voices.solo.sum(axis=2) > 2) & whole.embedded[..., 0]
    assert long.sum() >= 5
    near = cosines(means[long], whole.vectors[long][:, 0])
    assert near.min() > 0.8


def test_overlap_is_left_out_where_enough_is_left(windows, activity, whole):
    with_overlap = CAMPPlusWindow(exclude_overlap=False)(windows, activity)
    overlapped = (activity.active & (activity.solo == 0)).any(axis=1) & (whole.embedded[..., 0])
    same = np.isclose(with_overlap.vectors, whole.vectors, atol=1e-5, equal_nan=True).all(axis=(2, 3))
    assert overlapped.any()
    assert not same[overlapped].any()
    assert same[~overlapped].all()
    scarce = CAMPPlusWindow(least=60.0)(windows, activity)
    assert not scarce.embedded.any()


def test_windows_do_not_touch_each_other(sound, activity, whole):
    parts = []
    for batch in slide([sound], 16_000, size=160_000, hop=80_000, batch=3):
        mine = slice(batch.index, batch.index + len(batch))
        arrays = (x[mine] for x in (activity.scores, activity.active, activity.solo, activity.count))
        parts.append(CAMPPlusWindow()(batch, Activity(*arrays, activity.grid, activity.hop)))
    np.testing.assert_allclose(Voices.join(parts).vectors, whole.vectors, atol=1e-3)


# In floating point, k + 1/2 hundredths of a second come out just below for some k, as for the last five.
@pytest.mark.parametrize("samples", [1, 79, 80, 81, 16_000, 16_080, 2320, 3760, 4560, 4720, 9040])
def test_frames_of_a_stretch_are_half_its_features_however_long_it_is(samples):
    sound = 0.01 * np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    embedder = CAMPPlus(threads=1)
    assert len(embedder.frames_of(sound)) == -(-len(fbank(sound)) // 2)
