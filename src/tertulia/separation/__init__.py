"""Voices apart: clips of every speaker, one file a speaker, and separation of voices that speak at once.

from tertulia.separation import export_voices
export_voices("meeting.wav", tertulia.diarize("meeting.wav"), "voices")
"""

from tertulia.separation.base import Separator
from tertulia.separation.clips import export_clips, solo
from tertulia.separation.mixtures import separate, separated
from tertulia.separation.sepformer import SepFormerSeparator
from tertulia.separation.speechbrain import SpeechBrainSeparator
from tertulia.separation.voices import export_voices, overlaps

__all__ = [
    "SEPARATORS",
    "SepFormerSeparator",
    "Separator",
    "SpeechBrainSeparator",
    "export_clips",
    "export_voices",
    "overlaps",
    "separate",
    "separated",
    "solo",
]

SEPARATORS: dict[str, type] = {
    "sepformer": SepFormerSeparator,
    "speechbrain": SpeechBrainSeparator,
}
