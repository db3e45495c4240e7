"""From sound to voiceprints."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tertulia.audio import Waveform
from tertulia.embedding.campplus import CAMPPlusWindow
from tertulia.errors import InputError
from tertulia.features import fbank
from tertulia.identity import Listener
from tertulia.identity.listening import model_of, same_space, solo
from tertulia.segmentation.speech import SileroSegmenter
from tertulia.timeline import Diarization, Timeline


@pytest.fixture(scope="module")
def listener() -> Listener:
    return Listener()


def test_a_voice_is_what_the_published_network_makes_of_the_speech(listener, sound):
    """The same steps written out: features of the whole, mean normalisation, frames, pooling, projection."""
    speech = sound[170_000:230_000]
    network = CAMPPlusWindow()
    features = fbank(speech, centred=False)
    features = features - features.mean(axis=0)
    frames = (len(features) + 1) // 2
    block = np.arange(frames)[:, None] // 100 == np.arange(-(-frames // 100))
    context = (block / block.sum(axis=0) + 1 / frames).astype(np.float32)
    spread = np.ascontiguousarray(block.T, np.float32)
    (output,) = network.frames(features=features[None], context=context, spread=spread)
    statistics = np.concatenate([output.mean(axis=0), output.std(axis=0, ddof=1)])
    vector = network.projection(statistics=statistics[None])[0]
    voice = listener.embed(speech)
    np.testing.assert_allclose(voice.vector, vector / np.linalg.norm(vector), atol=1e-4)
    assert voice.seconds == 3.75
    assert voice.model == listener.model


def test_long_speech_is_the_mean_of_its_stretches(sound):
    speech = sound[:80_000]
    whole = Listener(stretch=2.0).embed(speech)  # 5 s: three stretches
    parts = [Listener().embed(part) for part in np.array_split(speech, 3)]
    mean = sum(part.seconds * part.vector for part in parts)
    np.testing.assert_allclose(whole.vector, mean / np.linalg.norm(mean), atol=1e-5)
    assert whole.seconds == pytest.approx(5.0)


def test_a_model_is_the_checksums_of_its_networks(listener):
    assert model_of(CAMPPlusWindow()) == listener.model
    assert len(listener.model) == 16
    assert model_of(SileroSegmenter()) != listener.model


def test_the_default_system_and_the_listener_share_a_space(default, listener):
    """Known voices could not correct its clustering otherwise."""
    assert same_space(default.embedder, listener.embedder)
    assert not same_space(SileroSegmenter(), listener.embedder)


def test_too_little_speech(listener, sound):
    with pytest.raises(InputError, match=r"a voice needs 0.5 s of speech or more; got 0.25 s"):
        listener.embed(sound[:4000])


def test_each_speaker_is_heard_alone_and_from_its_longest_turns(sound):
    """An embedder that returns where it looked tells what was cut."""
    ramp = np.arange(1, 160_001, dtype=np.float32) / 160_000
    heard = {}

    class Recorder(Listener):
        def embed(self, speech):
            heard[len(heard)] = speech
            return super().embed(sound[: len(speech)])

    turns = [(0.0, 2.0, "Ada"), (3.0, 4.5, "Ada"), (1.0, 3.0, "Bob"), (9.0, 9.1, "Cid")]
    voices = Recorder(most=2.0).speakers((ramp, 16_000), Diarization(turns))
    assert set(voices) == {"Ada", "Bob"}, "Cid says too little"
    # Ada alone: 0–1 and 3–4.5, the longer first, 2 s at most. Bob alone: 2–3.
    np.testing.assert_allclose(heard[0], np.r_[ramp[:8000], ramp[48_000:72_000]], atol=1e-6)
    np.testing.assert_allclose(heard[1], ramp[32_000:48_000], atol=1e-6)


def test_how_the_recording_is_given_makes_no_difference(listener, recording, sound, reference):
    as_file = listener.speakers(recording, reference)
    as_bytes = listener.speakers(io.BytesIO(recording.read_bytes()), reference)
    as_array = listener.speakers(Waveform(sound[None], 16_000), reference)
    for other in (as_bytes, as_array):
        for name, voice in as_file.items():
            np.testing.assert_allclose(voice.vector, other[name].vector, atol=1e-5)


def test_who_is_never_alone_is_heard_all_the_same():
    both = Diarization([(0.0, 2.0, "Ada"), (0.5, 1.5, "Bob")])
    assert solo(both) == {"Ada": Timeline([(0.0, 0.5), (1.5, 2.0)]), "Bob": Timeline([(0.5, 1.5)])}
