from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.errors import InputError
from tertulia.evaluation import cluster_agreement
from tertulia.identity.calibration import Calibration
from tertulia.identity.cohort import Cohort
from tertulia.identity.linking import LinkedPerson, Linker, link_by_program
from tertulia.identity.scoring import Scorer
from tertulia.identity.voiceprint import Voiceprint
from tertulia.timeline import Diarization

DIM = 64


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


class Plain(Scorer):
    """Asks for a ratio of zero, whatever the number of people."""

    def required(self, ones, others, false_accept=0.01, gallery=1):
        return np.zeros((len(ones), len(others)))


@pytest.fixture(scope="module")
def scorer():
    rng = np.random.default_rng(99)
    cohort = Cohort(unit(rng.standard_normal((40, DIM))), top=20, share=0.5)
    return Plain("net", cohort, Calibration(np.array([-40.0, 80.0, 0.0, 0.0])))


def people(count, seed=0):
    return unit(np.random.default_rng(seed).standard_normal((count, DIM)))


def voice(direction, rng=None, noise=0.0, seconds=10.0):
    vector = direction if rng is None else direction + noise * unit(rng.standard_normal(DIM))
    return Voiceprint(vector.astype(np.float32), seconds, "net")


def collection(recordings, crowd, rng, noise=0.6):
    """Recordings of one to four people each; also returns who the speakers really are."""
    voices, truth = {}, {}
    for number in range(recordings):
        present = rng.choice(len(crowd), rng.integers(1, 5), replace=False)
        voices[f"r{number}"] = {f"s{k}": voice(crowd[who], rng, noise) for k, who in enumerate(present)}
        truth |= {(f"r{number}", f"s{k}"): int(who) for k, who in enumerate(present)}
    return voices, truth


def agreement(one, other):
    """Adjusted Rand index of two ways to name the same voices."""
    sides = [
        Diarization([(i, i + 1, str(names[heard])) for i, heard in enumerate(sorted(one))])
        for names in (one, other)
    ]
    return cluster_agreement(*sides).adjusted_rand_index


def linked(scorer, voices, order=None):
    linker = Linker(scorer)
    for recording in order or voices:
        linker = linker.add(recording, voices[recording])
    return linker


def test_the_same_voice_gets_the_same_name_and_others_get_others(scorer):
    ana, ben, eva = people(3)
    linker = Linker(scorer)
    linker = linker.add("monday", {"A": voice(ana), "B": voice(ben)})
    linker = linker.add("tuesday", {"A": voice(eva), "B": voice(ana)})
    assert linker.names == {
        ("monday", "A"): "PERSON_0001",
        ("monday", "B"): "PERSON_0002",
        ("tuesday", "A"): "PERSON_0003",
        ("tuesday", "B"): "PERSON_0001",
    }
    assert linker.recordings == {"monday", "tuesday"}


def test_adding_leaves_the_linker_as_it_was(scorer):
    before = Linker(scorer)
    before.add("monday", {"A": voice(people(1)[0])})
    assert before.names == {}


def test_two_speakers_of_one_recording_are_two_people(scorer):
    ana = people(1)[0]
    linker = Linker(scorer).add("monday", {"A": voice(ana), "B": voice(ana)})
    assert set(linker.names.values()) == {"PERSON_0001", "PERSON_0002"}
    linker = linker.add("tuesday", {"A": voice(ana), "B": voice(ana)})
    assert sorted(linker.names.values()) == ["PERSON_0001", "PERSON_0001", "PERSON_0002", "PERSON_0002"]


def test_enrolled_people_keep_their_names_and_are_never_merged(scorer):
    ana = people(1)[0]
    known = tuple(LinkedPerson(name, voice(ana), known=True) for name in ("Ana", "Anna"))
    linker = Linker(scorer, known).add("monday", {"A": voice(ana)})
    assert linker.names[("monday", "A")] in {"Ana", "Anna"}
    assert [person.id for person in linker.people] == ["Ana", "Anna"]


def test_numbers_go_on_from_those_of_an_earlier_run(scorer):
    ana, ben = people(2)
    earlier = (LinkedPerson("PERSON_0007", voice(ana)),)
    linker = Linker(scorer, earlier).add("friday", {"A": voice(ben), "B": voice(ana)})
    assert linker.names == {("friday", "A"): "PERSON_0008", ("friday", "B"): "PERSON_0007"}


def halves(direction):
    """Two voices of one person, too far apart to match, and one between them."""
    aside = unit(np.random.default_rng(5).standard_normal(DIM))
    return voice(direction + 1.0 * aside), voice(direction - 1.0 * aside), voice(direction, seconds=300.0)


def test_two_halves_of_a_person_join_and_the_first_name_stays(scorer):
    left, right, middle = halves(people(1)[0])
    assert scorer(left, right).llr < 0 < min(scorer(left, middle).llr, scorer(right, middle).llr)
    linker = Linker(scorer).add("1", {"A": left}).add("2", {"A": right})
    assert set(linker.names.values()) == {"PERSON_0001", "PERSON_0002"}
    linker = linker.add("3", {"A": middle})
    assert set(linker.names.values()) == {"PERSON_0001"}
    assert linker.merged == {"PERSON_0002": "PERSON_0001"}
    linker = linker.add("4", {"A": voice(people(2)[1])})
    assert linker.names[("4", "A")] == "PERSON_0003"


def test_an_enrolled_name_wins_over_a_number(scorer):
    left, right, middle = halves(people(1)[0])
    known = LinkedPerson("Ana", right, known=True)
    linker = Linker(scorer, (known,)).add("1", {"A": left})
    assert linker.names == {("1", "A"): "PERSON_0001"}
    linker = linker.add("2", {"A": middle})
    assert set(linker.names.values()) == {"Ana"}


def test_people_of_one_recording_never_join(scorer):
    left, right, middle = halves(people(1)[0])
    linker = Linker(scorer).add("1", {"A": left, "B": right}).add("2", {"A": middle})
    assert len(set(linker.names.values())) == 2


def test_what_cannot_be_is_refused(scorer):
    linker = Linker(scorer).add("1", {"A": voice(people(1)[0])})
    with pytest.raises(InputError, match="1 is in the collection already"):
        linker.add("1", {})
    with pytest.raises(InputError, match="same id"):
        Linker(scorer, (linker.people[0], linker.people[0]))
    with pytest.raises(InputError, match="one network"):
        linker.add("2", {"A": Voiceprint(people(1)[0].astype(np.float32), 1.0, "other")})


def test_a_recording_without_speakers_is_fine(scorer):
    assert Linker(scorer).add("silence", {}).names == {}


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 1000))
def test_order_hardly_matters(scorer, seed):
    rng = np.random.default_rng(seed)
    voices, truth = collection(40, people(12, seed), rng)
    orders = [rng.permutation(sorted(voices)).tolist() for _ in range(3)]
    first, *others = (linked(scorer, voices, order).names for order in orders)
    assert agreement(truth, first) > 0.95
    assert min(agreement(first, other) for other in others) > 0.95


def test_clustering_at_once_finds_the_same_people(scorer):
    rng = np.random.default_rng(3)
    voices, truth = collection(20, people(8, 3), rng)
    flat = {(recording, s): v for recording, each in voices.items() for s, v in each.items()}
    names = link_by_program(flat, scorer)
    assert agreement(truth, names) > 0.95
    assert names[next(iter(flat))] == "PERSON_0001"
    assert link_by_program({}, scorer) == {}
    ana = people(1)[0]
    pair = {("1", "A"): voice(ana), ("1", "B"): voice(ana)}
    assert len(set(link_by_program(pair, scorer).values())) == 2


@pytest.mark.slow
def test_a_thousand_recordings_are_linked_one_by_one(scorer):
    rng = np.random.default_rng(7)
    voices, truth = collection(1000, people(300, 7), rng)
    assert agreement(truth, linked(scorer, voices).names) > 0.95
