"""Sound from anywhere: files of any usual format, streams and arrays, read in blocks at one sample rate.

`open_audio` streams a recording in bounded memory, `read` takes it whole, `Waveform` is sound as a value and
`write_wav` puts one on disk.
"""

from tertulia.audio.limits import Limits
from tertulia.audio.recording import Channels, Recording, Source, open_audio, read
from tertulia.audio.resample import Resampler
from tertulia.audio.wav import write_wav
from tertulia.audio.waveform import Waveform

__all__ = [
    "Channels",
    "Limits",
    "Recording",
    "Resampler",
    "Source",
    "Waveform",
    "open_audio",
    "read",
    "write_wav",
]
