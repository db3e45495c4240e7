from __future__ import annotations

import dataclasses
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tertulia.audio import Waveform, write_wav
from tertulia.errors import AudioError, InputError, OutputError, UsageError
from tertulia.simulation import Absence, Conversation, Simulation, Simulator, Summary
from tertulia.simulation.templates import replay
from tertulia.timeline import Diarization, Timeline

SHARED = Path(__file__).parents[3] / "shared" / "data"

TEMPLATE = (
    "SPEAKER meeting 1 0.5004 2.0000 <NA> <NA> Ana <NA> <NA>\n"
    "SPEAKER meeting 1 2.0000 1.5000 <NA> <NA> Ben <NA> <NA>\n"
    "SPEAKER meeting 1 4.2500 1.0000 <NA> <NA> Ana <NA> <NA>\n"
)


@pytest.fixture
def template(tmp_path):
    (tmp_path / "turns.rttm").write_text(TEMPLATE)
    return str(tmp_path / "turns.rttm")


def sound_of(simulator: Simulator, conversation: Conversation) -> np.ndarray:
    return np.concatenate(list(simulator.mix(conversation)))


def heard(samples: np.ndarray, rate: int) -> np.ndarray:
    """Whether each millisecond holds any sound."""
    return (samples.reshape(-1, rate // 1000) != 0).any(axis=1)


@pytest.mark.parametrize("settings", [{"overlap": 0.2}, {"sample_rate": 8000}, {"seconds": (45.123, 45.123)}])
def test_there_is_sound_in_the_turns_of_the_reference_and_nowhere_else(voices, tmp_path, settings):
    simulator = Simulator(Simulation(str(voices), **{"seconds": (20.0, 20.0)} | settings))
    made = simulator.write(0, tmp_path)
    samples, rate = soundfile.read(tmp_path / f"{made.name}.flac", dtype="int16")
    reference = Diarization.read(tmp_path / f"{made.name}.rttm")
    assert reference == made.reference
    assert len(samples) == round(made.seconds * rate)
    milliseconds = np.arange(len(samples) * 1000 // rate)
    inside = reference.speech.covers((milliseconds + 0.5) / 1000)
    found = heard(samples, rate)
    assert not (found & ~inside).any()
    assert (found & inside).sum() > 0.99 * inside.sum()  # resampled voices may hold a silent millisecond


def test_a_speaker_alone_is_heard_in_their_own_turns(voices):
    simulator = Simulator(Simulation(str(voices), speakers=(3, 3), overlap=0.2))
    made = simulator.plan(0)
    whole = sound_of(simulator, made)
    parts = []
    for name, timeline in made.reference.items():
        alone = dataclasses.replace(made, reference=Diarization({name: timeline}, duration=made.seconds))
        parts.append(sound_of(simulator, alone))
        inside = timeline.covers((np.arange(90_000) + 0.5) / 1000)
        assert np.array_equal(heard(parts[-1], 16_000), inside)
    assert np.allclose(sum(parts), whole, atol=1e-6)


def test_the_same_seed_gives_the_same_bytes(voices, noises, tmp_path):
    settings = Simulation(
        str(voices), rooms="generated", noise=str(noises), seconds=(5.0, 9.0), seed=4, telephone=0.5, count=3
    )
    for folder in ("one", "two"):
        for index in (0, 1) if folder == "one" else (1, 0):  # in any order
            Simulator(settings).write(index, tmp_path / folder)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(names) == 6
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    other = Simulator(dataclasses.replace(settings, seed=5)).plan(0)
    assert other.reference != Simulator(settings).plan(0).reference


def test_a_template_is_replayed_to_the_millisecond(voices, template, tmp_path):
    simulator = Simulator(Simulation(str(voices), turns=template))
    made = simulator.write(0, tmp_path / "out")
    first, second = made.reference.speakers
    assert made.template == "meeting"
    assert made.seconds == 5.25
    assert made.reference[first] == Timeline([(0.5, 2.5), (4.25, 5.25)])
    assert made.reference[second] == Timeline([(2.0, 3.5)])
    assert {first, second} <= set("abcdef")


def test_a_stretch_of_a_template_is_cut():
    template = Diarization([(10, 20, "A"), (18, 40, "B")])
    cut = replay(template, 12.0, np.random.default_rng(0))
    assert cut.duration == 12
    assert set(cut.speakers) <= {"A", "B"}
    assert cut.speech.extent is not None
    assert cut.speech.extent.end <= 12


def test_templates_are_chosen_by_their_speakers(voices, template):
    with pytest.raises(UsageError, match="3 to 4 speakers; they have: 2"):
        Simulator(Simulation(str(voices), turns=template, speakers=(3, 4)))


@pytest.mark.parametrize("snr", [0.0, 15.0])
@pytest.mark.parametrize("kind", ["folder", "generated"])
def test_noise_is_as_far_below_the_speech_as_asked(voices, noises, snr, kind):
    noise = str(noises) if kind == "folder" else "generated"
    simulator = Simulator(Simulation(str(voices), noise=noise, snr=(snr, snr), level=(-40.0, -40.0)))
    made = simulator.plan(0)
    speech = sound_of(simulator, dataclasses.replace(made, noise=None))
    rest = sound_of(simulator, made) - speech
    spoken = made.reference.speech.covers(np.arange(len(speech)) / 16_000)
    measured = 10 * np.log10((speech[spoken] ** 2).mean() / (rest**2).mean())
    assert measured == pytest.approx(snr, abs=0.5)
    assert 10 * np.log10((speech[spoken] ** 2).mean()) == pytest.approx(-40, abs=3.5)


def test_music_plays_at_its_level(voices, noises):
    simulator = Simulator(Simulation(str(voices), music=str(noises), music_snr=(6.0, 6.0)))
    made = simulator.plan(0)
    speech = sound_of(simulator, dataclasses.replace(made, music=None))
    rest = sound_of(simulator, made) - speech
    spoken = made.reference.speech.covers(np.arange(len(speech)) / 16_000)
    assert 10 * np.log10((speech[spoken] ** 2).mean() / (rest**2).mean()) == pytest.approx(6, abs=0.5)


def test_a_room_rings_after_turns_but_does_not_move_them(voices):
    settings = Simulation(str(voices), rooms="generated", rt60=(0.3, 0.3), gain=(0.0, 0.0), speakers=(2, 2))
    simulator = Simulator(settings)
    made = simulator.plan(0)
    wet, dry = sound_of(simulator, made), sound_of(simulator, dataclasses.replace(made, room=None))
    begins = round(made.reference.speech.bounds[0, 0] * 16_000)
    assert np.abs(wet[:begins]).max() < 1e-6
    assert np.abs(wet[begins : begins + 160]).max() > 1e-3
    spectra = np.fft.rfft(np.stack([wet, dry]), 2 * len(wet))
    lag = np.fft.irfft(spectra[0] * spectra[1].conj()).argmax()
    assert lag == 0
    assert (wet**2).mean() == pytest.approx((dry**2).mean(), rel=0.3)


def test_a_given_response_begins_with_its_direct_sound(voices, tmp_path):
    response = np.zeros(8000, np.float32)
    response[3000], response[3400] = 0.9, 0.3
    (tmp_path / "rooms").mkdir()
    write_wav(tmp_path / "rooms" / "r.wav", Waveform.from_array(response, 16_000))
    simulator = Simulator(Simulation(str(voices), rooms=str(tmp_path / "rooms"), seconds=(9.0, 9.0)))
    made = simulator.plan(0)
    wet, dry = sound_of(simulator, made), sound_of(simulator, dataclasses.replace(made, room=None))
    lag = np.correlate(wet[:60_000], dry[:60_000][1000:-1000], "valid").argmax() - 1000
    assert lag == 16  # the millisecond kept before it
    write_wav(tmp_path / "rooms" / "r.wav", Waveform.from_array(0 * response, 16_000))
    with pytest.raises(AudioError, match="silent"):
        simulator.mix(made)


def test_telephones_and_codecs_keep_the_length(voices, tmp_path):
    settings = Simulation(
        str(voices), telephone=1.0, codecs=("mp3", "opus", "vorbis"), seconds=(4.0, 4.0), format="ogg"
    )
    made = Simulator(settings).write(0, tmp_path)
    info = soundfile.info(tmp_path / f"{made.name}.ogg")
    assert (info.samplerate, info.frames, info.subtype) == (8000, 32_000, "OPUS")
    assert json.loads((tmp_path / f"{made.name}.json").read_text())["sample_rate"] == 8000


def test_what_was_done_is_written_down(voices, noises, tmp_path):
    settings = Simulation(
        str(voices), noise=str(noises), rooms="generated", seconds=(6.0, 6.0), speakers=(2, 2)
    )
    made = Simulator(settings).write(0, tmp_path)
    done = json.loads((tmp_path / f"{made.name}.json").read_text())
    assert done["seed"] == 0
    assert set(done["speakers"]) == set(made.gains)
    assert all(Path(f).exists() for s in done["speakers"].values() for f in s["utterances"])
    assert done["room"]["rt60_s"] == made.room.rt60
    assert set(done["room"]["sources_m"]) == set(made.gains)
    assert done["noise"]["snr_db"] == made.snr
    assert done["overlap_seconds"] == pytest.approx(made.reference.overlap.duration, abs=1e-3)


def test_an_absence_is_kept(voices):
    settings = Simulation(
        str(voices), speakers=(6, 6), seconds=(600.0, 600.0), absences=(Absence(2, 100.0, 400.0),)
    )
    made = Simulator(settings).plan(0)
    second = made.reference[list(made.gains)[1]]
    assert (second & Timeline([(100, 400)])).duration == 0
    assert len(made.reference.speakers) == 6
    with pytest.raises(UsageError, match="speaker 7 cannot be absent"):
        Simulator(dataclasses.replace(settings, absences=((7, 0, 1),))).plan(0)


def test_memory_does_not_grow_with_the_length(voices):
    def peak(seconds: float) -> int:
        settings = Simulation(str(voices), seconds=(seconds, seconds), speakers=(2, 2), noise="generated")
        simulator = Simulator(settings)
        mix = simulator.mix(simulator.plan(0))
        tracemalloc.start()
        for _ in mix:
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(10)  # what is imported on the way
    assert peak(240) < peak(40) + 1_000_000  # the sound alone would be 15 MB


def test_excluded_speakers_are_not_heard(voices, tmp_path):
    (tmp_path / "test.rttm").write_text("SPEAKER x 1 0 1 <NA> <NA> c <NA> <NA>\n")
    settings = Simulation(str(voices), exclude=("a", "b"), exclude_from=str(tmp_path), speakers=(3, 3))
    for index in range(5):
        assert set(Simulator(settings).plan(index).gains) == {"d", "e", "f"}
    with pytest.raises(UsageError, match="4 speakers need as many voices; there are 3"):
        Simulator(dataclasses.replace(settings, speakers=(4, 4))).plan(0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seconds": (0.0, 5.0)}, "seconds goes from 1 to"),
        ({"seconds": (5.0,)}, "seconds is a range"),
        ({"speakers": (4, 2)}, "lowest to its highest"),
        ({"snr": (float("nan"), 3.0)}, "snr goes from"),
        ({"count": 0}, "count"),
        ({"seed": 1.5}, "whole numbers"),
        ({"speakers": (1.5, 2)}, "whole numbers"),
        ({"rt60": (0.01, 0.2)}, "rt60 goes from 0.15"),
        ({"overlap": 0.9}, "overlap goes from 0 to 0.35"),
        ({"sample_rate": 44_100}, "sample_rate is one of"),
        ({"format": "mp4"}, "unknown format 'mp4'"),
        ({"music": "generated"}, "not generated"),
        ({"codecs": ()}, "at least one"),
        ({"codecs": ("gsm",)}, "unknown codec 'gsm'"),
        ({"absences": ((0, 1, 2),)}, "an absence is"),
        ({"absences": ((1, 5, 2),)}, "an absence is"),
        ({"absences": (3,)}, "an absence is"),
        ({"turns": "x", "overlap": 0.1}, "not both"),
    ],
)
def test_impossible_settings_are_refused(change, said):
    with pytest.raises(UsageError, match=said):
        Simulation("voices", **change)


def test_missing_inputs_are_named(voices, tmp_path):
    (tmp_path / "silent.rttm").write_text("")
    for change in ({"turns": str(tmp_path)}, {"exclude_from": str(tmp_path)}, {"statistics": str(tmp_path)}):
        with pytest.raises(InputError, match="no turns"):
            Simulator(Simulation(str(voices), **change))
    with pytest.raises(InputError, match="no audio files"):
        Simulator(Simulation(str(voices), noise=str(tmp_path)))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot make the folder"):
        Simulator(Simulation(str(voices))).write(0, tmp_path / "file" / "below")


def test_too_long_for_a_wav_file_is_said_before_anything_is_made(voices, tmp_path):
    settings = Simulation(str(voices), format="wav", sample_rate=48_000, seconds=(86_400.0, 86_400.0))
    with pytest.raises(OutputError, match="FLAC"):
        Simulator(settings).write(0, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_summary_by_hand():
    found = Summary.of([Diarization([(0, 4, "A"), (3, 6, "B"), (8, 10, "A")], duration=20)])
    assert (found.recordings, found.speakers) == (1, 2)
    assert found.speech == pytest.approx(0.4)
    assert found.overlap == pytest.approx(1 / 8)
    assert found.turns_per_minute == pytest.approx(9)
    assert (found.turn_median, found.pause_median) == (3, 2)
    assert np.isnan(Summary.of([Diarization()]).overlap)
    with pytest.raises(UsageError, match="at least one"):
        Summary.of([])


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="needs the development recordings")
def test_real_voices_make_a_meeting(tmp_path):
    settings = Simulation(
        str(SHARED / "speakers" / "speakers.tsv"),
        exclude_from=str(SHARED / "diarization" / "simulated"),
        noise=str(SHARED / "noise"),
        rooms=str(SHARED / "rooms" / "space"),
        seconds=(15.0, 15.0),
    )
    simulator = Simulator(settings)
    made = simulator.write(0, tmp_path)
    assert len(simulator.voices) == 421 - 40
    samples, rate = soundfile.read(tmp_path / f"{made.name}.flac")
    spoken = made.reference.speech.covers(np.arange(len(samples)) / rate)
    assert (samples[spoken] ** 2).mean() > 3 * (samples[~spoken] ** 2).mean()
