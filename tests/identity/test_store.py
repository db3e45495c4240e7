"""What a store keeps, and what becomes of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.errors import InputError, UsageError
from tertulia.identity import Entry, Gallery, SpeakerStore, Voiceprint, checked_name, crypto
from tertulia.identity.store import default_path


def names(store: SpeakerStore) -> list[str]:
    return [person.name for person in store.people()]


# ── enrolling ────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_enrolled_is_there_with_everything_about_it(store, entry, clock):
    assert store.enrol("Ada", [entry(1, 8.0), entry(2, 4.5, recording="ab12")], days=30) == (1, 2)
    (ada,) = store.people()
    assert ada == store.person("Ada")
    assert ada.seconds == 12.5
    first, second = ada.voices
    assert (first.number, first.seconds, first.model) == (1, 8.0, "network")
    assert (first.source, first.consent, first.origin) == ("recording-1.wav", "form 1 signed", "enrolled")
    assert second.recording == "ab12"
    assert first.created == clock.now
    assert (first.expires - first.created).days == 30


def test_vectors_come_back_bit_for_bit(store, entry, voiceprint):
    store.enrol("Ada", [entry(1), entry(2)])
    for kept, seed in zip(store.voiceprints("Ada"), (1, 2), strict=True):
        np.testing.assert_array_equal(kept.vector, voiceprint(seed).vector)
        assert (kept.seconds, kept.model) == (12.0, "network")


def test_content_survives_closing(store, entry, path):
    store.enrol("Ada", [entry(1)])
    store.close()
    with SpeakerStore(path) as again:
        assert names(again) == ["Ada"]
        assert again.encrypted == store.encrypted


def test_more_voices_of_a_person(store, entry):
    store.enrol("Ada", [entry(1)])
    store.enrol("Bob", [entry(2)])
    store.enrol(" Ada ", [entry(3)])
    assert names(store) == ["Ada", "Bob"]
    assert [voice.number for voice in store.person("Ada").voices] == [1, 3]


def test_one_name_in_two_spellings_of_unicode(store, entry):
    store.enrol("Zo\u00eb", [entry(1)])
    assert len(store.person("Zoe\u0308").voices) == 1


def test_a_recording_counts_once(store, entry):
    store.enrol("Ada", [entry(1, recording="ab12")])
    with pytest.raises(UsageError, match=r"'Ada' is known by this recording already \(voice 1, 2026-03-01\)"):
        store.enrol("Ada", [entry(2), entry(1, recording="ab12")])
    assert len(store.person("Ada").voices) == 1, "all of it or nothing"
    store.enrol("Ada", [entry(1, recording="ab12", model="other network")])
    store.enrol("Bob", [entry(1, recording="ab12")])


@pytest.mark.parametrize(
    "name", ["", "  ", "a\nb", "a\x00b", "x" * 201, "\ud800", "SPEAKER_00", "SPEAKER_123"]
)
def test_names_that_nobody_can_have(store, entry, name):
    with pytest.raises(UsageError, match=r"a name has 1 to 200 characters|what unknown speakers are called"):
        store.enrol(name, [entry(1)])
    assert not store.people()


def test_no_voice_is_no_enrolment(store):
    with pytest.raises(UsageError, match="at least one voice"):
        store.enrol("Ada", [])


@pytest.mark.parametrize("note", ["", "   "])
def test_consent_is_asked_for(voiceprint, note):
    with pytest.raises(UsageError, match="only with a note of how the person agreed"):
        Entry(voiceprint(1), "a.wav", note)


@pytest.mark.parametrize("days", [0, -1, 40_000, True, 2.5])
def test_impossible_retention(store, entry, days):
    with pytest.raises(UsageError, match="1 to 36500 days"):
        store.enrol("Ada", [entry(1)], days=days)


def test_nobody_of_that_name(store):
    for call in (store.person, store.voiceprints, lambda name: store.forget([name])):
        with pytest.raises(UsageError, match="nobody is called 'Eve'; 'tertulia speakers list'"):
            call("Eve")


# ── renaming, merging, splitting ─────────────────────────────────────────────────────────────────────────


def test_rename(store, entry):
    store.enrol("Ada", [entry(1)])
    store.enrol("Bob", [entry(2)])
    store.rename("Ada", "Ada Lovelace")
    assert names(store) == ["Ada Lovelace", "Bob"]
    with pytest.raises(UsageError, match="there is 'Bob' already; merge the two"):
        store.rename("Ada Lovelace", "Bob")
    with pytest.raises(UsageError, match="nobody is called 'Ada'"):
        store.rename("Ada", "Eve")


@pytest.mark.parametrize("into", ["Ada", "Bob", "Eve"])
def test_merge(store, entry, voiceprint, into):
    store.enrol("Ada", [entry(1)])
    store.enrol("Bob", [entry(2)])
    store.enrol("Cid", [entry(3)])
    store.merge(["Ada", "Bob"], into)
    assert names(store) == sorted([into, "Cid"])
    assert [voice.number for voice in store.person(into).voices] == [1, 2]
    np.testing.assert_array_equal(store.voiceprints(into)[1].vector, voiceprint(2).vector)


def test_merge_into_somebody_else_is_refused(store, entry):
    for seed, name in enumerate(["Ada", "Bob", "Cid"]):
        store.enrol(name, [entry(seed)])
    with pytest.raises(UsageError, match="there is 'Cid' already"):
        store.merge(["Ada", "Bob"], "Cid")
    with pytest.raises(UsageError, match="nobody is called 'Eve'"):
        store.merge(["Ada", "Eve"], "Ada")
    assert names(store) == ["Ada", "Bob", "Cid"]


def test_split(store, entry, voiceprint):
    store.enrol("Ada", [entry(1), entry(2), entry(3)])
    store.split("Ada", [2], "Bob")
    assert [voice.number for voice in store.person("Ada").voices] == [1, 3]
    np.testing.assert_array_equal(store.voiceprints("Bob")[0].vector, voiceprint(2).vector)
    assert store.person("Bob").voices[0].consent == "form 2 signed"


@pytest.mark.parametrize("numbers", [[], [1, 2], [7], [1, 7]])
def test_splits_that_make_no_sense(store, entry, numbers):
    store.enrol("Ada", [entry(1), entry(2)])
    with pytest.raises(UsageError, match="'Ada' has the voices 1, 2; some, not all"):
        store.split("Ada", numbers, "Bob")
    assert names(store) == ["Ada"]


def test_split_into_somebody_who_is_there(store, entry):
    store.enrol("Ada", [entry(1), entry(2)])
    store.enrol("Bob", [entry(3)])
    with pytest.raises(UsageError, match="there is 'Bob' already; voices go to a new person"):
        store.split("Ada", [1], "Bob")


@settings(deadline=None, max_examples=15)
@given(st.lists(st.sampled_from(["merge", "split", "rename", "enrol"]), max_size=8), st.integers(0, 99))
def test_no_voice_is_ever_lost_or_doubled(tmp_path_factory, actions, seed):
    """Whatever is done short of forgetting, every vector stays, under one name."""
    rng, made = np.random.default_rng(seed), 0
    path = tmp_path_factory.mktemp("store") / "voices.sqlite"
    with SpeakerStore(path, create=True, encrypt=False) as store:
        for action in ["enrol", "enrol", *actions]:
            people = store.people()
            if action == "enrol":
                prints = [Voiceprint(rng.standard_normal(8), 1.0, "m") for _ in range(2)]
                store.enrol(f"P{made}", [Entry(each, "a", "yes") for each in prints])
                made += 2
            elif action == "merge" and len(people) > 1:
                store.merge([people[0].name, people[1].name], people[int(rng.integers(2))].name)
            elif action == "split" and len(people[0].voices) > 1:
                store.split(people[0].name, [people[0].voices[0].number], f"S{rng.integers(1 << 40)}")
            elif action == "rename":
                store.rename(people[0].name, f"R{rng.integers(1 << 40)}")
        vectors = [tuple(each.vector) for person in store.people() for each in store.voiceprints(person.name)]
        assert len(vectors) == len(set(vectors)) == made


# ── learning ─────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_learned_from_a_recording_is_replaced_whosever_it_was(store, entry):
    store.enrol("Ada", [entry(1, recording="ab")])
    store.replace({"Ada": [entry(2, recording="cd", origin="learned")]}, recording="cd")
    store.replace({"Bob": [entry(3, recording="cd", origin="learned")]}, recording="cd")
    assert [voice.number for voice in store.person("Ada").voices] == [1]
    assert [voice.number for voice in store.person("Bob").voices] == [3]
    store.replace({}, recording="cd")
    assert names(store) == ["Ada"], "Bob was known by nothing else"
    store.replace({}, recording="ab")
    assert names(store) == ["Ada"], "what was enrolled stays"


# ── expiry ───────────────────────────────────────────────────────────────────────────────────────────────


def test_voices_end_on_their_day(store, entry, clock, path):
    store.enrol("Ada", [entry(1)], days=10)
    store.enrol("Ada", [entry(2)], days=20)
    store.enrol("Bob", [entry(3)], days=10)
    clock.pass_days(9.9)
    assert names(store) == ["Ada", "Bob"]
    clock.pass_days(0.2)
    assert names(store) == ["Ada"], "nobody sees them, even before they are deleted"
    assert len(store.gallery("network")) == 1
    store.enrol("Bob", [entry(4)])
    assert [voice.number for voice in store.person("Bob").voices] == [4]
    clock.pass_days(10)
    store.close()
    with SpeakerStore(path, clock=clock) as again:
        assert names(again) == ["Bob"]


def test_what_has_expired_leaves_no_trace_once_the_store_is_opened(path, entry, clock, voiceprint):
    with SpeakerStore(path, create=True, encrypt=False, clock=clock) as store:
        store.enrol("Ada", [entry(1)], days=10)
        clock.pass_days(11)
    SpeakerStore(path, clock=clock).close()
    assert not traces(path, [b"Ada", voiceprint(1).vector.tobytes()])


# ── forgetting ───────────────────────────────────────────────────────────────────────────────────────────


def traces(path: Path, needles: list[bytes]) -> list[bytes]:
    """Which of the needles any file beside the store holds."""
    content = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    assert len(content) > 1000
    return [needle for needle in needles if needle in content]


def test_forgetting_leaves_no_trace_in_the_bytes(path, entry, voiceprint):
    secret = [b"Ada", b"recording-1.wav", b"form 1 signed", *(voiceprint(s).vector.tobytes() for s in (1, 2))]
    with SpeakerStore(path, create=True, encrypt=False) as store:
        store.enrol("Ada", [entry(1), entry(2)])
        for seed in range(10, 60):
            store.enrol(f"Person {seed}", [entry(seed)])
        assert traces(path, secret) == secret, "the search finds what is there"
        store.rename("Ada", "Adam")
        store.merge(["Adam", "Person 10"], "Adam")
        store.forget(["Adam"])
        assert not traces(path, secret), "already while the store is open"
        assert traces(path, [b"Person 11", voiceprint(11).vector.tobytes()])
    assert not traces(path, secret)


def test_forgetting_removes_the_sealed_records_too(path, entry):
    import sqlite3

    with SpeakerStore(path, create=True) as store:
        store.enrol("Ada", [entry(1)])
        store.enrol("Bob", [entry(2)])
        db = sqlite3.connect(path)
        sealed = [
            column for row in db.execute("SELECT vector, about FROM voices WHERE id = 1") for column in row
        ]
        sealed += [tag for row in db.execute("SELECT uid, tag, name FROM people WHERE id = 1") for tag in row]
        db.close()
        needles = [each.encode() if isinstance(each, str) else each for each in sealed]
        assert len(traces(path, needles)) == 5
        store.forget(["Ada"])
        assert not traces(path, needles)


def test_forgetting_somebody_who_is_not_there_forgets_nobody(store, entry):
    store.enrol("Ada", [entry(1)])
    with pytest.raises(UsageError, match="nobody is called 'Eve'"):
        store.forget(["Ada", "Eve"])
    assert names(store) == ["Ada"]


# ── what can be read without the key ─────────────────────────────────────────────────────────────────────


def test_an_encrypted_store_tells_nothing_about_people(path, entry, voiceprint):
    with SpeakerStore(path, create=True) as store:
        store.enrol("Ada", [entry(1)])
        assert not traces(path, [b"Ada", b"recording-1", b"signed", voiceprint(1).vector.tobytes()[:16]])


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_only_the_owner_can_read_any_of_the_files(path, entry):
    previous = os.umask(0)
    try:
        with SpeakerStore(path, create=True) as store:
            store.enrol("Ada", [entry(1)])
            files = [*path.parent.glob("voices.sqlite*"), *path.parent.rglob("*.key")]
            assert {file.suffix for file in files} == {".sqlite", ".sqlite-wal", ".sqlite-shm", ".key"}
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(previous)
    path.chmod(0o644)
    SpeakerStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_that_is_printed_shows_a_vector(store, entry):
    store.enrol("Ada", [entry(1)])
    shown = repr((store.people(), store.voiceprints("Ada"), entry(1)))
    assert "Voiceprint(12.0 s, model network)" in shown
    assert "[" not in shown
    assert "array" not in shown


# ── to and from other stores ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def quick_passphrases(monkeypatch):
    monkeypatch.setattr(crypto, "SCRYPT_COST", 1 << 4)


@pytest.mark.usefixtures("quick_passphrases")
def test_export_and_import(path, tmp_path, entry, voiceprint, clock):
    with SpeakerStore(path, create=True, clock=clock) as store:
        store.enrol("Ada", [entry(1), entry(2)], days=100)
        store.enrol("Bob", [entry(3)])
        everybody, ada = store.export("secret"), store.export("secret", ["Ada"])
        before = store.person("Ada")
    for data in (everybody, ada):
        assert b"Ada" not in data
        assert voiceprint(1).vector.tobytes()[:12] not in data
    with SpeakerStore(tmp_path / "other.sqlite", create=True, clock=clock) as other:
        assert other.import_from(ada, "secret") == {"Ada": 2}
        assert other.import_from(everybody, "secret") == {"Ada": 0, "Bob": 1}
        assert other.person("Ada") == before
        np.testing.assert_array_equal(other.voiceprints("Bob")[0].vector, voiceprint(3).vector)
        clock.pass_days(101)
        other.forget(["Bob"])
        assert other.import_from(everybody, "secret") == {"Ada": 0, "Bob": 1}, "Ada's voices have ended"
        assert names(other) == ["Bob"]


@pytest.mark.usefixtures("quick_passphrases")
def test_files_that_cannot_be_imported(store, entry):
    store.enrol("Ada", [entry(1)])
    data = store.export("secret")
    for wrong, key, message in (
        (data, "other", "the passphrase is another one, or the file is damaged"),
        (
            data[:-1] + bytes([data[-1] ^ 1]),
            "secret",
            "the passphrase is another one, or the file is damaged",
        ),
        (data[:25], "secret", "the passphrase is another one, or the file is damaged"),
        (b"RIFF....", "secret", "is not a file of voices"),
        (b"", "secret", "is not a file of voices"),
    ):
        with pytest.raises(InputError, match=message):
            store.import_from(wrong, key)
    with pytest.raises(UsageError, match="needs a passphrase"):
        store.export("")


# ── the gallery ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_gallery_is_one_vector_a_person_of_one_network(store, entry, voiceprint):
    store.enrol("Ada", [entry(1, 3.0), entry(2, 1.0), entry(3, model="old")])
    store.enrol("Bob", [entry(4)])
    store.enrol("Cid", [entry(5, model="old")])
    gallery = store.gallery("network")
    assert gallery.names == ("Ada", "Bob")
    assert gallery.seconds.tolist() == [4.0, 12.0]
    assert gallery.incomparable == ("Cid",)
    expected = 3 * voiceprint(1).vector + voiceprint(2).vector
    np.testing.assert_allclose(gallery.vectors[0], expected / np.linalg.norm(expected), atol=1e-6)


def test_voices_of_two_networks_are_never_compared(voiceprint):
    gallery = Gallery.of([("Ada", voiceprint(1))], "network")
    with pytest.raises(InputError, match="only when one network made them; got network, other"):
        gallery.nearest(voiceprint(1, model="other"))
    with pytest.raises(InputError, match="only when one network made them"):
        Voiceprint.combine([voiceprint(1), voiceprint(1, model="other")])


def test_nearest_are_those_of_a_plain_sort(voiceprint):
    people = [(f"P{seed}", voiceprint(seed)) for seed in range(300)]
    gallery = Gallery.of(people, "network")
    for seed in (0, 150, 1000):
        query = voiceprint(seed)
        cosines = [float(each.vector @ query.vector) for _, each in people]
        assert gallery.nearest(query, 10).tolist() == np.argsort(cosines)[::-1][:10].tolist()
    assert gallery.nearest(voiceprint(7))[0] == 7
    assert len(gallery.nearest(voiceprint(7), 1000)) == 300


def test_an_empty_gallery_has_nobody_near(store, voiceprint):
    assert len(store.gallery("network").nearest(voiceprint(1))) == 0


@pytest.mark.parametrize(
    ("vector", "seconds"),
    [([0.0, 0.0], 1.0), ([np.nan, 1.0], 1.0), ([[1.0]], 1.0), ([1.0], 0.0), ([1.0], np.inf)],
)
def test_what_is_no_voiceprint(vector, seconds):
    with pytest.raises(ValueError, match="a voiceprint needs"):
        Voiceprint(np.array(vector), seconds, "m")


def test_names_keep_their_spelling():
    assert checked_name("  Ana María d'Ávila ") == "Ana María d'Ávila"
    assert checked_name("SPEAKER") == "SPEAKER"


def test_the_default_is_a_file_of_this_user(home):
    assert default_path().is_relative_to(home)
