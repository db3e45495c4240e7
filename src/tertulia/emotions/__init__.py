"""Which emotion is heard when, and in whose voice: neutral, happy, sad or angry.

from tertulia.emotions import detect_emotions
found = detect_emotions("meeting.wav")
for turn in found.turns:
    print(turn.start, turn.end, turn.speaker, turn.emotion, turn.probability)

The weights are non-commercial and come apart: `pip install ./weights-nc`.
"""

from __future__ import annotations

from typing import Any, Literal

from tertulia.audio import Source
from tertulia.audio.source import rereadable
from tertulia.config import part
from tertulia.emotions.detection import Emotion, EmotionDetection, EmotionDetector
from tertulia.emotions.recognizers import EMOTIONS, Recognizer, Spectral, VoiceAndProsody
from tertulia.timeline import Diarization

__all__ = [
    "EMOTIONS",
    "RECOGNIZERS",
    "Emotion",
    "EmotionDetection",
    "EmotionDetector",
    "Recognizer",
    "Spectral",
    "VoiceAndProsody",
    "detect_emotions",
    "load_recognizer",
]

RECOGNIZERS: dict[str, type] = {"voice-and-prosody": VoiceAndProsody, "spectral": Spectral}

DEFAULT_RECOGNIZER = "voice-and-prosody"


def load_recognizer(name: str = DEFAULT_RECOGNIZER, **options: Any) -> Recognizer:
    """Load what tells emotions from sound.

    Args:
        name: one of `RECOGNIZERS`.
        options: its settings, such as `weights` and `threads`.

    Raises:
        UsageError: for an unknown name or setting.
        ModelMissingError: when its weights are not on this machine.
    """
    recognizer: Recognizer = part(RECOGNIZERS, {"name": name, **options}, "emotions", "recognizer")
    return recognizer


def detect_emotions(
    source: Source,
    turns: Diarization | None = None,
    *,
    num_speakers: int | None = None,
    recognizer: str = DEFAULT_RECOGNIZER,
    channels: Literal["mix"] | int = "mix",
    threads: int = 0,
) -> EmotionDetection:
    """Tell emotions in one recording.

    Args:
        source: a path, bytes, a binary file, a `Waveform`, or an (array, sample rate) pair.
        turns: who speaks when; the default system finds out where that is not given.
        num_speakers: how many people speak, if you know it.
        recognizer: one of `RECOGNIZERS`.
        channels: "mix" the channels down, or take one by number, from 0.
        threads: threads within one operation; 0 takes one a core.

    Raises:
        AudioError: when the recording cannot be read.
        ModelMissingError: when the weights are not installed.
    """
    detector = EmotionDetector(load_recognizer(recognizer, threads=threads))
    source = rereadable(source)
    if turns is None:
        import tertulia

        turns = tertulia.diarize(
            source, num_speakers=num_speakers, channels=channels, threads=threads or None
        )
    return detector(source, turns, channels=channels)
