"""The far side of `tertulia.audio.child`: decodes one file to its standard output, then ends.

It is run as a script in an isolated interpreter and imports nothing of this package, so that it starts fast
and so that a file that hangs or crashes a decoder takes down this process alone. What it writes is a WAV
stream of 32-bit float; what went wrong goes to standard error, a line each.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

__all__ = ["MEDIA_FORMATS", "PROTOCOLS", "wav_header"]

# What FFmpeg may take a file for: containers that hold the sound themselves. Never a play list, a manifest,
# a device or an image sequence: those open further files, or the network.
MEDIA_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dts,eac3,flac,flv,gsm,loas,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,"
    "mxf,nistsphere,nut,ogg,rm,sox,tak,truehd,tta,voc,w64,wav,wv"
)
PROTOCOLS = "file,pipe"

_BLOCK_FRAMES = 1 << 12  # what a decoder gave before it failed within a block is lost
_CPU_SECONDS_A_BLOCK = 30
_CPU_SECONDS_IN_ALL = 6 * 3600
# Containers whose header states a length; FFmpeg guesses that of others from the bit rate.
_STATES_LENGTH = ("mov", "matroska")


class Sink:
    """Takes decoded sound; the header goes out with the first samples, so that none means failure."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self.started = False

    def write(self, samples: bytes | memoryview, rate: int, channels: int, frames: int) -> None:
        """Send float32 samples; `frames` is what the file promises, 0 when it does not say."""
        if not samples:
            return
        if not self.started:
            self._pipe.write(wav_header(rate, channels, 32, frames))
            self.started = True
        self._pipe.write(samples)
        self._pipe.flush()
        _extend_cpu_limit()


def wav_header(rate: int, channels: int, bits: int, frames: int, data_bytes: int = 0xFFFFFFFF) -> bytes:
    """Build a WAV header for 16-bit PCM or 32-bit float; by default that of a stream of unknown size."""
    frame_bytes = channels * bits // 8
    form = struct.pack(
        "<HHIIHH", 1 if bits == 16 else 3, channels, rate, rate * frame_bytes & 0xFFFFFFFF, frame_bytes, bits
    )
    fact = struct.pack("<I", min(frames, 0xFFFFFFFF))
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"fact" + struct.pack("<I", 4) + fact
    riff_size = min(len(body) + 8 + data_bytes, 0xFFFFFFFF)
    return b"RIFF" + struct.pack("<I", riff_size) + body + b"data" + struct.pack("<I", data_bytes)


# ── decoders ─────────────────────────────────────────────────────────────────────────────────────────────


def decode_with_soundfile(path: str, sink: Sink) -> None:
    """Decode with libsndfile, which is given no file name: it would believe some extensions blindly."""
    import soundfile

    handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as file, soundfile.SoundFile(file) as sound:
        frame_bytes = sound.channels * 4
        block = memoryview(bytearray(_BLOCK_FRAMES * frame_bytes))
        while count := sound.buffer_read_into(block, dtype="float32"):
            sink.write(block[: count * frame_bytes], sound.samplerate, sound.channels, sound.frames)
    if sink.started and (fault := missing_end(path)):
        report(fault)


def decode_with_av(path: str, sink: Sink) -> None:
    """Decode the first audio stream with FFmpeg's libraries; damaged packets are left out and counted."""
    import av

    options = {"format_whitelist": MEDIA_FORMATS, "protocol_whitelist": PROTOCOLS}
    with av.open(f"file:{path}", options=options, metadata_errors="ignore") as container:
        if not container.streams.audio:
            raise ValueError("holds no audio stream")
        stream = container.streams.audio[0]
        resampler: Any = None
        damaged = 0
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                damaged += 1
                continue
            for frame in frames:
                resampler = resampler or _packed_float(frame)
                _send(sink, resampler.resample(frame), _promised_frames(container, frame.sample_rate))
        if resampler is not None:
            _send(sink, resampler.resample(None), 0)
    if damaged:
        report(f"{damaged} damaged packets left out")


def _packed_float(frame: Any) -> Any:
    import av

    return av.AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)


def _send(sink: Sink, frames: list[Any], promised: int) -> None:
    for frame in frames:
        channels = frame.layout.nb_channels
        size = frame.samples * channels * 4  # planes are padded
        sink.write(memoryview(frame.planes[0])[:size], frame.sample_rate, channels, promised)


def _promised_frames(container: Any, rate: int) -> int:
    states = container.format.name.startswith(_STATES_LENGTH) and container.duration
    return int(container.duration * rate / 1_000_000) if states else 0


def missing_end(path: str) -> str:
    """Tell what shows that a file is cut off where libsndfile keeps quiet about it; "" when nothing does."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] == b"FORM" and int.from_bytes(head[4:8], "big") + 8 > size + 1:
            return f"truncated: {int.from_bytes(head[4:8], 'big') + 8 - size} bytes of the AIFF are missing"
        if head[:4] != b"OggS":
            return ""
        file.seek(max(0, size - (1 << 17)))  # two pages of the largest kind
        tail = file.read()
    page = tail.rfind(b"OggS")
    segments = tail[page + 27 : page + 27 + tail[page + 26]] if page + 26 < len(tail) else b""
    is_last = page + 5 < len(tail) and tail[page + 5] & 4
    complete = segments and len(tail) >= page + 27 + len(segments) + sum(segments)
    return "" if is_last and complete else "truncated: the last page of the Ogg stream is missing"


DECODERS: dict[str, Callable[[str, Sink], None]] = {"soundfile": decode_with_soundfile, "av": decode_with_av}


def decode(path: str, sink: Sink) -> None:
    """Let the decoders try in order until one gives samples; when none does, report why."""
    reasons = []
    for name, decoder in DECODERS.items():
        try:
            decoder(path, sink)
        except ImportError:
            continue
        except BrokenPipeError:
            return
        except Exception as error:  # whatever the decoder raises is a fact about the file
            if sink.started:
                report(f"damaged: {_reason(error)}")
            reasons.append(f"{name}: {_reason(error)}")
        if sink.started:
            return
    report("; ".join(reasons))


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__


# ── process ──────────────────────────────────────────────────────────────────────────────────────────────


def report(line: str) -> None:
    """Send a line to the parent."""
    os.write(_report_to, (line + "\n").encode("utf-8", "backslashreplace"))


def limit_resources(address_space: int) -> None:
    """Bound memory, processor time and written files, as far as the platform can."""
    try:
        import resource
    except ImportError:
        return
    limits = {
        "RLIMIT_AS": address_space,
        "RLIMIT_CPU": _CPU_SECONDS_IN_ALL,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_CORE": 0,
    }
    for name, value in limits.items():
        with suppress(ValueError, OSError, AttributeError):
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (value if hard < 0 else min(value, hard), hard))


def _extend_cpu_limit() -> None:
    """Allow processor time for one more block: a decoder that hangs ends even when nobody watches it."""
    try:
        import resource
    except ImportError:
        return
    with suppress(ValueError, OSError):
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        soft = int(sum(os.times()[:2])) + _CPU_SECONDS_A_BLOCK
        resource.setrlimit(resource.RLIMIT_CPU, (soft if hard < 0 else min(soft, hard), hard))


_report_to = 2


def main() -> None:
    """Decode `path`, or become `command`, under limits; the one argument is a JSON object."""
    global _report_to
    request = json.loads(sys.argv[1])
    limit_resources(request["decoder_bytes"])
    if command := request.get("command"):
        os.execv(command[0], command)
    sys.path[:] = request["sys_path"]
    # Decoders in C write to the standard streams as they please.
    pipe, _report_to = os.fdopen(os.dup(1), "wb"), os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    _extend_cpu_limit()
    decode(request["path"], Sink(pipe))
    with suppress(BrokenPipeError):
        pipe.flush()
    os._exit(0)  # nothing is worth waiting for


if __name__ == "__main__":
    main()
