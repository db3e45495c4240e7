"""Who somebody is, one-to-one; and clustering that known voices correct."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tertulia.clustering.base import Labels
from tertulia.embedding import Voices, unit
from tertulia.identity import Gallery, Matcher, Score, Voiceprint
from tertulia.identity.constraints import KnownVoices
from tertulia.speakers import ANY, Speakers

MODEL = "network"
DIM = 192
ADA, BOB, CID, EVE = unit(np.random.default_rng(1000).standard_normal((4, DIM)).astype(np.float32))


def near(direction, noise, seed):
    """A voice in about that direction: `noise` is the length of what is added at random."""
    added = np.random.default_rng(seed).standard_normal(DIM) / np.sqrt(DIM)
    return Voiceprint(direction + noise * added, 20.0, MODEL)


class Cosine:
    """A scorer whose ratio rises with the cosine alone."""

    def many(self, query, gallery):
        cosines = [float(query.vector @ each.vector) for each in gallery]
        return [Score(cosine, cosine, 40 * (cosine - 0.4)) for cosine in cosines]

    def required(self, ones, others, false_accept, gallery):
        return np.full((len(ones), len(others)), np.log(gallery / false_accept))


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    people = {"Ada": ADA, "Bob": BOB, "Cid": CID}
    gallery = Gallery.of(((name, Voiceprint(v, 30.0, MODEL)) for name, v in people.items()), MODEL)
    return Matcher(gallery, Cosine())


# ── matching ─────────────────────────────────────────────────────────────────────────────────────────────


def test_known_voices_are_named_and_strangers_are_not(matcher):
    matches = matcher.assign({"S0": near(BOB, 0.5, 1), "S1": near(EVE, 0.5, 2), "S2": near(ADA, 0.5, 3)})
    assert {speaker: match.name for speaker, match in matches.items()} == {"S0": "Bob", "S2": "Ada"}
    assert all(match.probability > 0.99 for match in matches.values())


def test_one_name_goes_to_one_speaker_the_likelier_one(matcher):
    matches = matcher.assign({"S0": near(ADA, 0.9, 1), "S1": near(ADA, 0.3, 2)})
    assert {speaker: match.name for speaker, match in matches.items()} == {"S1": "Ada"}


def test_names_are_given_for_the_best_sum(matcher):
    """The second speaker is between two people; the first can only be one of them."""
    matches = matcher.assign({"S0": near(ADA, 0.4, 1), "S1": near(0.75 * ADA + 0.7 * BOB, 0.2, 2)})
    assert {speaker: match.name for speaker, match in matches.items()} == {"S0": "Ada", "S1": "Bob"}


def test_a_voice_between_two_people_is_either_at_best(matcher):
    match = matcher.best(near(ADA + BOB, 0.0, 1))
    assert match is None or match.probability <= 0.55


def test_nobody_is_known_in_an_empty_gallery():
    empty = Matcher(Gallery.of([], MODEL), Cosine())
    assert empty.assign({"S0": near(ADA, 0.1, 1)}) == {}
    assert empty.best(near(ADA, 0.1, 1)) is None
    assert Matcher(empty.gallery, empty.scorer).assign({}) == {}


def test_more_people_raise_the_threshold(matcher):
    many = [(f"P{i}", near(EVE, 50.0, i)) for i in range(500)]
    query = near(ADA, 0.3, 1)
    ratio = matcher.best(query).score.llr
    known = [("Ada", Voiceprint(ADA, 30.0, MODEL)), *many]
    for gallery, found in ((known[:1], True), (known, False)):
        rate = 100 * np.exp(-ratio)  # enough by a hundred times for one person, not for five hundred
        assert bool(Matcher(Gallery.of(gallery, MODEL), matcher.scorer, rate).best(query)) == found


# ── constraints ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Fixed:
    """A clusterer that always says the same."""

    labels: Labels

    def __call__(self, voices: Voices, speakers: Speakers) -> Labels:
        return self.labels.copy()


def spoken(*who: list[np.ndarray | None], noise: float = 1.0, seed: int = 0) -> Voices:
    """Voices of windows of four pieces of 0.5 s; a list of local speakers a window."""
    rng = np.random.default_rng(seed)
    local = max(map(len, who))
    vectors = np.full((len(who), local, 4, DIM), np.nan, np.float32)
    seconds = np.zeros((len(who), local, 4), np.float32)
    for window, speakers in enumerate(who):
        for index, direction in enumerate(speakers):
            if direction is not None:
                added = rng.standard_normal((4, DIM)) / np.sqrt(DIM)
                vectors[window, index] = direction + noise * added
                seconds[window, index] = 0.5
    return Voices(vectors, seconds, seconds, seconds, 2.0, 0.5)


def labelled(voices: Voices, labels: list[list[int]]) -> Labels:
    return np.repeat(np.array(labels, dtype=np.intp)[..., None], voices.vectors.shape[2], axis=2)


def corrected(matcher, voices, labels, speakers=ANY) -> list[list[int]]:
    result = KnownVoices(Fixed(labelled(voices, labels)), matcher)(voices, speakers)
    assert (result == result[..., :1]).all()
    return result[..., 0].tolist()


def test_two_clusters_of_one_enrolled_person_become_one(matcher):
    voices = spoken(*[[ADA]] * 4, *[[EVE]] * 4)
    assert corrected(matcher, voices, [[0]] * 2 + [[1]] * 2 + [[2]] * 4) == [[0]] * 4 + [[1]] * 4


def test_two_enrolled_people_in_one_cluster_are_told_apart(matcher):
    voices = spoken(*[[ADA], [BOB]] * 4)
    assert corrected(matcher, voices, [[0]] * 8) in ([[0], [1]] * 4, [[1], [0]] * 4)


def test_three_enrolled_people_in_one_cluster_are_told_apart(matcher):
    voices = spoken(*[[ADA], [BOB], [CID]] * 4)
    found = corrected(matcher, voices, [[0]] * 12)
    assert len({tuple(row) for row in found}) == 3
    assert found == found[:3] * 4


def test_strangers_are_left_as_they_were_clustered(matcher):
    stranger = unit(np.random.default_rng(9).standard_normal((1, DIM)).astype(np.float32))[0]
    voices = spoken(*[[EVE]] * 4, *[[stranger]] * 4)
    for labels in ([[0]] * 8, [[0]] * 2 + [[1]] * 2 + [[2]] * 4):
        assert corrected(matcher, voices, labels) == labels


def test_a_known_person_and_a_stranger_in_one_cluster_stay(matcher):
    """One known voice does not prove two people."""
    voices = spoken(*[[ADA], [EVE]] * 4)
    assert corrected(matcher, voices, [[0]] * 8) == [[0]] * 8


def test_nobody_speaks_twice_at_once(matcher):
    voices = spoken(*[[ADA, ADA]] * 4)
    assert corrected(matcher, voices, [[0, 1]] * 4) == [[0, 1]] * 4


@pytest.mark.parametrize("speakers", [Speakers(2), Speakers(minimum=2)])
def test_a_promised_number_is_not_undercut(matcher, speakers):
    voices = spoken(*[[ADA]] * 4)
    labels = [[0]] * 2 + [[1]] * 2
    assert corrected(matcher, voices, labels, speakers) == labels


@pytest.mark.parametrize("speakers", [Speakers(1), Speakers(maximum=1)])
def test_a_promised_number_is_not_exceeded(matcher, speakers):
    voices = spoken(*[[ADA], [BOB]] * 4)
    assert corrected(matcher, voices, [[0]] * 8, speakers) == [[0]] * 8


def test_too_little_speech_proves_nothing(matcher):
    voices = spoken([ADA], [BOB])
    assert corrected(matcher, voices, [[0], [0]]) == [[0], [0]]


def test_silence_stays_silence(matcher):
    voices = spoken([None], [None])
    assert corrected(matcher, voices, [[-1], [-1]]) == [[-1], [-1]]
    voices = spoken(*[[ADA, None]] * 4)
    assert corrected(matcher, voices, [[0, -1]] * 2 + [[1, -1]] * 2) == [[0, -1]] * 4
