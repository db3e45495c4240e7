"""`tertulia enroll`, `identify`, `verify` and `speakers`, on the bundled conversation."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import tertulia
from tertulia.audio import Waveform, read, write_wav
from tertulia.cli import main
from tertulia.identity import Ear, Entry, SpeakerStore, checksum, crypto, keys


@dataclass(frozen=True)
class Outcome:
    code: int
    stdout: str
    stderr: str


@pytest.fixture
def run(capsys):
    def call(*arguments: object) -> Outcome:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def people(tmp_path_factory, recording, reference) -> dict[str, Path]:
    """What either of the two people says alone: a first half to enrol, "… again" the second half."""
    folder, samples, cut = tmp_path_factory.mktemp("people"), read(recording).samples[0], {}
    for name, (_, timeline) in zip(("Ada", "Bob"), reference.items(), strict=True):
        alone = timeline - reference.overlap
        parts = [samples[round(s.start * 16_000) : round(s.end * 16_000)] for s in alone]
        halves = np.array_split(np.concatenate(parts), 2)
        for half, called in zip(halves, (name, f"{name} again"), strict=True):
            cut[called] = folder / f"{called}.wav"
            write_wav(cut[called], Waveform(half[None], 16_000))
    return cut


@pytest.fixture(scope="session")
def mixture(tmp_path_factory, recording) -> Path:
    """Twelve seconds of the conversation, in which both speak."""
    path = tmp_path_factory.mktemp("mixture") / "mixture.wav"
    samples = read(recording).samples[:, 104_000:296_000]
    write_wav(path, Waveform(samples, 16_000))
    return path


@pytest.fixture(scope="session")
def enrolled(tmp_path_factory, people):
    """A store in which both are enrolled, and its key."""
    path, key = tmp_path_factory.mktemp("store") / "voices.sqlite", tmp_path_factory.mktemp("key") / "key"
    ear = Ear.load()
    with SpeakerStore(path, key=key, create=True) as store:
        for name in ("Ada", "Bob"):
            found = people[name]
            store.enrol(name, [Entry(ear(found), found.name, "yes", checksum(found))])
        return path, key, store.id


@pytest.fixture
def known(enrolled, path):
    """Path of a copy of that store, its key where the key of a user belongs."""
    template, key, store = enrolled
    place = keys.default_path(store)
    place.parent.mkdir(parents=True)
    shutil.copy(key, place)
    return shutil.copy(template, path)


# ── enroll ───────────────────────────────────────────────────────────────────────────────────────────────


def test_enrolling_says_what_is_known_and_that_it_is_little(run, path, people):
    outcome = run("enroll", "Ada", people["Ada"], "--consent", "form", "--store", path, "--keep", 30)
    assert outcome.code == 0
    name, number, seconds, source = outcome.stdout.strip().split("\t")
    assert (name, number, source) == ("Ada", "1", "Ada.wav")
    assert 3 < float(seconds) < 6
    assert "that is little: 10 s or more of net speech" in outcome.stderr
    with SpeakerStore(path) as store:
        assert store.encrypted
        (voice,) = store.person("Ada").voices
        assert (voice.consent, (voice.expires - voice.created).days) == ("form", 30)


@pytest.mark.parametrize("note", [[], ["--consent", " "]])
def test_no_consent_no_enrolment(run, path, people, note):
    outcome = run("enroll", "Ada", people["Ada"], "--store", path, *note)
    assert outcome.code == 2
    assert "--consent NOTE says how the person agreed" in outcome.stderr
    assert not path.exists()


def test_a_mixture_is_refused_and_its_turns_are_named(run, path, people, mixture):
    outcome = run("enroll", "Ada", people["Ada"], mixture, "--consent", "x", "--store", path)
    assert outcome.code == 3
    assert outcome.stdout == ""
    assert "mixture.wav: more than one person speaks: somebody else at " in outcome.stderr
    assert re.search(r"[\d.]+–11\.\d s", outcome.stderr), "where the other speaks"
    with SpeakerStore(path) as store:
        assert not store.people(), "all recordings or none"


def test_a_mixture_can_be_insisted_on(run, path, mixture):
    outcome = run("enroll", "Both", mixture, "--consent", "x", "--store", path, "--one-speaker")
    assert (outcome.code, outcome.stdout.count("\n")) == (0, 1)


def test_a_recording_is_enrolled_once(run, known, people):
    outcome = run("enroll", "Ada", people["Ada"], "--consent", "x", "--store", known)
    assert outcome.code == 2
    assert "'Ada' is known by this recording already (voice 1" in outcome.stderr


def test_silence_is_nobody(run, path, tmp_path):
    write_wav(tmp_path / "silence.wav", Waveform(np.zeros((1, 48_000), np.float32), 16_000))
    outcome = run("enroll", "Ada", tmp_path / "silence.wav", "--consent", "x", "--store", path)
    assert outcome.code == 3
    assert "0.0 s of speech is too little to know a voice by" in outcome.stderr


def test_a_recording_that_is_not_there(run, path):
    outcome = run("enroll", "Ada", "nowhere.wav", "--consent", "x", "--store", path)
    assert (outcome.code, outcome.stderr) == (3, "tertulia: nowhere.wav: does not exist\n")


def test_a_plain_store_is_asked_for(run, path, people):
    arguments = ("enroll", "Ada", people["Ada"], "--consent", "x", "--store", path, "--no-encryption")
    assert run(*arguments).code == 0
    with SpeakerStore(path) as store:
        assert not store.encrypted


def test_an_encrypted_store_does_not_become_plain(run, known, people):
    arguments = ("enroll", "Ada", people["Ada again"], "--consent", "x", "--store", known, "--no-encryption")
    outcome = run(*arguments)
    assert outcome.code == 2
    assert "is encrypted already; --no-encryption is for a new store" in outcome.stderr


# ── identify ─────────────────────────────────────────────────────────────────────────────────────────────


def test_known_people_get_their_names(run, known, recording, reference, tmp_path):
    outcome = run("identify", recording, "--store", known, "-o", tmp_path / "out", "--format", "rttm,json")
    assert outcome.code == 0
    assert "2 speakers, recognised: Ada (" in outcome.stderr
    found = tertulia.Diarization.read(tmp_path / "out" / "conversation.rttm")
    truth = reference.rename(dict(zip(reference.speakers, ("Ada", "Bob"), strict=True)))
    assert set(found.speakers) == {"Ada", "Bob"}
    for name in ("Ada", "Bob"):  # the right names, not only the right turns
        assert (found[name] & truth[name]).duration > 0.85 * truth[name].duration
    document = json.loads((tmp_path / "out" / "conversation.json").read_text())
    noted = document["provenance"]["settings"]["identity"]
    assert noted["enrolled"] == 2
    assert all(probability > 0.9 for probability in noted["probabilities"].values())


def test_strangers_stay_numbers(run, known, mixture):
    run("speakers", "forget", "Bob", "--store", known)
    outcome = run("identify", mixture, "--store", known)
    assert {line.split()[-1] for line in outcome.stdout.splitlines()} == {"Ada", "SPEAKER_01"}
    assert "2 speakers, recognised: Ada (" in outcome.stderr


def test_nobody_known_is_a_diarization(run, known, mixture):
    run("speakers", "forget", "Ada", "Bob", "--store", known)
    outcome = run("identify", mixture, "--store", known)
    assert outcome.stdout == run("diarize", mixture).stdout
    assert "recognised: nobody" in outcome.stderr


def test_identifying_needs_a_store(run, path, recording):
    outcome = run("identify", recording, "--store", path)
    assert outcome.code == 3
    assert "there is no store of voices at" in outcome.stderr


@pytest.mark.parametrize("rate", ["0", "1", "-0.1"])
def test_impossible_rates(run, known, recording, people, rate):
    for command in (("identify", recording, "--store", known), ("verify", people["Ada"], people["Bob"])):
        outcome = run(*command, "--false-accept", rate)
        assert outcome.code == 2
        assert "a rate of false accepts lies between 0 and 1" in outcome.stderr


def test_people_enrolled_with_another_network_are_named(run, known, people, entry):
    with SpeakerStore(known) as store:
        store.enrol("Cid", [entry(1, model="old network")])
    outcome = run("identify", people["Bob"], "--store", known)
    assert outcome.code == 0
    assert "not looked for: Cid, enrolled with another network; enrol again" in outcome.stderr


# ── verify ───────────────────────────────────────────────────────────────────────────────────────────────


def test_one_person_and_two(run, people):
    same = run("verify", people["Ada"], people["Ada again"])
    assert same.stdout.startswith("same person\tprobability 0.9") or "probability 1.000" in same.stdout
    other = run("verify", people["Ada"], people["Bob"], "--json")
    document = json.loads(other.stdout)
    assert document["same"] is False
    assert document["probability"] < 0.5
    assert document["score"] < document["threshold"]
    assert all(3 < seconds < 7 for seconds in document["seconds"])


def test_verifying_a_mixture_is_refused(run, people, mixture):
    outcome = run("verify", people["Ada"], mixture)
    assert outcome.code == 3
    assert "more than one person speaks" in outcome.stderr


def test_unknown_systems_of_verification(run, people):
    outcome = run("verify", people["Ada"], people["Bob"], "--system", "oracle")
    assert outcome.code == 2
    assert "unknown system of verification 'oracle'; there is: default, gmm-ubm" in outcome.stderr
    outcome = run("verify", "-", "-")
    assert outcome.code == 2


# ── speakers ─────────────────────────────────────────────────────────────────────────────────────────────


def test_list_and_show(run, known):
    listed = run("speakers", "list", "--store", known).stdout.splitlines()
    assert [line.split("\t")[:2] for line in listed] == [["Ada", "1"], ["Bob", "1"]]
    shown = run("speakers", "show", "Ada", "--store", known).stdout.strip().split("\t")
    assert (shown[0], *shown[4:6], shown[7]) == ("1", "enrolled", "Ada.wav", "yes")
    for arguments in (("show", "Ada"), ("list",)):
        document = run("speakers", *arguments, "--json", "--store", known).stdout
        assert json.loads(document)
        assert "vector" not in document


def test_rename_merge_and_split(run, known):
    assert run("speakers", "rename", "Ada", "Ada L", "--store", known).code == 0
    assert run("speakers", "merge", "Ada L", "Bob", "--into", "Both", "--store", known).code == 0
    assert run("speakers", "split", "Both", 2, "--into", "Bob", "--store", known).code == 0
    listed = run("speakers", "list", "--store", known).stdout.splitlines()
    assert [line.split("\t")[0] for line in listed] == ["Bob", "Both"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dance"], "unknown action 'dance'; there is: export, forget, import"),
        (["show"], "it is 'tertulia speakers show NAME'; got 0 arguments"),
        (["rename", "Ada"], "it is 'tertulia speakers rename OLD NEW'; got 1 arguments"),
        (["show", "Eve"], "nobody is called 'Eve'"),
        (["split", "Ada", "1"], "--into NAME says who gets these voices"),
        (
            ["split", "Ada", "one", "--into", "Eve"],
            "voices are numbers, see 'tertulia speakers show'; got one",
        ),
        (["export", "out.voices"], "a passphrase is needed: --passphrase-file FILE"),
    ],
)
def test_wrong_calls(run, known, arguments, message):
    outcome = run("speakers", *arguments, "--store", known)
    assert outcome.code == 2
    assert message in outcome.stderr


def test_export_forget_import(run, known, tmp_path, monkeypatch):
    monkeypatch.setattr(crypto, "SCRYPT_COST", 1 << 4)
    monkeypatch.setenv("TERTULIA_PASSPHRASE", "secret")
    file, new = tmp_path / "ada.voices", tmp_path / "new.sqlite"
    assert run("speakers", "export", file, "Ada", "--store", known).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"Ada" not in file.read_bytes()
    outcome = run("speakers", "export", file, "Ada", "--store", known)
    assert (outcome.code, "File exists" in outcome.stderr) == (3, True)
    assert run("speakers", "forget", "Ada", "--store", known).code == 0
    assert run("speakers", "import", file, "--store", new).stdout == "Ada\t1\n"
    (tmp_path / "passphrase").write_text("other\n")
    outcome = run("speakers", "import", file, "--store", new, "--passphrase-file", tmp_path / "passphrase")
    assert outcome.code == 3
    assert "the passphrase is another one" in outcome.stderr
    outcome = run("speakers", "import", tmp_path / "nowhere", "--store", new)
    assert (outcome.code, "cannot be read: No such file" in outcome.stderr) == (3, True)


def test_learning_from_a_corrected_result(run, known, recording, reference, tmp_path):
    first, second = reference.speakers
    corrected = reference.rename({first: "Ada", second: "Eve"})
    corrected.write(tmp_path / "right.rttm")
    outcome = run("speakers", "learn", recording, tmp_path / "right.rttm", "--store", known)
    assert outcome.code == 0
    assert outcome.stdout.startswith("Ada\t")
    assert "not enrolled, and not learned without --consent NOTE: Eve" in outcome.stderr
    with SpeakerStore(known) as store:
        voices = store.person("Ada").voices
        assert [(voice.origin, voice.consent) for voice in voices] == [
            ("enrolled", "yes"),
            ("learned", "yes"),
        ]
    corrected.rename({"Ada": "SPEAKER_00", "Eve": "Bob"}).write(tmp_path / "right.rttm")
    outcome = run("speakers", "learn", recording, tmp_path / "right.rttm", "--store", known)
    assert outcome.stdout.startswith("Bob\t")
    with SpeakerStore(known) as store:
        assert [len(store.person(name).voices) for name in ("Ada", "Bob")] == [1, 2], "taken back from Ada"
    reference.rename({first: "SPEAKER_00", second: "SPEAKER_01"}).write(tmp_path / "right.rttm")
    outcome = run("speakers", "learn", recording, tmp_path / "right.rttm", "--store", known)
    assert outcome.code == 2
    assert "nobody has a name here; there is: SPEAKER_00, SPEAKER_01" in outcome.stderr


def test_a_corrupt_store_is_an_error_of_input(run, known):
    known.write_bytes(b"x" * 10_000)
    outcome = run("speakers", "list", "--store", known)
    assert (outcome.code, outcome.stderr) == (
        3,
        f"tertulia: {known}: is not a store of voices; nothing was changed\n",
    )


# ── link ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_linking_recordings(run, known, people, tmp_path):
    run("speakers", "forget", "Bob", "--store", known)
    first = run(
        "link", people["Bob"], people["Ada again"], "--store", known, "--consent", "told", "-o", tmp_path
    )
    assert first.code == 0
    found = {path.stem: tertulia.Diarization.read(path).speakers for path in tmp_path.glob("*.rttm")}
    assert found == {"Bob": ("PERSON_0001",), "Ada again": ("Ada",)}
    second = run("link", people["Bob again"], "--store", known)
    assert second.stdout.split()[-1] == "PERSON_0001", "the same id in a later run"
    with SpeakerStore(known) as store:
        assert [(p.name, len(p.voices)) for p in store.people()] == [("Ada", 1), ("PERSON_0001", 1)]


def test_linking_needs_no_store_and_keeps_nothing_without_consent(run, people, home):
    outcome = run("link", people["Bob"])
    assert outcome.code == 0
    assert outcome.stdout.split()[-1] == "PERSON_0001"
    assert not list(home.rglob("*.sqlite"))


def test_one_recording_that_cannot_be_read_does_not_stop_the_others(run, people):
    outcome = run("link", people["Bob"], "nowhere.wav")
    assert outcome.code == 5
    assert "PERSON_0001" in outcome.stdout
    assert "nowhere.wav: does not exist" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.wav", "--method", "magic"], "unknown method 'magic'; there is: ilp, incremental"),
        (["-"], "linking takes files, not standard input"),
        (["a.wav", "b/a.wav"], "2 inputs are called 'a'"),
    ],
)
def test_wrong_calls_of_link(run, arguments, message):
    outcome = run("link", *arguments)
    assert (outcome.code, message in outcome.stderr) == (2, True)
