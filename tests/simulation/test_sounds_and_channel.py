from __future__ import annotations

import numpy as np
import pytest
import soundfile

from tertulia.audio import Waveform, write_wav
from tertulia.errors import AudioError, FormatError, InputError, UsageError
from tertulia.simulation import read_voices
from tertulia.simulation.channel import TELEPHONE_RATE, exactly, mu_law, telephone, through
from tertulia.simulation.sounds import ColouredNoise, Convolver, SampleBed, load, rms, speech_of
from tertulia.simulation.voices import Voice, without

RATE = 16_000


def test_silence_is_cut_at_the_ends_and_shortened_inside():
    speech = np.ones(RATE, np.float32)
    quiet = np.zeros(RATE, np.float32)
    kept = speech_of(np.concatenate([quiet, speech, quiet, speech, quiet]), RATE)
    assert len(kept) / RATE == pytest.approx(2.16)
    assert kept[0] == kept[-1] == 1
    assert speech_of(quiet, RATE).size == 0
    assert speech_of(quiet[:5], RATE).size == 0


def test_no_utterance_is_heard_twice_before_all_have_been(voices):
    paths = read_voices(voices)["a"]
    voice = Voice(paths, RATE, np.random.default_rng(0))
    while len(voice.used) < 12:
        voice.take(4000)
    for i in range(0, 12, 4):
        assert set(voice.used[i : i + 4]) == set(paths)
    assert all(a != b for a, b in zip(voice.used, voice.used[1:], strict=False))


def test_a_voice_is_the_same_however_it_is_taken(voices):
    paths = read_voices(voices)["b"]
    whole = Voice(paths, RATE, np.random.default_rng(5)).take(100_000)
    voice = Voice(paths, RATE, np.random.default_rng(5))
    assert np.array_equal(np.concatenate([voice.take(n) for n in (1, 30_000, 69_999)]), whole)
    assert rms(whole) == pytest.approx(1, rel=0.02)


def test_a_silent_voice_is_an_error(tmp_path):
    write_wav(tmp_path / "s.wav", Waveform.from_array(np.zeros(RATE, np.float32), RATE))
    with pytest.raises(AudioError, match="silence"):
        Voice([tmp_path / "s.wav"], RATE, np.random.default_rng(0)).take(10)
    with pytest.raises(AudioError, match="silence"):
        SampleBed([tmp_path / "s.wav"], RATE, np.random.default_rng(0)).take(10)


def test_a_manifest_and_a_folder_list_the_same(voices, tmp_path):
    rows = ["path\tspeaker\tseconds"]
    rows += [f"{path}\t{name}\t1.0" for name, paths in read_voices(voices).items() for path in paths]
    (tmp_path / "m.tsv").write_text("\n".join(rows) + "\n")
    assert read_voices(tmp_path / "m.tsv") == read_voices(voices)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("file\tspeaker\n", FormatError, "m.tsv:1: .*missing: path"),
        ("path\tspeaker\na.wav\t\n", FormatError, "m.tsv:2"),
        ("path\tspeaker\n", InputError, "lists no utterances"),
        ("", FormatError, "missing: path, speaker"),
    ],
)
def test_broken_manifests_are_named(tmp_path, text, error, said):
    (tmp_path / "m.tsv").write_text(text)
    with pytest.raises(error, match=said):
        read_voices(tmp_path / "m.tsv")


def test_missing_voices_are_named(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        read_voices(tmp_path / "none.tsv")
    with pytest.raises(InputError, match="no audio files"):
        read_voices(tmp_path)
    with pytest.raises(AudioError, match="cannot be read"):
        load(tmp_path / "none.flac", RATE, 1)
    (tmp_path / "bad.flac").write_bytes(b"fLaC and then nothing")
    with pytest.raises(AudioError, match="as sound"):
        load(tmp_path / "bad.flac", RATE, 1)


def test_speakers_are_left_out():
    voices = {"a": (), "b": (), "c": ()}
    assert set(without(voices, ["a"], ["c", "z"])) == {"b"}
    with pytest.raises(UsageError, match="'z'"):
        without(voices, ["z"])
    with pytest.raises(UsageError, match="none of the 1"):
        without(voices, [], ["z"])
    with pytest.raises(UsageError, match="all 3"):
        without(voices, "abc")


def test_files_are_read_at_the_wanted_rate_up_to_a_length(tmp_path):
    stereo = np.stack([np.full(8000, 0.5), np.zeros(8000)], axis=1)
    soundfile.write(tmp_path / "s.flac", stereo, 8000)
    assert load(tmp_path / "s.flac", 16_000, 10).shape == (16_000,)
    short = load(tmp_path / "s.flac", 8000, 0.5)
    assert short.shape == (4000,)
    assert short == pytest.approx(0.25, abs=1e-4)


def test_beds_have_unit_power(noises):
    paths = sorted(noises.iterdir())
    rng = np.random.default_rng(0)
    bed = SampleBed(paths, RATE, rng)
    assert rms(np.concatenate([bed.take(n) for n in (7, 100_000, 250_000)])) == pytest.approx(1, abs=0.02)
    for slope in (0.0, 2.0):
        assert rms(ColouredNoise(slope, RATE, rng).take(400_000)) == pytest.approx(1, abs=0.1)


def test_brown_noise_falls_by_6_db_an_octave():
    noise = ColouredNoise(2.0, RATE, np.random.default_rng(0)).take(2**19)
    power = (np.abs(np.fft.rfft(noise.reshape(-1, 1024) * np.hanning(1024))) ** 2).mean(axis=0)
    assert 10 * np.log10(power[64] / power[128]) == pytest.approx(6, abs=1)


def test_a_stream_through_a_response_is_the_whole_through_it():
    rng = np.random.default_rng(0)
    sound, response = rng.standard_normal(5000).astype(np.float32), rng.standard_normal(700)
    convolver = Convolver(response)
    parts = [convolver(part) for part in np.split(sound, [10, 400, 3000])]
    assert np.allclose(np.concatenate(parts), np.convolve(sound, response)[:5000], atol=1e-3)
    assert convolver.rings
    convolver(np.zeros(1000, np.float32))
    assert not convolver.rings


def test_mu_law_keeps_what_8_bits_can():
    levels = np.linspace(-1, 1, 10_001, dtype=np.float32)
    out = mu_law(levels)
    assert len(np.unique(out)) <= 255
    assert (np.abs(out - levels) <= 0.025 * np.abs(levels) + 2e-4).all()
    assert np.array_equal(mu_law(out), out)


@pytest.mark.parametrize(("hertz", "passes"), [(100, False), (1000, True), (3000, True), (3900, False)])
def test_a_telephone_passes_its_band(hertz, passes):
    tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(2 * RATE) / RATE).astype(np.float32)
    out = np.concatenate(list(telephone(np.split(tone, 4), RATE)))
    assert len(out) == pytest.approx(2 * TELEPHONE_RATE, abs=8)
    gain = 20 * np.log10(rms(out[4000:12_000]) / rms(tone))
    assert gain > -1.5 if passes else gain < -25


@pytest.mark.parametrize("codec", ["none", "mulaw", "opus", "vorbis", "mp3"])
@pytest.mark.parametrize("rate", [8000, 16_000])
def test_codecs_leave_sound_where_it_was(codec, rate):
    rng = np.random.default_rng(0)
    sound = np.zeros(rate, np.float32)
    sound[rate // 2 : rate // 2 + 800] = 0.3 * np.sin(np.arange(800) * 0.4) * np.hanning(800)
    sound += 1e-4 * rng.standard_normal(rate).astype(np.float32)
    out = np.concatenate(list(exactly(through(codec, np.split(sound, 4), rate), rate)))
    assert len(out) == rate
    lag = np.correlate(out, sound, "full").argmax() - (rate - 1)
    assert abs(lag) <= 2
    assert np.corrcoef(out, sound)[0, 1] > 0.95


def test_an_unknown_codec_is_refused():
    with pytest.raises(UsageError, match="unknown codec 'gsm'"):
        list(through("gsm", [], RATE))


def test_streams_are_cut_and_filled_to_length():
    ones = [np.ones(3, np.float32)] * 2
    assert np.concatenate(list(exactly(ones, 4))).tolist() == [1] * 4
    assert np.concatenate(list(exactly(ones, 8))).tolist() == [1] * 6 + [0] * 2
