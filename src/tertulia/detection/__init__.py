"""What is heard where: speech activity detection, and scenes of speech, music, noise and silence.

from tertulia.detection import detect_speech
found = detect_speech("meeting.wav")
found.speech          # Timeline
found.frames.scores   # (frames, 1), probability of speech
"""

from tertulia.detection.boundaries import Boundaries
from tertulia.detection.presenter import Presenter
from tertulia.detection.scenes import LETTERS, SceneDetection, SceneDetector, detect_scenes
from tertulia.detection.speech import (
    DEFAULT_METHOD,
    SpeechDetection,
    SpeechDetector,
    default_boundaries,
    detect_speech,
    load_detector,
)

__all__ = [
    "DEFAULT_METHOD",
    "LETTERS",
    "Boundaries",
    "Presenter",
    "SceneDetection",
    "SceneDetector",
    "SpeechDetection",
    "SpeechDetector",
    "default_boundaries",
    "detect_scenes",
    "detect_speech",
    "load_detector",
]
