"""A collection linked with a store: ids that stay, names that are kept, nobody stored without consent."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tertulia.embedding import unit
from tertulia.errors import UsageError
from tertulia.identity import Gallery, Original, SpeakerStore, Voiceprint, link, remember
from tertulia.identity.scoring import Score

MODEL = "network"
VOICES = unit(np.random.default_rng(5).standard_normal((6, 192)).astype(np.float32))


class Cosine:
    """A scorer whose ratio rises with the cosine alone."""

    def ratios(self, ones, others):
        cosines = [[float(a.vector @ b.vector) for b in others] for a in ones]
        return 40 * (np.array(cosines).reshape(len(ones), len(others)) - 0.4)

    def many(self, query, gallery):
        return [Score(0.0, 0.0, float(ratio)) for ratio in self.ratios([query], gallery)[0]]

    def required(self, ones, others, false_accept, gallery):
        return np.full((len(ones), len(others)), np.log(gallery / false_accept))


def said(person: int, seed: int) -> Voiceprint:
    added = np.random.default_rng(100 + seed).standard_normal(192) / np.sqrt(192)
    return Voiceprint(VOICES[person] + 0.5 * added, 10.0, MODEL)


def heard(**recordings: list[int]):
    """Voices of recordings, each with a list of people."""
    seeds = itertools.count()
    return {
        (recording, f"SPEAKER_{i:02d}"): said(person, next(seeds))
        for recording, people in recordings.items()
        for i, person in enumerate(people)
    }


def originals(voices):
    return {recording: Original(f"{recording}.wav", f"sum of {recording}") for recording, _ in voices}


@pytest.mark.parametrize("at_once", [False, True])
def test_known_people_keep_their_names_and_others_get_ids(at_once):
    if at_once:
        pytest.importorskip("tertulia.clustering.ilp")
    gallery = Gallery.of([("Ada", said(0, 50)), ("PERSON_0004", said(1, 51))], MODEL)
    voices = heard(a=[0, 2], b=[2, 1], c=[3, 0])
    linked = link(voices, gallery, Cosine(), false_accept=0.01, at_once=at_once)
    names = [linked.names[key] for key in voices]
    ada, stranger, again, fourth, other, ada_again = names
    assert (ada, ada_again, fourth) == ("Ada", "Ada", "PERSON_0004")
    assert stranger == again
    assert len({ada, stranger, fourth, other}) == 4
    assert all(name.startswith("PERSON_") for name in (stranger, other))


def test_ids_are_the_same_in_the_next_run(path):
    with SpeakerStore(path, create=True, encrypt=False) as store:
        voices = heard(a=[0, 1], b=[1, 2])
        first = link(voices, store.gallery(MODEL), Cosine(), false_accept=0.01)
        assert remember(store, first, voices, originals(voices), consent="told") == {
            "PERSON_0001": 1,
            "PERSON_0002": 2,
            "PERSON_0003": 1,
        }
        (voice, _) = store.person("PERSON_0002").voices
        assert (voice.source, voice.recording, voice.origin, voice.consent) == (
            "a.wav",
            "sum of a",
            "linked",
            "told",
        )
        later = heard(c=[2, 3, 0])
        second = link(later, store.gallery(MODEL), Cosine(), false_accept=0.01)
        assert [second.names[key] for key in later] == ["PERSON_0003", "PERSON_0004", "PERSON_0001"]
        again = link(voices, store.gallery(MODEL), Cosine(), false_accept=0.01)
        assert again.names == first.names
        assert remember(store, again, voices, originals(voices), consent="told") == {}, "known by these"
        store.rename("PERSON_0003", "Eve")
        third = link(later, store.gallery(MODEL), Cosine(), false_accept=0.01)
        assert third.names["c", "SPEAKER_00"] == "Eve"
        remember(store, third, later, originals(later), consent="told")
        assert len(store.person("Eve").voices) == 1, (
            "people with names are enrolled by their own consent only"
        )


def test_ids_that_another_process_has_given_meanwhile_are_not_mixed_up(path):
    with SpeakerStore(path, create=True, encrypt=False) as store:
        before = store.gallery(MODEL)
        one, other = heard(a=[0]), heard(b=[1])
        links = [link(voices, before, Cosine(), false_accept=0.01) for voices in (one, other)]
        remember(store, links[0], one, originals(one), consent="told")
        with pytest.raises(UsageError, match="PERSON_0001 was given to somebody else in the meantime"):
            remember(store, links[1], other, originals(other), consent="told")
        assert len(store.person("PERSON_0001").voices) == 1
