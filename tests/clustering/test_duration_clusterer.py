from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.clustering import DurationClusterer
from tertulia.clustering.duration import _smooth
from tertulia.embedding import Voices, unit
from tertulia.errors import UsageError
from tertulia.speakers import ANY, Speakers

DIM, PIECES, LOCAL, PIECE, HOP = 64, 20, 3, 0.5, 5.0
NOISE = 0.7  # seconds of speech at which noise is as strong as the voice


def directions(speakers: int, seed: int = 0) -> np.ndarray:
    """Well separated voices, (speakers, dim)."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(DIM, DIM)))[0][:speakers]


def voices_of(who, seed: int = 0, noise: float = NOISE, voices: np.ndarray | None = None) -> Voices:
    """Voices in which `who`, (windows, local speakers, pieces), speaks; −1 is silence.

    Each piece has half a second and shares it with its neighbours, as with `CAMPPlus`; the noise of a vector
    has variance noise / seconds.
    """
    random = np.random.default_rng(seed)
    who = np.asarray(who)
    voices = directions(who.max(initial=0) + 1) if voices is None else voices
    speaking = who >= 0
    own = np.where(
        speaking[..., None], random.normal(size=(*who.shape, DIM)) * np.sqrt(noise / PIECE / DIM), np.nan
    )
    sides = np.pad(own, ((0, 0), (0, 0), (1, 1), (0, 0)), constant_values=np.nan)
    near = np.stack([sides[:, :, :-2], own, sides[:, :, 2:]])
    shared = np.where(np.isnan(near), 0, near).sum(axis=0)
    seconds = (~np.isnan(near[..., 0])).sum(axis=0) * PIECE
    vectors = unit((voices[who] + shared * PIECE / np.maximum(seconds, PIECE)[..., None]).astype(np.float32))
    vectors[~speaking] = np.nan
    present = (speaking * PIECE).astype(np.float32)
    support = np.where(speaking, seconds, 0).astype(np.float32)
    return Voices(vectors, support, present.copy(), present, HOP, PIECE)


def talk(speakers: int, windows: int = 40, seed: int = 0) -> np.ndarray:
    """A conversation: in each window one or two people, one after the other, under random local numbers."""
    random = np.random.default_rng(seed)
    who = np.full((windows, LOCAL, PIECES), -1)
    for window in range(windows):
        first = window % speakers
        change = int(random.integers(5, PIECES - 4)) if speakers > 1 else PIECES
        local = random.permutation(LOCAL)
        who[window, local[0], :change] = first
        if speakers > 1:
            who[window, local[1], change:] = (first + random.integers(1, speakers)) % speakers
    return who


def heard(labels: np.ndarray, voices: Voices) -> set[int]:
    """Speakers that are somewhere active."""
    return set(labels[voices.present > 0].tolist())


def agree(labels: np.ndarray, who: np.ndarray) -> bool:
    """Whether labels and people are one-to-one where somebody speaks."""
    pairs = set(zip(labels[who >= 0].tolist(), who[who >= 0].tolist(), strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


# ── finding speakers ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("speakers", range(1, 9))
@pytest.mark.parametrize("seed", [0, 1])
def test_well_separated_speakers_are_found(speakers, seed):
    who = talk(speakers, seed=seed)
    voices = voices_of(who, seed)
    labels = DurationClusterer()(voices, ANY)
    assert heard(labels, voices) == set(range(speakers))
    assert agree(labels, who)


def test_labels_have_the_promised_shape():
    who = talk(3)
    labels = DurationClusterer()(voices_of(who), ANY)
    assert labels.shape == who.shape
    assert labels.dtype == np.intp
    silent = (who < 0).all(axis=2)
    assert (labels[silent] == -1).all()
    assert (labels[~silent] >= 0).all()


def test_who_hardly_speaks_is_nobody():
    who = talk(2, windows=40)
    who[7, :, :] = -1
    who[7, 0, 3:5] = 2  # one second of 400, seen once
    voices = voices_of(who)
    assert len(heard(DurationClusterer()(voices, ANY), voices)) == 2
    sensitive = DurationClusterer(smallest_share=0.0, never=0.05)
    assert agree(sensitive(voices, ANY), who)


def test_speech_without_any_voice_is_one_speaker():
    who = talk(2, windows=4)
    voices = voices_of(who)
    whisper = replace(voices, vectors=np.full_like(voices.vectors, np.nan))
    assert heard(DurationClusterer()(whisper, ANY), whisper) == {0}


# ── two people in one local speaker ──────────────────────────────────────────────────────────────────────


def test_a_local_speaker_that_is_two_people_gets_two_labels():
    who = talk(3, windows=20)
    who[5], who[6] = -1, -1
    who[5, 0, :9], who[5, 0, 9:] = 0, 2
    who[6, 1, :4], who[6, 1, 4:12], who[6, 1, 12:] = 2, 1, 2
    voices = voices_of(who, noise=0.2)
    labels = DurationClusterer()(voices, ANY)
    assert agree(labels, who)
    one_each = DurationClusterer(switch=1e6)(voices, ANY)
    assert all(len(set(row.tolist())) == 1 for row in one_each.reshape(-1, PIECES))


def test_a_moment_of_doubt_is_no_change_of_speaker():
    who = talk(2, windows=20)
    voices = voices_of(who)
    window, local = np.argwhere((who >= 0).any(axis=2))[4]
    piece = np.flatnonzero(who[window, local] >= 0)[2]
    person = who[window, local, piece]
    between = unit((directions(2)[person] + 1.05 * directions(2)[1 - person])[None].astype(np.float32))[0]
    voices.vectors[window, local, piece] = between
    assert agree(DurationClusterer()(voices, ANY), who)


# ── two people at once ───────────────────────────────────────────────────────────────────────────────────


def both(labels: np.ndarray, voices: Voices) -> np.ndarray:
    """Labels of every two local speakers that are active in one piece, (cases, 2)."""
    cases = []
    for a, b in itertools.combinations(range(voices.present.shape[1]), 2):
        at = (voices.present[:, a] > 0.1) & (voices.present[:, b] > 0.1)
        cases.append(np.stack([labels[:, a][at], labels[:, b][at]], axis=1))
    return np.concatenate(cases)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 4), st.sampled_from([0.1, 1.0, 30.0]))
def test_two_who_are_active_at_once_are_two(seed, speakers, windows, noise):
    """Whatever the voices sound like: two local speakers at most are active here, so it can be done."""
    random = np.random.default_rng(seed)
    who = random.integers(-1, speakers, size=(windows, LOCAL, PIECES))
    who[:, 2][(who[:, 0] >= 0) & (who[:, 1] >= 0)] = -1
    voices = voices_of(who, seed, noise)
    labels = DurationClusterer()(voices, Speakers(minimum=2))
    pairs = both(labels, voices)
    assert len(heard(labels, voices)) >= 2
    assert (pairs[:, 0] != pairs[:, 1]).all()


def test_not_even_opposite_voices_break_that():
    """A second local speaker that sounds exactly like the first, and like the contrary of anybody else."""
    one = directions(1)
    who = np.full((4, 2, PIECES), -1)
    who[:2, 0], who[2:, 0], who[:2, 1] = 0, 1, 0
    voices = voices_of(who, noise=1e-6, voices=np.concatenate([one, -one]))
    for inertia in (0.0, 0.3, 1.0):
        pairs = both(DurationClusterer(inertia=inertia)(voices, ANY), voices)
        assert len(pairs)
        assert (pairs[:, 0] != pairs[:, 1]).all()


def test_overlap_proves_a_second_speaker():
    who = talk(1, windows=20)
    alone = DurationClusterer()(voices_of(who), ANY)
    assert set(alone[who >= 0].tolist()) == {0}
    for window in range(5, 10):
        free = int(np.flatnonzero((who[window] < 0).all(axis=1))[0])
        who[window, free, 4:8] = 0  # the same voice, while the other goes on
    voices = voices_of(who)
    labels = DurationClusterer()(voices, ANY)
    assert heard(labels, voices) == {0, 1}
    pairs = both(labels, voices)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    for speakers in (Speakers(1), Speakers(maximum=1)):
        assert heard(DurationClusterer()(voices, speakers), voices) == {0}
    patient = DurationClusterer(overlap=100.0)
    assert heard(patient(voices, ANY), voices) == {0}


# ── the number that is known ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("people", [1, 3, 5])
@pytest.mark.parametrize("wanted", [1, 2, 3, 4, 6, 8, 15, 40])
def test_the_exact_number(people, wanted):
    voices = voices_of(talk(people, seed=2))
    assert len(heard(DurationClusterer()(voices, Speakers(wanted)), voices)) == wanted


@pytest.mark.parametrize("people", [1, 3, 5])
@pytest.mark.parametrize("bound", range(1, 8))
def test_bounds(people, bound):
    voices = voices_of(talk(people, seed=2))
    for speakers, expected in [
        (Speakers(minimum=bound), max(people, bound)),
        (Speakers(maximum=bound), min(people, bound)),
        (Speakers(minimum=bound, maximum=bound + 1), min(max(people, bound), bound + 1)),
    ]:
        assert len(heard(DurationClusterer()(voices, speakers), voices)) == expected


def test_as_many_as_there_are_pieces():
    who = talk(2, windows=1)
    voices = voices_of(who, noise=5.0)
    spoken = int((who >= 0).sum())
    for wanted in range(1, spoken // 2):
        assert len(heard(DurationClusterer()(voices, Speakers(wanted)), voices)) == wanted
    for speakers in (Speakers(spoken + 1), Speakers(minimum=spoken + 1)):
        with pytest.raises(UsageError, match=f"{speakers} speakers were asked for.* only {spoken} stretches"):
            DurationClusterer()(voices, speakers)
    assert len(heard(DurationClusterer()(voices, Speakers(maximum=spoken + 1)), voices)) <= spoken


def test_pieces_too_short_to_cluster_are_used_when_there_is_nothing_else():
    who = talk(2, windows=4)
    voices = voices_of(who, noise=0.05)
    short = replace(voices, support=np.minimum(voices.support, 0.3).astype(np.float32))
    assert heard(DurationClusterer()(short, Speakers(2)), short) == {0, 1}


@pytest.mark.parametrize("speakers", [ANY, Speakers(maximum=3)])
def test_silence(speakers):
    voices = voices_of(np.full((3, LOCAL, PIECES), -1))
    assert (DurationClusterer()(voices, speakers) == -1).all()


@pytest.mark.parametrize("speakers", [Speakers(1), Speakers(minimum=2)])
def test_nobody_can_be_found_in_silence(speakers):
    voices = voices_of(np.full((3, LOCAL, PIECES), -1))
    with pytest.raises(
        UsageError, match="speakers were asked for, but the recording holds only no speech"
    ) as caught:
        DurationClusterer()(voices, speakers)
    assert caught.value.exit_code == 2


# ── what must not matter ─────────────────────────────────────────────────────────────────────────────────


def test_the_numbers_of_local_speakers():
    who = talk(4, windows=30)
    voices = voices_of(who)
    order = np.array([np.random.default_rng(i).permutation(LOCAL) for i in range(len(who))])[:, :, None]
    shuffled = Voices(
        np.take_along_axis(voices.vectors, order[..., None], axis=1),
        *(np.take_along_axis(x, order, axis=1) for x in (voices.support, voices.solo, voices.present)),
        voices.hop,
        voices.piece,
    )
    labels = np.take_along_axis(DurationClusterer()(voices, ANY), order, axis=1)
    assert agree(DurationClusterer()(shuffled, ANY), labels)


def test_the_lengths_of_vectors():
    voices = voices_of(talk(4, windows=30), noise=8.0)
    lengths = np.random.default_rng(0).uniform(0.1, 14, voices.vectors.shape[:3])
    longer = replace(voices, vectors=voices.vectors * lengths[..., None].astype(np.float32))
    for speakers in (ANY, Speakers(4), Speakers(7), Speakers(60)):
        np.testing.assert_array_equal(
            DurationClusterer()(longer, speakers), DurationClusterer()(voices, speakers)
        )


def test_the_arguments_are_left_alone():
    voices = voices_of(talk(3))
    before = [x.copy() for x in (voices.vectors, voices.support, voices.solo, voices.present)]
    DurationClusterer()(voices, ANY)
    for old, new in zip(before, (voices.vectors, voices.support, voices.solo, voices.present), strict=True):
        np.testing.assert_array_equal(old, new)


def test_two_runs():
    voices = voices_of(talk(5), noise=3.0)
    np.testing.assert_array_equal(DurationClusterer()(voices, ANY), DurationClusterer()(voices, ANY))


# ── the path of labels ───────────────────────────────────────────────────────────────────────────────────


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 4), st.sampled_from([0.0, 0.3, 1.0]))
def test_no_path_of_labels_is_better(seed, pieces, speakers, switch):
    scores = np.random.default_rng(seed).normal(size=(2, pieces, speakers)).astype(np.float32)

    def worth(path, row):
        changes = sum(a != b for a, b in itertools.pairwise(path))
        return sum(row[i, label] for i, label in enumerate(path)) - switch * changes

    for path, row in zip(_smooth(scores, switch), scores, strict=True):
        best = max(worth(other, row) for other in itertools.product(range(speakers), repeat=pieces))
        assert worth(path.tolist(), row) == pytest.approx(best, abs=1e-5)
