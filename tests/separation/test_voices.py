from __future__ import annotations

import numpy as np
import pytest

from tertulia.audio import Waveform, read
from tertulia.errors import OutputError
from tertulia.separation import export_voices, overlaps
from tertulia.timeline import Diarization, Segment

RATE = 16_000
SECONDS = 8
TALK = Diarization([(1.0, 4.0, "low"), (3.0, 6.0, "high"), (7.0, 7.5, "low")])


def tone(hertz: float) -> np.ndarray:
    return 0.2 * np.sin(2 * np.pi * hertz * np.arange(SECONDS * RATE) / RATE).astype(np.float32)


VOICES = {
    name: tone(hertz) * TALK[name].covers(np.arange(SECONDS * RATE) / RATE)
    for name, hertz in (("low", 200.0), ("high", 1500.0))
}
MEETING = Waveform(sum(VOICES.values())[None].astype(np.float32), RATE)


class ByPitch:
    """Separates two tones exactly; which comes first changes from call to call."""

    sample_rate, voices = RATE, 2

    def __init__(self):
        self.calls = []

    def __call__(self, mixture):
        self.calls.append(len(mixture))
        spectrum = np.fft.rfft(mixture)
        edge = int(800 * len(mixture) / RATE)
        low, high = spectrum.copy(), spectrum.copy()
        low[edge:], high[:edge] = 0, 0
        order = [low, high] if len(self.calls) % 2 else [high, low]
        return np.stack([np.fft.irfft(one, len(mixture)) for one in order]).astype(np.float32)


def snr(reference, estimate):
    return 10 * np.log10(np.sum(reference**2) / np.sum((reference - estimate) ** 2))


def loud(samples, begin, end):
    return np.abs(samples[int(begin * RATE) + 200 : int(end * RATE) - 200]).max() > 0.05


@pytest.fixture
def exported(tmp_path):
    def export(**options):
        files = export_voices(MEETING, TALK, tmp_path / "voices", **options)
        return {name: read(path).samples[0] for name, path in files.items()}

    return export


def test_one_file_a_speaker_as_long_as_the_recording(exported, tmp_path):
    heard = exported(prefix="m_")
    assert sorted(path.name for path in (tmp_path / "voices").iterdir()) == ["m_high.wav", "m_low.wav"]
    assert {len(samples) for samples in heard.values()} == {SECONDS * RATE}
    for name, samples in heard.items():
        spoken = TALK[name].covers((np.arange(len(samples)) + 0.5) / RATE)
        assert not samples[~spoken].any()
    assert loud(heard["low"], 7, 7.5)
    assert not loud(heard["high"], 7, 7.5)
    assert snr(VOICES["low"][RATE : 3 * RATE], heard["low"][RATE : 3 * RATE]) > 15


def test_overlaps_are_kept_or_muted(exported):
    here = slice(int(3.1 * RATE), int(3.9 * RATE))
    for name, kept in exported(overlap="keep").items():
        assert snr(MEETING.samples[0, here], kept[here]) > 40
        assert not loud(exported(overlap="mute")[name], 3, 4)


def test_overlaps_are_separated_and_given_to_whom_they_belong(exported):
    here = slice(int(3.1 * RATE), int(3.9 * RATE))
    separator = ByPitch()
    for _ in range(2):  # the separator has its voices the other way round the second time
        heard = exported(overlap=separator)
        for name, voice in VOICES.items():
            assert snr(voice[here], heard[name][here]) > 20
    assert separator.calls == [5 * RATE] * 2  # the overlap and two seconds around it, no more


def test_without_anybody_alone_nearby_overlap_stays_as_it_is(tmp_path):
    both = Diarization([(1.0, 3.0, "a"), (1.0, 3.0, "b")])
    files = export_voices(MEETING, both, tmp_path, overlap=ByPitch())
    a, b = (read(path).samples[0] for path in files.values())
    assert np.array_equal(a, b)


def test_more_people_than_the_separator_knows_stay_as_they_are(tmp_path):
    three = Diarization([(1.0, 3.0, "a"), (2.0, 3.0, "b"), (2.0, 3.0, "c"), (4.0, 5.0, "b")])
    separator = ByPitch()
    export_voices(MEETING, three, tmp_path, overlap=separator)
    assert separator.calls == []


def test_long_overlaps_are_separated_piece_by_piece(tmp_path):
    seconds = 60
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, seconds * RATE)).astype(np.float32)
    separator = ByPitch()
    talk = Diarization([(0.0, 60.0, "a"), (20.0, 50.0, "b")])
    export_voices(Waveform(noise, RATE), talk, tmp_path, overlap=separator)
    assert max(separator.calls) <= 16 * RATE
    assert len(separator.calls) == 3


def test_overlaps_by_hand():
    talk = Diarization([(0, 4, "a"), (2, 6, "b"), (3, 5, "c")])
    assert list(overlaps(talk)) == [
        (Segment(2, 3), ("a", "b")),
        (Segment(3, 4), ("a", "b", "c")),
        (Segment(4, 5), ("b", "c")),
    ]
    assert [where for where, _ in overlaps(Diarization([(0, 3, "a"), (0, 3, "b")]), 1.5)] == [
        Segment(0, 1.5),
        Segment(1.5, 3),
    ]


def test_nobody_and_nowhere(tmp_path):
    assert export_voices(MEETING, Diarization(), tmp_path) == {}
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot make the folder"):
        export_voices(MEETING, TALK, tmp_path / "file")
