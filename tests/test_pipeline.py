from __future__ import annotations

import copy
import io
import json
import os
import pickle
import subprocess
import sys
import tracemalloc
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

import tertulia
from tertulia import Diarization, Diarizer, Speakers, Waveform
from tertulia.audio import write_wav
from tertulia.audio.windows import Windows, slide
from tertulia.binarize import Hysteresis, TopCount
from tertulia.embedding import Voices
from tertulia.errors import AudioError, UsageError
from tertulia.evaluation import diarization_error
from tertulia.frames import Grid
from tertulia.inference import cores
from tertulia.pipeline import Sliding
from tertulia.progress import Progress
from tertulia.segmentation import Activity

RATE = 16_000
GOLDEN = Path(__file__).parent / "data" / "conversation.default.rttm"


class Remembered:
    """A part that is run once on each batch of windows, however often it is asked."""

    def __init__(self, part) -> None:
        self.part, self.known = part, {}
        for name in ("sample_rate", "window", "hop", "margin"):
            if hasattr(part, name):
                setattr(self, name, getattr(part, name))

    def __call__(self, windows: Windows, *more):
        key = (windows.samples.tobytes(), windows.lead, windows.hop, windows.count)
        if key not in self.known:
            self.known[key] = self.part(windows, *more)
        return self.known[key]


@pytest.fixture(scope="module")
def quick(default) -> Diarizer:
    """The default system, with networks that remember; so any object with the right call is a part."""
    return replace(default, segmenter=Remembered(default.segmenter), embedder=Remembered(default.embedder))


@pytest.fixture(scope="module")
def result(quick, recording) -> Diarization:
    return quick(recording)


def rttm(result: Diarization) -> str:
    from tertulia.formats import FORMATS

    return FORMATS["rttm"].dumps(result)


# ── the bundled recording ────────────────────────────────────────────────────────────────────────────────


def test_two_people_are_found(result, reference):
    assert result.speakers == ("SPEAKER_00", "SPEAKER_01")
    assert diarization_error(reference, result).der <= 0.12


def test_turns_are_those_of_last_time(result):
    """Networks differ in the last bits between processors, so boundaries may move by a frame."""
    golden = Diarization.read(GOLDEN)
    assert result.speakers == golden.speakers
    for speaker in golden.speakers:
        np.testing.assert_allclose(result[speaker].bounds, golden[speaker].bounds, atol=0.02)


def test_what_comes_with_the_turns(result):
    assert (result.uri, result.duration) == ("conversation", 30.0)
    for speaker, timeline in result.items():
        assert result.confidence[speaker].shape == (len(timeline),)
        assert (result.confidence[speaker] > 0).all()
        assert (result.confidence[speaker] <= 1).all()
        assert timeline.bounds[0, 0] >= 0
        assert timeline.bounds[-1, 1] <= 30.0
    # Names are given in order of first speech.
    starts = [result[speaker].bounds[0, 0] for speaker in sorted(result.speakers)]
    assert starts == sorted(starts)


def test_exclusive_is_a_part_of_the_whole(result):
    alone = result.exclusive()
    assert result.has_exclusive
    assert result.overlap.duration > 0
    assert alone.overlap.duration == 0
    assert alone.speech.duration == pytest.approx(result.speech.duration, abs=1e-6)
    for speaker, timeline in alone.items():
        assert (timeline - result[speaker]).duration < 1e-9
    assert alone.provenance == result.provenance


def test_provenance_is_complete(default, result, recording):
    provenance = default(recording).provenance
    assert provenance.version == tertulia.__version__
    assert provenance.system == "default"
    assert set(provenance.models) == {"segmentation-tuned", "campplus-frames-int8", "campplus-projection"}
    assert all(len(sha256) == 64 for sha256 in provenance.models.values())
    assert set(provenance.settings) == {"segmentation", "embedding", "clustering", "binarize", "sliding"}
    assert provenance.settings["segmentation"]["weights"] == "segmentation-tuned"
    assert provenance.settings["sliding"]["least"] == 24
    assert provenance.messages == ()


def test_a_result_survives_pickling_and_copying(result):
    for twin in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result), copy.copy(result)):
        assert twin == result
        assert list(twin) == list(result)  # with confidence
        assert (twin.uri, twin.duration, twin.provenance) == (result.uri, result.duration, result.provenance)
        assert twin.has_exclusive
        assert twin.exclusive() == result.exclusive()
        with pytest.raises(ValueError, match="read-only"):
            twin[twin.speakers[0]].bounds[0, 0] = 0
        with pytest.raises(ValueError, match="read-only"):
            twin.confidence[twin.speakers[0]][0] = 0


# ── the same again ───────────────────────────────────────────────────────────────────────────────────────


def test_later_parts_get_ready_while_the_first_works(default, quick, recording, result):
    happened = []

    class Getting(Remembered):
        def prepare(self):
            happened.append("prepared")

        def __call__(self, *arguments):
            happened.append("embedded")
            return super().__call__(*arguments)

    assert rttm(replace(quick, embedder=Getting(default.embedder))(recording)) == rttm(result)
    assert happened[:2] == ["prepared", "embedded"]
    assert happened.count("prepared") == 1


def test_getting_ready_opens_the_networks(default):
    embedder = replace(default.embedder)
    embedder.prepare()
    assert all(network._session is not None for network in embedder.networks.values())


def test_two_runs_and_any_number_of_threads(default, recording, result):
    """To the last byte of the file, which has three decimals; `default` takes a thread a core."""
    assert rttm(default(recording)) == rttm(result)
    for threads in {1, 2, 4} - {cores()}:
        assert rttm(tertulia.load(threads=threads)(recording)) == rttm(result)


def test_the_source_does_not_matter(quick, recording, sound, result, tmp_path):
    """A file, its bytes, a stream that cannot seek, an array, a waveform: the same sound, the same turns."""
    path = tmp_path / "conversation.wav"
    write_wav(path, Waveform(sound[None], RATE))

    class Pipe(io.RawIOBase):
        def __init__(self, content: bytes) -> None:
            self.content = io.BytesIO(content)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            part = self.content.read(min(len(buffer), 4099))
            buffer[: len(part)] = part
            return len(part)

    sources = {
        "str": str(recording),
        "wav": path,
        "bytes": path.read_bytes(),
        "flac bytes": recording.read_bytes(),
        "pipe": Pipe(path.read_bytes()),
        "array": (sound, RATE),
        "doubles": (sound.astype(np.float64)[None], RATE),
        "waveform": Waveform(sound[None], RATE),
    }
    for kind, source in sources.items():
        other = quick(source, name="x/conversation.y")
        assert rttm(other) == rttm(result), kind
        assert other.duration == result.duration
        assert list(other) == list(result), kind


def test_a_pipe_of_the_system(quick, sound, result):
    ours, theirs = os.pipe()
    if os.fork() == 0:  # a child that only writes
        os.close(ours)
        with open(theirs, "wb") as pipe:
            pipe.write(_wav(sound))
        os._exit(0)
    os.close(theirs)
    with open(ours, "rb") as pipe:
        assert quick(pipe) == result
    os.wait()


def _wav(sound: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    import soundfile

    soundfile.write(buffer, sound, RATE, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def test_batches_hardly_matter(default, recording, result):
    small = replace(default, sliding=replace(default.sliding, batch=5))(recording)
    assert small.speakers == result.speakers
    assert diarization_error(result, small).der < 0.02


# ── how many ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_exact_number_of_speakers(quick, recording, number):
    assert len(quick(recording, Speakers(number)).speakers) == number


@pytest.mark.parametrize(
    ("minimum", "maximum", "number"),
    [(None, 1, 1), (None, 2, 2), (None, 9, 2), (1, None, 2), (3, None, 3), (3, 4, 3), (1, 2, 2)],
)
def test_bounds_for_the_number_of_speakers(quick, recording, minimum, maximum, number):
    assert len(quick(recording, Speakers(minimum=minimum, maximum=maximum)).speakers) == number


def test_one_speaker_never_overlaps(quick, recording):
    assert quick(recording, Speakers(1)).overlap.duration == 0


@pytest.mark.parametrize("speakers", [Speakers(50), Speakers(minimum=50), Speakers(1000)])
def test_more_speakers_than_can_be_told_apart(quick, recording, speakers):
    with pytest.raises(UsageError, match=f"{speakers} speakers were asked for"):
        quick(recording, speakers)


def test_a_promise_is_kept_whatever_the_durations(quick, recording):
    patient = replace(quick, binarize=TopCount(min_duration_on=1.0))
    for number in (1, 2, 3):
        assert len(patient(recording, Speakers(number)).speakers) == number
    with pytest.raises(UsageError, match="can be told apart"):
        replace(quick, binarize=TopCount(min_duration_on=20.0))(recording, Speakers(2))


# ── other parts ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "binarize", [TopCount(min_duration_off=1.0), Hysteresis(min_duration_off=1.0), Hysteresis()]
)
def test_exclusive_whatever_pauses_are_filled(quick, recording, binarize):
    alone = replace(quick, binarize=binarize)(recording).exclusive()
    assert len(alone.speakers) == 2
    assert alone.overlap.duration == 0


def test_hysteresis_is_as_good_a_binarizer(quick, recording, reference):
    other = replace(quick, binarize=Hysteresis())(recording)
    assert diarization_error(reference, other).der <= 0.15


# ── strange sound ────────────────────────────────────────────────────────────────────────────────────────

NOISE = np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)


@pytest.mark.parametrize("samples", [1, 79, 320, 1600, 3 * RATE, 12 * RATE])
def test_silence_of_any_length_is_nobody(default, samples):
    result = default((np.zeros(samples, np.float32), RATE))
    assert len(result) == 0
    assert result.duration == samples / RATE
    assert result.exclusive().speakers == ()
    assert rttm(result).strip() == ""


@pytest.mark.parametrize("samples", [1, 320, 3 * RATE])
def test_noise_of_any_length_is_at_most_a_short_result(default, samples):
    result = default((NOISE[:samples], RATE))
    assert result.speech.duration <= samples / RATE
    assert len(result.speakers) <= 1


def test_a_blink_of_speech(default, sound):
    result = default((sound[11 * RATE : 11 * RATE + 320], RATE))
    assert result.duration == 0.02
    assert result.speech.duration <= 0.02


@pytest.mark.parametrize("speakers", [Speakers(1), Speakers(2), Speakers(minimum=1)])
def test_nobody_can_be_had_from_silence(default, speakers):
    with pytest.raises(UsageError, match="speakers were asked for"):
        default((np.zeros(RATE, np.float32), RATE), speakers)


def test_no_samples_at_all(default):
    with pytest.raises(AudioError, match="holds no samples"):
        default((np.zeros(0, np.float32), RATE))


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_other_sample_rates(default, sound, rate):
    speech = Waveform(sound[None, 10 * RATE : 16 * RATE], RATE).resample(rate)
    result = default(speech)
    assert result.duration == pytest.approx(6.0, abs=0.01)
    assert result.speech.duration > 4


def test_what_was_repaired_is_told(default, sound):
    broken = sound[10 * RATE : 13 * RATE].copy()
    broken[100], broken[200] = np.nan, np.inf
    result = default((np.stack([broken, broken]), RATE))
    assert result.provenance.messages == (
        "mixing 2 channels down to one",
        "2 NaN samples replaced by zero",
        "2 infinite samples replaced by zero",
    )


# ── channels ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def stereo(sound) -> np.ndarray:
    """The first speaker's turn on the left, the second one's on the right, half of the time at once."""
    left, right = np.zeros(9 * RATE, np.float32), np.zeros(9 * RATE, np.float32)
    left[: 4 * RATE] = sound[int(18.6 * RATE) :][: 4 * RATE]
    right[2 * RATE : 8 * RATE] = sound[22 * RATE : 28 * RATE]
    return np.stack([left, right])


def test_channels_apart(default, stereo):
    result = default((stereo, RATE), Speakers(1), channels="split")
    assert result.speakers == ("SPEAKER_00", "SPEAKER_01")
    left, right = (default((stereo, RATE), Speakers(1), channels=channel) for channel in (0, 1))
    assert result["SPEAKER_00"] == left["SPEAKER_00"]
    assert result["SPEAKER_01"] == right["SPEAKER_00"]
    assert result.duration == 9.0
    assert result.overlap.duration > 0.5
    np.testing.assert_array_equal(result.confidence["SPEAKER_01"], right.confidence["SPEAKER_00"])
    alone = result.exclusive()
    assert alone.overlap.duration == 0
    assert alone.speech.duration == pytest.approx(result.speech.duration)
    assert result.provenance.system == "default"


def test_channels_apart_from_a_stream_that_is_read_once(default, stereo):
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, stereo.T, RATE, format="WAV", subtype="FLOAT")
    whole = default((stereo, RATE), channels="split")
    buffer.seek(0)
    result = default(buffer, channels="split", name="folder/call.wav")
    assert result == whole
    assert result.uri == "call"


def test_a_channel_without_speech_has_no_speaker(default, stereo):
    result = default((np.stack([np.zeros_like(stereo[1]), stereo[1]]), RATE), channels="split")
    assert result.speakers == ("SPEAKER_00",)


def test_a_channel_that_is_not_there(default, stereo):
    with pytest.raises(UsageError, match="no channel 2"):
        default((stereo, RATE), channels=2)


# ── progress ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("channels", ["mix", "split"])
def test_progress_only_goes_on(quick, stereo, channels):
    seen: list[Progress] = []
    small = replace(quick, sliding=Sliding(batch=1))
    long = np.tile(stereo, 2)
    small((long, RATE), channels=channels, progress=seen.append)
    assert len(seen) >= 2
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    whole = 18.0 * (2 if channels == "split" else 1)
    assert done[-1] == pytest.approx(whole)
    assert {progress.total for progress in seen} == {whole}


def test_an_error_in_the_caller_s_report_stops_it(quick, recording):
    class Stop(Exception):  # noqa: N818
        pass

    def report(progress: Progress) -> None:
        raise Stop

    with pytest.raises(Stop):
        quick(recording, progress=report)


# ── sliding ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Listener:
    """A segmenter that takes one person to speak all the time."""

    hop: float = 5.0
    sample_rate = 1000
    window = 10.0

    def __call__(self, windows: Windows) -> Activity:
        shape = (len(windows), 100, 1)
        always = np.ones(shape, np.float32)
        return Activity(
            always, always > 0, always, always[..., 0], Grid(0.1), windows.hop / windows.sample_rate
        )


@pytest.mark.parametrize(
    ("least", "shortest", "seconds", "hop"),
    [
        (1, 1.0, 60, 5.0),
        (24, 1.25, 30, 1.25),
        (24, 1.25, 10, 1.25),
        (24, 1.25, 60, 2.5),
        (24, 1.25, 120, 5.0),
        (24, 1.25, 3600, 5.0),
        (24, 9.0, 30, 5.0),  # never longer than the segmenter wants
    ],
)
@pytest.mark.parametrize("block", [997, 100_000, 10**7])
def test_the_hop_fits_the_recording_not_its_blocks(least, shortest, seconds, hop, block):
    samples = np.arange(seconds * 1000, dtype=np.float32)
    blocks = (samples[i : i + block] for i in range(0, len(samples), block))
    sliding = Sliding(least=least, shortest=shortest, batch=16)
    batches = list(sliding(blocks, Listener(), 0.0))
    assert {batch.hop for batch in batches} == {round(hop * 1000)}
    assert batches[-1].end == seconds
    expected = list(slide([samples], 1000, size=10_000, hop=round(hop * 1000), batch=16))
    for ours, theirs in zip(batches, expected, strict=True):
        np.testing.assert_array_equal(ours.stack(), theirs.stack())


@pytest.mark.parametrize("wrong", [{"least": 0}, {"batch": 0}, {"shortest": 0.0}])
def test_impossible_sliding(wrong):
    with pytest.raises(ValueError, match="least and batch are whole numbers from 1"):
        Sliding(**wrong)


# ── long recordings ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Deaf:
    """An embedder of one vector for everybody."""

    margin = 0.0

    def __call__(self, windows: Windows, activity: Activity) -> Voices:
        shape = (len(windows), activity.scores.shape[2], 1)
        seconds = activity.active.sum(axis=1)[..., None].astype(np.float32) * np.float32(activity.grid.step)
        hop = windows.hop / windows.sample_rate
        return Voices(np.ones((*shape, 2), np.float32), seconds, seconds, seconds, hop, 10.0)


def test_parts_of_one_s_own_and_four_hours_of_sound_in_little_memory(default):
    """What is kept of a recording is activity and voices, never the sound."""
    diarizer = Diarizer(Listener(), Deaf(), default.clusterer)
    source = Waveform(np.ones((1, 4 * 3600 * 1000), np.float32), 1000)
    tracemalloc.start()
    result = diarizer(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.speakers == ("SPEAKER_00",)
    assert result.duration == 4 * 3600.0
    assert result.speech.duration == pytest.approx(4 * 3600.0)
    assert result.provenance.system == "custom"
    assert result.provenance.settings["sliding"] == {"least": 1, "shortest": 1.0, "batch": 16}
    assert result.provenance.models == {}
    assert peak < source.samples.nbytes


@pytest.mark.slow
def test_four_minutes_in_bounded_memory(recording):
    """The same conversation eight times over: the same two people, and no more memory than for any length."""
    if not Path("/proc/self/status").exists():
        pytest.skip("needs Linux to tell the peak of a process")
    code = f"""
import json
import numpy
import tertulia
from tertulia.audio import read

sound = numpy.tile(read({str(recording)!r}).samples[0], 8)
result = tertulia.diarize((sound, 16_000))
peak = 1024 * int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
print(json.dumps([result.duration, [(turn.start, turn.end, turn.speaker) for turn in result], peak]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    duration, turns, peak = json.loads(done.stdout)
    assert duration == 240.0
    assert peak < 500e6
    whole = Diarization(turns)
    assert len(whole.speakers) == 2
    once = Diarization.read(GOLDEN)
    expected = Diarization(
        [(turn.start + 30 * i, turn.end + 30 * i, turn.speaker) for i in range(8) for turn in once]
    )
    assert diarization_error(expected, whole).der < 0.1
